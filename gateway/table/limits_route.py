"""The routes that the gateway answers itself: the limits of a caller, and the OpenAPI document of the routes."""

from typing import Any

import msgspec

from gateway.kernel.http.cors import CorsPolicy
from gateway.kernel.http.request_headers import FieldFilter
from gateway.kernel.http.response_headers import FieldRules, Line
from gateway.settings import Config
from gateway.settings.schema.config import LIMITS_ROUTE, OPENAPI_ROUTE
from gateway.table.limits import Tariff, one_tag, plan_windows
from gateway.table.public_urls import UrlMapping
from gateway.table.routes import Envelope, Route

_METHODS = ("GET", "HEAD")


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


def document_route(config: Config, path: str, limits: Route, document: Any) -> Route:
    """Return a route on which `document` is served, with a key or without one.

    A call costs what any call costs, of the caller's own limits. `limits` is a route of the gateway for other fields.
    """
    return msgspec.structs.replace(
        limits,
        id=OPENAPI_ROUTE,
        pattern=path,
        open=True,
        open_plan="anonymous",
        open_windows=plan_windows(config)["anonymous"],
        open_tag=one_tag(config),
        tariff=None,
        document=document,
    )


def own_routes(config: Config, own_set: tuple[Line, ...], cors: CorsPolicy | None, document: Any) -> tuple[Route, ...]:
    """Return the routes that the gateway answers itself.

    `document` is what is served at `server.openapi_path` (`PublishedDocument` in gateway/openapi/exporting.py), None
    for nothing.
    """
    made = []
    for each in config.own_paths():
        route = limits_route(each.path, own_set, cors)
        if each.id == LIMITS_ROUTE:
            made.append(route)
        elif document is not None:
            made.append(document_route(config, each.path, route, document))
    return tuple(made)
