"""What the parts of a configuration mean to one another: references, doubles, values that contradict each other."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from gateway.kernel.faults import CATALOGUE
from gateway.net.pem import load_chain
from gateway.settings.checks.context import CheckContext
from gateway.settings.checks.limits import check_limits
from gateway.settings.checks.listeners import check_authorities, check_file, check_listeners, check_pair
from gateway.settings.checks.open_routes import check_enclosures
from gateway.settings.checks.quotas import check_quotas
from gateway.settings.checks.route_conflicts import check_overlaps
from gateway.settings.positions import Items, Loc, Table
from gateway.settings.schema.access import BUILT_IN_PLANS, KeySettings
from gateway.settings.schema.config import LISTS
from gateway.settings.schema.redis_urls import AUTHORITIES, files_of
from gateway.settings.schema.routing import FRAMING, HeaderRules
from gateway.settings.schema.upstreams import UpstreamSettings
from gateway.settings.schema.values import did_you_mean

_BUILT_IN = frozenset(plan.id for plan in BUILT_IN_PLANS)


def check(draft: CheckContext) -> None:
    """Takes note of everything that is wrong with parts that are right by themselves."""
    for name in LISTS:
        _unique_ids(draft, name)
    _keys(draft)
    _key_store(draft)
    check_limits(draft)
    check_quotas(draft)
    _upstreams(draft)
    _routes(draft)
    check_overlaps(draft)
    check_enclosures(draft)
    _errors(draft)
    _headers(draft)
    _redis(draft)
    check_listeners(draft)
    _workers(draft)


def _unique_ids(draft: CheckContext, name: str) -> None:
    for identity, locs in draft.ids(name).items():
        for loc in locs[1:]:
            draft.refuse(loc, f"`{identity}` is the id of another one, in {draft.where(locs[0], loc)}")


def _refer(draft: CheckContext, loc: Loc, wanted: str, name: str, built_in: Iterable[str] = ()) -> None:
    known = draft.ids(name)
    if wanted not in known and wanted not in built_in and draft.knows_all(name):
        hint = did_you_mean(wanted, [*known, *built_in]) or f"declare it under `{name}`"
        draft.refuse(loc, f"there is no {name.removesuffix('s')} `{wanted}`", hint)


def _keys(draft: CheckContext) -> None:
    proofs: dict[str, Loc] = {}
    routes = draft.ids("routes")
    useless: dict[str, bool] = {}
    written = draft.raw("keys")
    for index, entry in enumerate(written if isinstance(written, Items) else ()):
        if isinstance(entry, Table) and not {"secret_sha256", "certificate_subject"} & entry.keys():
            draft.refuse(("keys", index, "secret_sha256"), "missing", "`gateway keys create` prints one")
    for loc, key in draft.entries("keys", draft.config.keys):
        _proofs(draft, loc, key, proofs)
        if "plan" in key.model_fields_set:
            _refer(draft, (*loc, "plan"), key.plan, "plans", _BUILT_IN)
        for index, organization in enumerate(key.organizations):
            _refer(draft, (*loc, "organizations", index), organization, "organizations")
            if organization in key.organizations[:index]:
                draft.refuse((*loc, "organizations", index), f"`{organization}` stands here twice")
        for index, pattern in enumerate(key.routes or ()):
            if pattern not in useless:
                useless[pattern] = draft.knows_all("routes") and not any(fnmatchcase(route, pattern) for route in routes)
            if useless[pattern]:
                draft.refuse((*loc, "routes", index), f"`{pattern}` matches no route", did_you_mean(pattern, routes))


def _proofs(draft: CheckContext, loc: Loc, key: KeySettings, seen: dict[str, Loc]) -> None:
    """By what a caller shows that it is this one: nobody else may have the same."""
    for name, what in (("secret_sha256", "secret"), ("certificate_subject", "certificate")):
        proof = getattr(key, name)
        first = seen.setdefault(proof, (*loc, name)) if proof is not None else loc
        if first[1] != loc[1]:
            draft.refuse((*loc, name), f"another key has the same {what}, in {draft.where(first, loc)}")
    if key.certificate_subject is not None and not any(each.tls and each.tls.client_ca for each in draft.config.server.listeners):
        draft.refuse((*loc, "certificate_subject"), "no listener asks clients for certificates", "set `tls.client_ca` of one")


def _key_store(draft: CheckContext) -> None:
    if draft.config.key_store is not None and draft.raw("redis") is None:
        draft.refuse(("keys", "store"), "there is no Redis to keep keys in", "add `redis: {url: …}`")


def _upstreams(draft: CheckContext) -> None:
    for loc, upstream in draft.entries("upstreams", draft.config.upstreams):
        urls = [target.url for target in upstream.targets]
        for index, url in enumerate(urls):
            if url in urls[:index]:
                draft.refuse((*loc, "targets", index, "url"), f"`{url}` stands here twice", "give it more `weight`")
        if upstream.tls.model_fields_set:
            _tls(draft, loc, upstream)


def _tls(draft: CheckContext, loc: Loc, upstream: UpstreamSettings) -> None:
    if not any(target.url.scheme == "https" for target in upstream.targets):
        draft.refuse((*loc, "tls"), "of no use: no target's URL begins with `https://`", at_key=True)
    check_authorities(draft, (*loc, "tls", "ca"), upstream.tls.ca)
    check_pair(draft, (*loc, "tls"), upstream.tls.certificate, upstream.tls.private_key, load_chain)


def _routes(draft: CheckContext) -> None:
    if draft.raw("routes") in (None, []):
        draft.refuse((), "there are no routes, so nothing can be served", "declare one under `routes`")
    for loc, route in draft.entries("routes", draft.config.routes):
        _refer(draft, (*loc, "upstream"), route.upstream, "upstreams")
        if route.plan is not None:
            _refer(draft, (*loc, "plan"), route.plan, "plans", _BUILT_IN)
        for index, method in enumerate(route.match.methods):
            if method in route.match.methods[:index]:
                draft.refuse((*loc, "match", "methods", index), f"`{method}` stands here twice")
        stripped = route.rewrite.strip_prefix
        way = route.match.path or route.match.prefix or "/"
        if stripped not in (None, "/", way) and not way.startswith(f"{stripped}/"):
            draft.refuse((*loc, "rewrite", "strip_prefix"), f"`{stripped}` is not how `{way}` begins")


def _errors(draft: CheckContext) -> None:
    written = draft.raw("errors")
    for name in written if isinstance(written, Table) else ():
        if name not in CATALOGUE:
            hint = did_you_mean(name, CATALOGUE) or "`gateway errors` lists them"
            draft.refuse(("errors", name), "there is no fault of this name", hint, at_key=True)


def _headers(draft: CheckContext) -> None:
    """The header fields that the gateway reads and writes are different ones, and rules leave those alone that say who calls."""
    auth, request_id = draft.config.auth, draft.config.observability.request_id.header
    own: list[tuple[Loc, str]] = [
        (("auth", "key", "header"), auth.key.header),
        (("auth", "organization_header"), auth.organization_header),
        (("auth", "caller_headers", "id"), auth.caller_headers.id),
        (("auth", "caller_headers", "organization"), auth.caller_headers.organization),
        (("auth", "caller_headers", "plan"), auth.caller_headers.plan),
        (("auth", "caller_headers", "certificate_subject"), auth.caller_headers.certificate_subject),
        (("observability", "request_id", "header"), request_id),
    ]
    seen: dict[str, Loc] = {}
    for loc, name in own:
        if name.lower() in seen:
            # One of the two may be a default, which stands nowhere.
            at = loc if draft.raw(*loc) is not None else seen[name.lower()]
            draft.refuse(at, f"`{name}` has another meaning already")
        elif name.lower() in _MEANT_OTHERWISE:
            draft.refuse(loc, f"`{name}` has a meaning of its own in HTTP")
        seen[name.lower()] = loc
    told = {request_id.lower(), auth.organization_header.lower(), *(name.lower() for name in auth.caller_headers.model_dump().values())}
    _rules(draft, ("defaults", "headers", "request"), draft.config.defaults.headers.request, told)
    _rules(draft, ("defaults", "headers", "response"), draft.config.defaults.headers.response, {request_id.lower()})
    for loc, route in draft.entries("routes", draft.config.routes):
        _rules(draft, (*loc, "headers", "request"), route.headers.request, told)
        _rules(draft, (*loc, "headers", "response"), route.headers.response, {request_id.lower()})


def _redis(draft: CheckContext) -> None:
    redis = draft.config.redis
    for name, path in files_of(redis.url.get_secret_value()) if redis is not None else ():
        (check_authorities if name == AUTHORITIES else check_file)(draft, ("redis", "url"), path)


_MEANT_OTHERWISE = frozenset(
    {
        *("accept", "accept-encoding", "authorization", "content-encoding", "content-type", "cookie", "date", "expect", "host", "location"),
        *("retry-after", "server", "set-cookie", "via", "x-forwarded-for", *FRAMING),
    }
)


def _rules(draft: CheckContext, loc: Loc, rules: HeaderRules, told: set[str]) -> None:
    for name in rules.set:
        if name.lower() in told:
            draft.refuse((*loc, "set", name), f"`{name}` is written by the gateway itself", at_key=True)
    for index, name in enumerate(rules.remove):
        if name.lower() in told:
            draft.refuse((*loc, "remove", index), f"`{name}` is written by the gateway itself")


def _workers(draft: CheckContext) -> None:
    workers = draft.config.server.workers
    if workers is not None and workers > 1 and draft.raw("redis") is None:
        text = f"{workers} workers would count by themselves, each up to the whole limit"
        draft.refuse(("server", "workers"), text, "add `redis`, where they count together, or write `auto` or `1`")
