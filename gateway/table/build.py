"""Config -> RouteTable, Credentials and the catalogue of faults in force."""

from collections.abc import Mapping
from fnmatch import fnmatchcase

import msgspec
from multidict import istr

from gateway.kernel.bucket import Claim, Window
from gateway.kernel.faults import CATALOGUE, Fault, Link
from gateway.kernel.headers import FieldFilter
from gateway.kernel.patterns import parse_prefix
from gateway.kernel.quota_fields import Fields
from gateway.settings import Config
from gateway.settings.schema.access import Key as KeySetting
from gateway.settings.schema.routing import HeaderRules
from gateway.settings.schema.routing import Route as RouteSetting
from gateway.table.callers import Caller, Credentials, Key, Keyring, bucket_name, bucket_of
from gateway.table.limits import Tags, claim_of, one_tag, organization_windows, plan_windows, shadows_last, tariff, told
from gateway.table.meters import Meters
from gateway.table.routes import Envelope, Route, RouteTable, Sender

_PARTS = (b"range", b"if-range")
"""A part of a body cannot stand in an envelope: without these fields a backend answers with the whole of it."""


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
    disabled = frozenset(organization.id for organization in config.organizations if organization.disabled)
    claims = _Claims(config)
    ids = tuple(route.id for route in config.routes)
    allowed = {patterns: _matching(ids, patterns) for patterns in {key.routes for key in config.keys}}
    keys: dict[bytes, Key] = {}
    certified: dict[str, Key] = {}
    for setting in config.keys:
        key = _key(config, setting, claims, disabled, allowed[setting.routes])
        if setting.secret_sha256 is not None:
            keys[bytes.fromhex(setting.secret_sha256)] = key
        if setting.certificate_subject is not None:
            certified[setting.certificate_subject] = key
    return Credentials(Keyring(keys, certified), istr(config.auth.key.header), config.auth.key.query, istr(config.auth.organization_header))


def build_routes(config: Config, upstreams: Mapping[str, Sender], faults: dict[str, Fault]) -> RouteTable:
    """The table of all routes; `upstreams` by id."""
    windows, meters = plan_windows(config), Meters(config, faults)
    return RouteTable(_route(config, route, upstreams[route.upstream], faults, windows, meters) for route in config.routes)


class _Claims:
    """What keys claim: the limits of their plans and organisations."""

    def __init__(self, config: Config) -> None:
        self._plans = plan_windows(config)
        self._organizations = organization_windows(config)
        self.tags = Tags(config)
        self._known: dict[tuple[str, str | None], tuple[tuple[Window, ...], Fields]] = {}

    def make(self, plan: str, organization: str | None, bucket: str, organization_bucket: str) -> tuple[Claim, Claim]:
        """For a call, and for a look."""
        if (plan, organization) not in self._known:
            windows = shadows_last(self._plans[plan] + self._organizations.get(organization or "", ()))
            self._known[plan, organization] = (windows, told(windows))
        windows, fields = self._known[plan, organization]
        one, none = (claim_of(bucket, organization_bucket, windows, cost, fields) for cost in (1, 0))
        return one, none


def _matching(ids: tuple[str, ...], patterns: tuple[str, ...] | None) -> frozenset[str] | None:
    return None if patterns is None else frozenset(route for route in ids if any(fnmatchcase(route, one) for one in patterns))


def _key(
    config: Config,
    key: KeySetting,
    claims: _Claims,
    disabled: frozenset[str],
    allowed: frozenset[str] | None,
) -> Key:
    names = config.auth.caller_headers
    methods = None if key.methods is None else frozenset(key.methods) | ({"HEAD"} if "GET" in key.methods else frozenset())
    proof = f"key {key.secret_sha256}" if key.secret_sha256 is not None else f"certificate {key.certificate_subject}"
    tag = claims.tags.of(key)
    bucket = bucket_name(tag, bucket_of(proof))
    callers: dict[str | None, Caller] = {}
    for organization in key.organizations or (None,):
        about = {names.id: key.id, names.organization: organization, names.plan: key.plan}
        head = "".join(f"{name}: {value}\r\n" for name, value in about.items() if value is not None)
        shared = bucket if organization is None else bucket_name(tag, bucket_of(f"organization {organization}"))
        claim, look = claims.make(key.plan, organization, bucket, shared)
        callers[organization] = Caller(
            key.id, organization, key.plan, bucket, shared, claim, look, head.encode("latin-1"), allowed, methods
        )
    callers[None] = next(iter(callers.values()))
    return Key(key.id, callers, key.disabled, disabled, key.expires.timestamp() if key.expires else None)


def _route(
    config: Config,
    route: RouteSetting,
    upstream: Sender,
    faults: dict[str, Fault],
    windows: dict[str, tuple[Window, ...]],
    meters: Meters,
) -> Route:
    envelope, timeouts = config.envelope_of(route), config.timeouts_of(route)
    target = config.upstream_of(route).targets[0].url
    host = target.host if target.port == {"http": 80, "https": 443}[target.scheme] else f"{target.host}:{target.port}"
    plan = config.plan_of(route) if route.auth == "none" else None
    passthrough = envelope.mode == "passthrough"
    own_id = config.observability.request_id.header
    request, response = route.headers.request, route.headers.response
    set_host = next((value for name, value in request.set.items() if name.lower() == "host"), host)
    return Route(
        id=route.id,
        pattern=route.match.path or route.match.prefix or "/",
        prefix=route.match.prefix is not None,
        methods=(*route.match.methods, *(("HEAD",) if "GET" in route.match.methods else ())),
        upstream=upstream,
        host=f"Host: {set_host}\r\n".encode("latin-1"),
        base=target.path + (route.rewrite.add_prefix or "").rstrip("/"),
        strip_segments=len(parse_prefix(route.rewrite.strip_prefix)) if route.rewrite.strip_prefix else 0,
        envelope=Envelope(envelope.mode, envelope.max_buffer, envelope.binary),
        family=route.error_family,
        faults=faults,
        open=plan is not None,
        open_plan=plan.id if plan else "",
        open_windows=windows[plan.id] if plan else (),
        open_tag=one_tag(config),
        tariff=tariff(route, meters),
        request_filter=FieldFilter(_withheld(config, request, passthrough)),
        request_fields=_request_fields(request, passthrough),
        response_set=tuple(response.set.items()),
        response_remove=frozenset(name.lower().encode() for name in (*response.remove, *response.set, own_id)),
        connect_timeout_s=timeouts.connect,
        first_byte_timeout_s=timeouts.first_byte,
        total_timeout_s=timeouts.total,
        subject_field=config.auth.caller_headers.certificate_subject,
    )


def _withheld(config: Config, request: HeaderRules, passthrough: bool) -> list[bytes]:
    """Request fields of clients that stay here, on top of those that always do."""
    auth = config.auth
    names = [
        *(auth.key.header, auth.organization_header, config.observability.request_id.header, "X-Request-Id", "traceparent"),
        *auth.caller_headers.model_dump().values(),
        *request.remove,
        *request.set,
    ]
    return [name.encode() for name in names] + ([] if passthrough else [b"accept-encoding", *_PARTS])


def _request_fields(request: HeaderRules, passthrough: bool) -> bytes:
    fields = {name: value for name, value in request.set.items() if name.lower() != "host"}
    if not passthrough:
        fields["Accept-Encoding"] = "identity"  # what comes back is checked byte for byte
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode("latin-1")
