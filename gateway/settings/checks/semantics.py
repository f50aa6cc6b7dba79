"""Checks the parts of a configuration against one another: references, duplicates and contradictions."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from importlib.util import find_spec

from gateway.kernel.faults import CATALOGUE
from gateway.net.pem import load_chain
from gateway.settings.checks.context import CheckContext
from gateway.settings.checks.cors import check_cors
from gateway.settings.checks.limits import check_limits
from gateway.settings.checks.listeners import check_authorities, check_file, check_listeners, check_pair
from gateway.settings.checks.open_routes import check_enclosures
from gateway.settings.checks.quotas import check_quotas
from gateway.settings.checks.replies import check_replies
from gateway.settings.checks.route_conflicts import check_conditions, check_overlaps
from gateway.settings.checks.traffic import check_traffic
from gateway.settings.positions import Items, Loc, Table
from gateway.settings.schema.access import BUILT_IN_PLANS, KeySettings
from gateway.settings.schema.addresses import AUTHORITIES, files_of
from gateway.settings.schema.config import LISTS
from gateway.settings.schema.routing import FRAMING, HeaderRules
from gateway.settings.schema.upstreams import UpstreamSettings
from gateway.settings.schema.values import did_you_mean

_BUILT_IN = frozenset(plan.id for plan in BUILT_IN_PLANS)


def check(context: CheckContext) -> None:
    """Report all problems between parts that fit the schema by themselves."""
    for name in LISTS:
        _unique_ids(context, name)
    _keys(context)
    _key_store(context)
    check_limits(context)
    check_quotas(context)
    _upstreams(context)
    _routes(context)
    check_overlaps(context)
    check_conditions(context)
    check_enclosures(context)
    check_replies(context)
    _errors(context)
    _headers(context)
    check_cors(context)
    _redis(context)
    check_listeners(context)
    check_traffic(context)
    _traces(context)
    _usage(context)
    _capture(context)
    _workers(context)


def _unique_ids(context: CheckContext, name: str) -> None:
    for identity, locs in context.ids(name).items():
        for loc in locs[1:]:
            context.report(loc, f"`{identity}` is the id of another one, in {context.where(locs[0], loc)}")


def _refer(context: CheckContext, loc: Loc, wanted: str, name: str, built_in: Iterable[str] = ()) -> None:
    known = context.ids(name)
    if wanted not in known and wanted not in built_in and context.knows_all(name):
        hint = did_you_mean(wanted, [*known, *built_in]) or f"declare it under `{name}`"
        context.report(loc, f"there is no {name.removesuffix('s')} `{wanted}`", hint)


def _keys(context: CheckContext) -> None:
    proofs: dict[str, Loc] = {}
    routes = context.ids("routes")
    useless: dict[str, bool] = {}
    written = context.raw("keys")
    for index, entry in enumerate(written if isinstance(written, Items) else ()):
        if isinstance(entry, Table) and not {"secret_sha256", "certificate_subject"} & entry.keys():
            context.report(("keys", index, "secret_sha256"), "missing", "`gateway keys create` prints one")
    for loc, key in context.entries("keys", context.config.keys):
        _proofs(context, loc, key, proofs)
        if "plan" in key.model_fields_set:
            _refer(context, (*loc, "plan"), key.plan, "plans", _BUILT_IN)
        for index, organization in enumerate(key.organizations):
            _refer(context, (*loc, "organizations", index), organization, "organizations")
            if organization in key.organizations[:index]:
                context.report((*loc, "organizations", index), f"`{organization}` stands here twice")
        for index, pattern in enumerate(key.routes or ()):
            if pattern not in useless:
                useless[pattern] = context.knows_all("routes") and not any(
                    fnmatchcase(route, pattern) for route in routes
                )
            if useless[pattern]:
                context.report((*loc, "routes", index), f"`{pattern}` matches no route", did_you_mean(pattern, routes))


def _proofs(context: CheckContext, loc: Loc, key: KeySettings, seen: dict[str, Loc]) -> None:
    """Check that no two keys have the same secret or certificate subject."""
    for name, what in (("secret_sha256", "secret"), ("certificate_subject", "certificate")):
        proof = getattr(key, name)
        first = seen.setdefault(proof, (*loc, name)) if proof is not None else loc
        if first[1] != loc[1]:
            context.report((*loc, name), f"another key has the same {what}, in {context.where(first, loc)}")
    if key.certificate_subject is not None and not any(
        each.tls and each.tls.client_ca for each in context.config.server.listeners
    ):
        context.report(
            (*loc, "certificate_subject"), "no listener asks clients for certificates", "set `tls.client_ca` of one"
        )


def _key_store(context: CheckContext) -> None:
    if context.config.key_store is not None and context.raw("redis") is None:
        context.report(("keys", "store"), "there is no Redis to keep keys in", "add `redis: {url: …}`")
    if context.config.server.self_service_path is not None and context.config.key_store is None:
        context.report(
            ("server", "self_service_path"), "keys that stand in files cannot rotate", "write `keys: {store: redis}`"
        )


def _upstreams(context: CheckContext) -> None:
    for loc, upstream in context.entries("upstreams", context.config.upstreams):
        urls = [target.url for target in upstream.targets]
        for index, url in enumerate(urls):
            if url in urls[:index]:
                context.report((*loc, "targets", index, "url"), f"`{url}` stands here twice", "give it more `weight`")
        if upstream.tls.model_fields_set:
            _tls(context, loc, upstream)


def _tls(context: CheckContext, loc: Loc, upstream: UpstreamSettings) -> None:
    if not any(target.url.scheme == "https" for target in upstream.targets):
        context.report((*loc, "tls"), "of no use: no target's URL begins with `https://`", at_key=True)
    check_authorities(context, (*loc, "tls", "ca"), upstream.tls.ca)
    check_pair(context, (*loc, "tls"), upstream.tls.certificate, upstream.tls.private_key, load_chain)


def _routes(context: CheckContext) -> None:
    if context.raw("routes") in (None, []):
        context.report((), "there are no routes, so nothing can be served", "declare one under `routes`")
    for loc, route in context.entries("routes", context.config.routes):
        _refer(context, (*loc, *(("split", 0) if route.split else ()), "upstream"), route.upstream, "upstreams")
        if route.plan is not None:
            _refer(context, (*loc, "plan"), route.plan, "plans", _BUILT_IN)
        for index, method in enumerate(route.match.methods):
            if method in route.match.methods[:index]:
                context.report((*loc, "match", "methods", index), f"`{method}` stands here twice")
        stripped = route.rewrite.strip_prefix
        way = route.match.path or route.match.prefix or "/"
        if stripped not in (None, "/", way) and not way.startswith(f"{stripped}/"):
            context.report((*loc, "rewrite", "strip_prefix"), f"`{stripped}` is not how `{way}` begins")


def _errors(context: CheckContext) -> None:
    written = context.raw("errors")
    for name in written if isinstance(written, Table) else ():
        if name not in CATALOGUE:
            hint = did_you_mean(name, CATALOGUE) or "`gateway errors` lists them"
            context.report(("errors", name), "there is no fault of this name", hint, at_key=True)


def _headers(context: CheckContext) -> None:
    """Check that the gateway's own header fields differ, and that no rule changes those that name the caller."""
    auth, request_id = context.config.auth, context.config.observability.request_id.header
    written_headers: list[tuple[Loc, str]] = [
        (("auth", "key", "header"), auth.key.header),
        (("auth", "organization_header"), auth.organization_header),
        (("auth", "caller_headers", "id"), auth.caller_headers.id),
        (("auth", "caller_headers", "organization"), auth.caller_headers.organization),
        (("auth", "caller_headers", "plan"), auth.caller_headers.plan),
        (("auth", "caller_headers", "certificate_subject"), auth.caller_headers.certificate_subject),
        (("observability", "request_id", "header"), request_id),
    ]
    seen: dict[str, Loc] = {}
    for loc, name in written_headers:
        if name.lower() in seen:
            # One of the two may be a default, which stands nowhere.
            at = loc if context.raw(*loc) is not None else seen[name.lower()]
            context.report(at, f"`{name}` has another meaning already")
        elif name.lower() in _MEANT_OTHERWISE:
            context.report(loc, f"`{name}` has a meaning of its own in HTTP")
        seen[name.lower()] = loc
    written_by_gateway = {
        request_id.lower(),
        auth.organization_header.lower(),
        *(name.lower() for name in auth.caller_headers.model_dump().values()),
    }
    _rules(context, ("defaults", "headers", "request"), context.config.defaults.headers.request, written_by_gateway)
    _rules(context, ("defaults", "headers", "response"), context.config.defaults.headers.response, {request_id.lower()})
    for loc, route in context.entries("routes", context.config.routes):
        _rules(context, (*loc, "headers", "request"), route.headers.request, written_by_gateway)
        _rules(context, (*loc, "headers", "response"), route.headers.response, {request_id.lower()})


