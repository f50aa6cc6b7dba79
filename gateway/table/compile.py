"""Config -> RouteTable, Credentials and the catalogue of faults in force."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import msgspec
from multidict import istr

from gateway.kernel.addresses import address_rules
from gateway.kernel.envelope.checked_texts import CheckedTexts
from gateway.kernel.faults import CATALOGUE, Fault, Link
from gateway.kernel.http.path_patterns import parse_prefix
from gateway.kernel.http.path_safety import spelled
from gateway.kernel.http.request_headers import FieldFilter
from gateway.kernel.http.response_headers import FieldRules, Line, as_text
from gateway.kernel.traffic.maintenance import MaintenanceNotice
from gateway.settings import Config
from gateway.settings.schema.maintenance import MaintenanceSettings
from gateway.settings.schema.routing import HeaderRules, RouteSettings
from gateway.settings.schema.upstreams import UpstreamSettings
from gateway.table.conditions import SelectingFields, Views
from gateway.table.cors import cross_origin, route_cors
from gateway.table.keyring import Credentials, Keyring
from gateway.table.keys import KeyMaker, Made
from gateway.table.limits import hit_tariff, one_tag, plan_windows, tariff
from gateway.table.limits_route import at_listener, own_routes
from gateway.table.public_urls import UrlMapping, url_mapping
from gateway.table.quotas import Meters
from gateway.table.reading_law import ServiceAddresses
from gateway.table.route_table import RouteTable
from gateway.table.routes import Caching, Envelope, Route, Sender
from gateway.table.steering import steering_of
from gateway.table.whole_replies import cache_rules, compression_rules, idempotency_rules, own_lines, privacy_lines
from gateway.traffic.mirror import MirrorLog
from gateway.traffic.senders import Onlookers, sender_of

_FORWARDED = (
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-prefix",
    "x-forwarded-port",
    "forwarded",
)
"""Fields in which the gateway describes the client, unless a route has a rule for them."""


def build_faults(config: Config) -> dict[str, Fault]:
    """Return the catalogue of faults with the overrides of the configuration."""
    faults = dict(CATALOGUE)
    for name, override in config.errors.items():
        changes = {field: value for field, value in override if value is not None}
        if override.links is not None:
            changes["links"] = tuple(Link(link.href, link.title) for link in override.links)
        faults[name] = msgspec.structs.replace(faults[name], **changes)
    return faults


def build_credentials(config: Config) -> Credentials:
    """Return the keys of the configuration, and where a request carries one."""
    keys, maker = config.keys, KeyMaker(config)
    by_digest = {bytes.fromhex(key.secret_sha256): key for key in keys.plain if key.secret_sha256 is not None}
    by_subject = {key.certificate_subject: key for key in keys.plain if key.certificate_subject is not None}
    shown: Made[bytes] = Made(lambda digest: by_digest.get(digest) or keys.find(digest), maker.make)
    keyring = Keyring(shown, Made(by_subject.get, maker.make), Made(keys.named, maker.make))
    key, organization_header = config.auth.key, istr(config.auth.organization_header)
    return Credentials(keyring, istr(key.header), key.query, organization_header)


def build_routes(
    config: Config,
    upstreams: Mapping[str, Sender],
    faults: dict[str, Fault],
    requests: Mapping[str, Any] = MappingProxyType({}),
    onlookers: Onlookers | None = None,
    document: Any = None,
    own_keys: Any = None,
) -> RouteTable:
    """Return the table of all routes. `upstreams` maps ids to upstreams, `requests` those of routes to contracts.

    `onlookers` are shown what becomes of calls, None stands for nobody. `document` and `own_keys` are as for
    `own_routes`.
    """
    maker, shown = _RouteMaker(config, faults), onlookers or Onlookers(MirrorLog.silent())
    routes = [maker.make(one, sender_of(config, one, upstreams, shown), requests.get(one.id)) for one in config.routes]
    default_set, key_field = tuple(config.defaults.headers.response.set.items()), config.auth.key.header
    keyed = own_lines(*privacy_lines(default_set, (key_field,), private=True))
    unrouted = own_lines(*privacy_lines(default_set, (key_field, *maker.selecting.everywhere), private=True))
    cross = cross_origin(config)
    own = own_routes(config, keyed, None if cross is None else cross.unrouted, document, own_keys)
    services: dict[str, ServiceAddresses] = {each.id: _addresses(each) for each in config.upstreams}
    for route in config.routes:
        if route.split or route.mirror is not None:  # its calls reach all of them
            also = [address for each in config.upstreams_of(route) for address in _addresses(each)]
            services[route.upstream] = tuple(dict.fromkeys((*services[route.upstream], *also)))
    merges = config.server.paths.empty_segments == "merge"
    compression = compression_rules(config.defaults.compression)
    make = partial(
        RouteTable, unrouted=unrouted, merges=merges, services=services, cross_origin=cross, compression=compression
    )
    table = _table(routes, own, make)
    if any(route.match_listener for route in routes):
        table.listeners = {
            name: _table([one for one in routes if one.match_listener in {"", name}], at_listener(own, name), make)
            for name in (each.id for each in config.server.listeners)
        }
    return table


def _table(routes: Sequence[Route], own: Sequence[Route], make: Callable[..., RouteTable]) -> RouteTable:
    """Return the table of `routes`, with those for each host, and for header fields where a route has a condition."""
    everything = [*routes, *own]
    if not any(route.match_host or route.specificity > (False, 0) for route in routes):
        return make(everything)
    views = Views(routes, lambda tiers: make(everything, tiers=[own, *tiers]))
    table = make(everything, tiers=[own, [route for route in routes if not route.match_host]])
    table.views = views
    return table


def _addresses(upstream: UpstreamSettings) -> ServiceAddresses:
    """Return the addresses of the targets, without the scheme, which does not change the service."""
    urls = [urlsplit(str(target.url)) for target in upstream.targets]
    return tuple(dict.fromkeys((url.netloc.lower(), url.path.rstrip("/")) for url in urls))


class _RouteMaker:
    """Compiles the routes of a configuration. Routes with the same rules for header fields share a filter."""

    def __init__(self, config: Config, faults: dict[str, Fault]) -> None:
        self._config = config
        self._windows = plan_windows(config)
        self._meters = Meters(config, faults)
        self._tag = one_tag(config)
        self._checked_texts = CheckedTexts()
        self._cached = frozenset(route.upstream for route in config.routes if route.cache is not None)
        self._filters: dict[tuple[bytes, ...], FieldFilter] = {}
        self._rules: dict[tuple[tuple[str, ...], str | None], FieldRules] = {}
        self._between: dict[tuple[str | None, ...], UrlMapping] = {}
        self.selecting = SelectingFields(config.routes)
        self._response_lines: dict[tuple[object, ...], tuple[tuple[Line, ...], ...]] = {}

    def make(self, route: RouteSettings, upstream: Sender, request_contract: Any) -> Route:
        config = self._config
        envelope, timeouts = config.envelope_of(route), config.timeouts_of(route)
        plan = config.plan_of(route) if route.auth == "none" else None
        passthrough = envelope.mode == "passthrough"
        own_id = config.observability.request_id.header
        headers = config.headers_of(route)
        request, response = headers.request, headers.response
        host = next((value for name, value in request.set.items() if name.lower() == "host"), None)
        between = self._ways(route, host)
        key_field = () if plan is not None else (config.auth.key.header,)
        privacy, response_set, own_set = self._responses(
            tuple(response.set.items()), (*key_field, *self.selecting.of(route)), private=plan is None
        )
        cors = route_cors(config, route)
        ruled = {name.lower() for name in (*request.set, *request.remove)}
        compression, idempotency = compression_rules(config.compression_of(route)), idempotency_rules(route)
        caching = self._caching(route, plain=not (cors or compression or idempotency))
        looked_at = response_set or cors or compression or idempotency or caching or passthrough
        return Route(
            id=route.id,
            pattern=route.match.path or route.match.prefix or "/",
            prefix=route.match.prefix is not None,
            methods=route.match.served,
            upstream=upstream,
            host=b"" if host is None else f"Host: {host}\r\n".encode("latin-1"),
            base=(route.rewrite.add_prefix or "").rstrip("/"),
            strip_segments=len(parse_prefix(route.rewrite.strip_prefix)) if route.rewrite.strip_prefix else 0,
            envelope=Envelope(envelope.mode, envelope.max_buffer, envelope.binary, self._checked_texts),
            family=route.error_family,
            open=plan is not None,
            open_plan=plan.id if plan else "",
            open_windows=self._windows[plan.id] if plan else (),
            open_tag=self._tag,
            tariff=tariff(route, self._meters),
            request_filter=self._filter(tuple(_withheld(config, request, passthrough=passthrough))),
            request_fields=_request_fields(request, passthrough=passthrough),
            response_set=response_set,
            response_rules=self._rules_of(
                (*response.remove, *response.set, own_id), None if looked_at else as_text(privacy)
            ),
            own_set=own_set,
            privacy=privacy,
            organization_field=config.auth.organization_header,
            url_mapping=between,
            prefix_field=f"X-Forwarded-Prefix: {between.stripped}\r\n" if between.stripped else "",
            unsaid=tuple(f"{name}:" for name in _FORWARDED if _stands_in(name, ruled)),
            connect_timeout_s=timeouts.connect,
            first_byte_timeout_s=timeouts.first_byte,
            total_timeout_s=timeouts.total,
            idle_timeout_s=timeouts.idle_s,
            events_idle_timeout_s=timeouts.events_idle_s,
            request=request_contract,
            subject_field=config.auth.caller_headers.certificate_subject,
            steering=steering_of(config, route),
            maintenance=_maintenance(route.maintenance or config.defaults.maintenance),
            cors=cors,
            compression=compression,
            websocket="websocket" in route.upgrade,
            addresses=address_rules(*config.addresses_of(route)),
            match_host=route.match.host or "",
            match_headers=tuple(sorted((name.lower(), value) for name, value in route.match.headers.items())),
            match_listener=route.match.listener or "",
            idempotency=idempotency,
            caching=caching,
        )

    def _caching(self, route: RouteSettings, *, plain: bool) -> Caching | None:
        if route.upstream not in self._cached:
            return None
        return Caching(cache_rules(route), hit_tariff(route, self._meters), plain)

    def _filter(self, withheld: tuple[bytes, ...]) -> FieldFilter:
        known = self._filters.get(withheld)
        if known is None:
            known = self._filters[withheld] = FieldFilter(withheld)
        return known

    def _ways(self, route: RouteSettings, host: str | None) -> UrlMapping:
        stripped, added = (route.rewrite.strip_prefix or "").rstrip("/"), (route.rewrite.add_prefix or "").rstrip("/")
        alike = (route.upstream, *(part.upstream for part in route.split), host, stripped, added)
        known = self._between.get(alike)
        if known is None:
            targets = [
                (target.url.host, target.url.port, target.url.path)
                for upstream in self._config.upstreams_of(route)
                for target in upstream.targets
            ]
            known = self._between[alike] = url_mapping(targets, host, stripped, added, _spelled)
        return known

    def _responses(
        self, response_set: tuple[Line, ...], vary: tuple[str, ...], *, private: bool
    ) -> tuple[tuple[Line, ...], ...]:
        """Return `privacy`, `response_set` and `own_set` of a route."""
        known = self._response_lines.get((response_set, vary, private))
        if known is None:
            privacy, merged = privacy_lines(response_set, vary, private=private)
            known = privacy, merged, own_lines(privacy, merged)
            self._response_lines[response_set, vary, private] = known
        return known

    def _rules_of(self, removed: tuple[str, ...], added_text: str | None) -> FieldRules:
        known = self._rules.get((removed, added_text))
        if known is None:
            known = self._rules[removed, added_text] = FieldRules(removed, added_text)
        return known


def _maintenance(settings: MaintenanceSettings | None) -> MaintenanceNotice | None:
    if settings is None:
        return None
    retry_after_s = None if settings.retry_after is None else max(1, round(settings.retry_after))
    until = None if settings.until is None else settings.until.timestamp()
    return MaintenanceNotice(settings.message, retry_after_s, until)


def _spelled(path: str) -> str:
    """Return a path of the configuration in the spelling of a URL."""
    return "".join(f"/{spelled(segment)}" for segment in parse_prefix(path)) if path else ""


def _stands_in(name: str, ruled: set[str]) -> bool:
    return name in ruled or any(rule.endswith("*") and name.startswith(rule[:-1]) for rule in ruled)


def _withheld(config: Config, request: HeaderRules, *, passthrough: bool) -> list[bytes]:
    """Request fields of clients that are not forwarded, in addition to those that never are."""
    auth = config.auth
    names = [
        auth.key.header,
        auth.organization_header,
        config.observability.request_id.header,
        "X-Request-Id",
        "traceparent",
        *auth.caller_headers.model_dump().values(),
        *request.remove,
        *request.set,
    ]
    return [name.encode() for name in names] + ([] if passthrough else [b"accept-encoding"])


def _request_fields(request: HeaderRules, *, passthrough: bool) -> bytes:
    fields = {name: value for name, value in request.set.items() if name.lower() != "host"}
    if not passthrough:
        fields["Accept-Encoding"] = "identity"  # what comes back is checked byte for byte
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode("latin-1")
