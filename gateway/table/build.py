"""Config -> RouteTable, Credentials and the catalogue of faults in force."""

from collections.abc import Mapping

import msgspec
from multidict import istr

from gateway.kernel.faults import CATALOGUE, Fault, Link
from gateway.kernel.headers import FieldFilter
from gateway.kernel.patterns import parse_prefix
from gateway.settings import Config
from gateway.settings.schema.routing import HeaderRules
from gateway.settings.schema.routing import Route as RouteSetting
from gateway.table.callers import Credentials, Keyring
from gateway.table.keys import KeyMaker, Made
from gateway.table.limits import one_tag, plan_windows, tariff
from gateway.table.meters import Meters
from gateway.table.own import limits_route
from gateway.table.routes import Envelope, Route, RouteTable, Sender


def build_faults(config: Config) -> dict[str, Fault]:
    """The catalogue with the operator's overrides."""
    faults = dict(CATALOGUE)
    for name, override in config.errors.items():
        changes = {field: value for field, value in override if value is not None}
        if override.links is not None:
            changes["links"] = tuple(Link(link.href, link.title) for link in override.links)
        faults[name] = msgspec.structs.replace(faults[name], **changes)
    return faults


def build_credentials(config: Config) -> Credentials:
    """The keys of the configuration, and where a request carries one."""
    keys, maker = config.keys, KeyMaker(config)
    by_digest = {bytes.fromhex(key.secret_sha256): key for key in keys.plain if key.secret_sha256 is not None}
    by_subject = {key.certificate_subject: key for key in keys.plain if key.certificate_subject is not None}
    shown: Made[bytes] = Made(lambda digest: by_digest.get(digest) or keys.find(digest), maker.make)
    keyring = Keyring(shown, Made(by_subject.get, maker.make), Made(keys.named, maker.make))
    return Credentials(keyring, istr(config.auth.key.header), config.auth.key.query, istr(config.auth.organization_header))


def build_routes(config: Config, upstreams: Mapping[str, Sender], faults: dict[str, Fault]) -> RouteTable:
    """The table of all routes; `upstreams` by id."""
    maker = _RouteMaker(config, faults)
    routes = [maker.make(route, upstreams[route.upstream]) for route in config.routes]
    path = config.server.limits_path
    return RouteTable(routes if path is None else [*routes, limits_route(path, faults)])


class _RouteMaker:
    """Makes routes by the rules of a configuration. Those with the same rules for header fields share a filter."""

    def __init__(self, config: Config, faults: dict[str, Fault]) -> None:
        self._config = config
        self._faults = faults
        self._windows = plan_windows(config)
        self._meters = Meters(config, faults)
        self._tag = one_tag(config)
        self._filters: dict[tuple[bytes, ...], FieldFilter] = {}

    def make(self, route: RouteSetting, upstream: Sender) -> Route:
        config = self._config
        envelope, timeouts = config.envelope_of(route), config.timeouts_of(route)
        plan = config.plan_of(route) if route.auth == "none" else None
        passthrough = envelope.mode == "passthrough"
        own_id = config.observability.request_id.header
        request, response = route.headers.request, route.headers.response
        host = next((f"Host: {value}\r\n" for name, value in request.set.items() if name.lower() == "host"), "")
        return Route(
            id=route.id,
            pattern=route.match.path or route.match.prefix or "/",
            prefix=route.match.prefix is not None,
            methods=route.match.served,
            upstream=upstream,
            host=host.encode("latin-1"),
            base=(route.rewrite.add_prefix or "").rstrip("/"),
            strip_segments=len(parse_prefix(route.rewrite.strip_prefix)) if route.rewrite.strip_prefix else 0,
            envelope=Envelope(envelope.mode, envelope.max_buffer, envelope.binary),
            family=route.error_family,
            faults=self._faults,
            open=plan is not None,
            open_plan=plan.id if plan else "",
            open_windows=self._windows[plan.id] if plan else (),
            open_tag=self._tag,
            tariff=tariff(route, self._meters),
            request_filter=self._filter(tuple(_withheld(config, request, passthrough))),
            request_fields=_request_fields(request, passthrough),
            response_set=tuple(response.set.items()),
            response_remove=frozenset(name.lower().encode() for name in (*response.remove, *response.set, own_id)),
            connect_timeout_s=timeouts.connect,
            first_byte_timeout_s=timeouts.first_byte,
            total_timeout_s=timeouts.total,
            idle_timeout_s=timeouts.idle_s,
            events_idle_timeout_s=timeouts.events_idle_s,
            subject_field=config.auth.caller_headers.certificate_subject,
        )

    def _filter(self, withheld: tuple[bytes, ...]) -> FieldFilter:
        known = self._filters.get(withheld)
        if known is None:
            known = self._filters[withheld] = FieldFilter(withheld)
        return known


def _withheld(config: Config, request: HeaderRules, passthrough: bool) -> list[bytes]:
    """Request fields of clients that stay here, on top of those that always do."""
    auth = config.auth
    names = [
        *(auth.key.header, auth.organization_header, config.observability.request_id.header, "X-Request-Id", "traceparent"),
        *auth.caller_headers.model_dump().values(),
        *request.remove,
        *request.set,
    ]
    return [name.encode() for name in names] + ([] if passthrough else [b"accept-encoding"])


def _request_fields(request: HeaderRules, passthrough: bool) -> bytes:
    fields = {name: value for name, value in request.set.items() if name.lower() != "host"}
    if not passthrough:
        fields["Accept-Encoding"] = "identity"  # what comes back is checked byte for byte
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode("latin-1")
