"""The routes that the gateway answers itself: a caller's limits, the OpenAPI document of the routes, and its page."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from gateway.kernel.addresses import address_rules
from gateway.kernel.copies import replace
from gateway.kernel.http.cors import CorsPolicy
from gateway.kernel.http.request_headers import FieldFilter
from gateway.kernel.http.response_headers import FieldRules, Line
from gateway.net.static_files import StaticFile
from gateway.settings import Config
from gateway.settings.schema.config import (
    LIMITS_ROUTE,
    OPENAPI_ROUTE,
    ROTATION_ROUTE,
    SELF_SERVICE_ROUTE,
    OwnRoute,
)
from gateway.table.limits import Tariff, one_tag, plan_windows
from gateway.table.public_urls import UrlMapping
from gateway.table.routes import Envelope, Route

_METHODS = ("GET", "HEAD")
_KEY_METHODS: dict[str, tuple[str, ...]] = {SELF_SERVICE_ROUTE: _METHODS, ROTATION_ROUTE: ("POST",)}


def limits_route(path: str, own_set: tuple[Line, ...] = (), cors: CorsPolicy | None = None) -> Route:
    """Return the route.

    A call costs nothing, `own_set` is added to replies, `cors` is the policy for browsers, and fields about upstreams
    have no meaning.
    """
    return Route(
        id=LIMITS_ROUTE,
        pattern=path,
        prefix=False,
        methods=_METHODS,
        upstream=None,
        host=b"",
        base="",
        strip_segments=0,
        envelope=Envelope("wrap", 0, "refuse"),
        family="general",
        open=False,
        open_plan="",
        open_windows=(),
        open_tag=None,
        tariff=Tariff(dict.fromkeys(_METHODS, 0), dict.fromkeys(_METHODS, ())),
        request_filter=FieldFilter([]),
        request_fields=b"",
        response_set=(),
        response_rules=FieldRules(),
        own_set=own_set,
        privacy=(),
        organization_field="",
        url_mapping=UrlMapping(),
        prefix_field="",
        unsaid=(),
        connect_timeout_s=0.0,
        first_byte_timeout_s=0.0,
        total_timeout_s=0.0,
        idle_timeout_s=0.0,
        events_idle_timeout_s=0.0,
        subject_field="",
        cors=cors,
    )


class ServedDocument(Protocol):
    """What is served at `server.openapi_path` (gateway/openapi/publish/exporting.py).

    `files` are those of the page that shows it, by their paths.
    """

    @property
    def files(self) -> Mapping[str, StaticFile]: ...


def open_route(config: Config, own: OwnRoute, limits: Route) -> Route:
    """Return a route of the gateway's own that needs no key. `limits` is such a route for the fields that it shares.

    A call costs what any call costs, of the caller's own limits.
    """
    return replace(
        limits,
        id=own.id,
        pattern=own.path,
        open=True,
        open_plan="anonymous",
        open_windows=plan_windows(config)["anonymous"],
        open_tag=one_tag(config),
        tariff=None,
    )


def _file_route(served: Route, file: StaticFile) -> Route:
    """Return the route of a file, whose own header fields come before those that are set on all replies."""
    names = {name.lower() for name, _ in file.fields}
    own_set = tuple(line for line in served.own_set if line[0].lower() not in names)
    return replace(served, file=file, own_set=own_set, cors=None)


def at_listener(own: Sequence[Route], listener: str) -> tuple[Route, ...]:
    """Return the gateway's own routes for a listener: what the document shows depends on it."""
    return tuple(route if route.document is None else replace(route, match_listener=listener) for route in own)


def own_routes(
    config: Config,
    own_set: tuple[Line, ...],
    cors: CorsPolicy | None,
    document: ServedDocument | None,
    own_keys: Any = None,
) -> tuple[Route, ...]:
    """Return the routes that the gateway answers itself.

    `document` is what is served at `server.openapi_path`, None for nothing. `own_keys` shows and rotates keys at
    `server.self_service_path` (gateway/key_management/own_key.py); None where nothing is answered.
    """
    addresses, made = address_rules(config.defaults.allow, config.defaults.deny), []
    for each in config.own_paths():
        route = replace(limits_route(each.path, own_set, cors), addresses=addresses)
        if each.id == LIMITS_ROUTE:
            made.append(route)
        elif each.id in _KEY_METHODS:
            methods = _KEY_METHODS[each.id]
            made.append(replace(route, id=each.id, methods=methods, tariff=None, self_service=own_keys))
        elif document is not None:
            served = open_route(config, each, route)
            made.append(
                replace(served, document=document)
                if each.id == OPENAPI_ROUTE
                else _file_route(served, document.files[each.path])
            )
    return tuple(made)