def _can_export_spans() -> bool:
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:  # nothing of OpenTelemetry's is there
        return False


def _traces(context: CheckContext) -> None:
    if context.config.observability.traces is not None and not _can_export_spans():
        context.report(
            ("observability", "traces"),
            "spans need the Python package `opentelemetry-exporter-otlp-proto-http`",
            "install the gateway with its extra `otel`",
            at_key=True,
        )


def _usage(context: CheckContext) -> None:
    if context.config.observability.usage is not None and context.raw("redis") is None:
        text = "there is no Redis to keep usage in"
        context.report(("observability", "usage"), text, "add `redis: {url: …}`", at_key=True)


def _capture(context: CheckContext) -> None:
    if context.config.observability.capture is not None and context.config.admin.token is None:
        text = "of no use: `/captures` asks for the token of the admin listener, and there is none"
        context.report(("observability", "capture"), text, "add `admin: {token: …}`", at_key=True)


def _redis(context: CheckContext) -> None:
    redis = context.config.redis
    for name, path in files_of(redis.url.get_secret_value()) if redis is not None else ():
        (check_authorities if name == AUTHORITIES else check_file)(context, ("redis", "url"), path)


_MEANT_OTHERWISE = frozenset(
    {
        *(
            "accept",
            "accept-encoding",
            "authorization",
            "content-encoding",
            "content-type",
            "cookie",
            "date",
            "expect",
            "host",
            "location",
        ),
        *("retry-after", "server", "set-cookie", "via", "x-forwarded-for", *FRAMING),
    }
)


def _rules(context: CheckContext, loc: Loc, rules: HeaderRules, written_by_gateway: set[str]) -> None:
    for name in rules.set:
        if name.lower() in written_by_gateway:
            context.report((*loc, "set", name), f"`{name}` is written by the gateway itself", at_key=True)
    for index, name in enumerate(rules.remove):
        if name.lower() in written_by_gateway:
            context.report((*loc, "remove", index), f"`{name}` is written by the gateway itself")


def _workers(context: CheckContext) -> None:
    workers = context.config.server.workers
    if workers is not None and workers > 1 and context.raw("redis") is None:
        text = f"{workers} workers would count by themselves, each up to the whole limit"
        context.report(("server", "workers"), text, "add `redis`, where they count together, or write `auto` or `1`")
