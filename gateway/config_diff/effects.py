"""The effect of a change on callers: a caller may do less, a caller may do more, or neither.

breaking    a call that succeeded may be refused now, or its reply has another form
widening    somebody may do what was refused before, which matters for security
other       everything else
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Literal, TypeAlias

from gateway.config_diff.route_takeover import covers, shape_of
from gateway.kernel.limits.token_bucket import Window, most
from gateway.kernel.units import parse_duration, parse_size
from gateway.settings.schema.upstreams import Timeouts

Effect: TypeAlias = Literal["breaking", "widening", "other"]
Judge: TypeAlias = Callable[[Any, Any], Effect]
"""Judges an aspect by its old and its new value. None stands for a missing aspect."""

_SPANS_US = (1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000, 2_592_000_000_000)


def effect_of(kind: str, name: str, aspect: str, before: Any, after: Any) -> Effect:
    """Return the effect of a changed aspect."""
    path = f"{name if kind == 'section' else kind}.{aspect}"
    judge = _JUDGES.get(path) or _JUDGES.get(f"{path.rpartition('.')[0]}.*")
    return "other" if judge is None else judge(before, after)


def effect_of_adding(kind: str) -> Effect:
    """Return the effect of adding an item of this kind."""
    return "widening" if kind in _USED_BY_CALLERS else "breaking" if kind == "quota" else "other"


def effect_of_removing(kind: str) -> Effect:
    """Return the effect of removing an item of this kind."""
    return "breaking" if kind in _USED_BY_CALLERS else "widening" if kind == "quota" else "other"


def effect_on_allowance(before: Iterable[dict[str, Any]], after: Iterable[dict[str, Any]]) -> Effect:
    """Return the effect of changed limits, given their aspects.

    Compares how many calls a greedy caller gets through all of them in each time span that matters.
    """
    old, new = _windows(before), _windows(after)
    spans = {*_SPANS_US, *(window.per_us for window in (*old, *new))}
    pairs = [(most(old, 1, span), most(new, 1, span)) for span in spans]
    if any(new_rate is not None and (old_rate is None or new_rate < old_rate) for old_rate, new_rate in pairs):
        return "breaking"
    return "widening" if any(old_rate != new_rate for old_rate, new_rate in pairs) else "other"


def _windows(limits: Iterable[dict[str, Any]]) -> list[Window]:
    return [
        Window("", limit["max"], round(parse_duration(limit["per"]) * 1_000_000), None, guarantee=limit["guarantee"])
        for limit in limits
        if not limit["shadow"]
    ]


def _always(effect: Effect) -> Judge:
    return lambda _before, _after: effect


def _towards(effects: dict[Any, Effect], otherwise: Effect = "other") -> Judge:
    """Judge by the new value alone."""
    return lambda _before, after: effects.get(after, otherwise)


def _amount(value: Any) -> float:
    if not isinstance(value, str):
        return float(value)
    try:
        return parse_duration(value)
    except ValueError:
        return float(parse_size(value))


def _less_breaks(before: Any, after: Any) -> Effect:
    return "breaking" if _amount(after) < _amount(before) else "widening"


def _idle(before: str | None, after: str | None) -> Effect:
    """Return the effect of another idle time.

    None means the defaults, which differ for events. A shorter one is breaking.
    """
    old, new = (Timeouts.model_validate({"idle": each}) for each in (before, after))
    return "breaking" if new.idle_s < old.idle_s or new.events_idle_s < old.events_idle_s else "widening"


def _lower_breaks(before: int | None, after: int | None) -> Effect:
    """Return the effect of a change where a lower value is breaking. None means no limit."""
    return "breaking" if after is not None and (before is None or after < before) else "widening"


def _later_breaks(before: str | None, after: str | None) -> Effect:
    """Judge the time after which a unit is forgotten. None means one day."""
    old, new = (parse_duration(each or "24h") for each in (before, after))
    return "breaking" if new > old else "widening" if new < old else "other"


def _dearer_breaks(before: Any, after: Any) -> Effect:
    return "breaking" if (1 if after is None else after) > (1 if before is None else before) else "widening"


def _loss_breaks(before: list[Any] | None, after: list[Any] | None) -> Effect:
    lost = [each for each in before or () if each not in (after or ())]
    return "breaking" if lost else "widening" if len(after or ()) > len(before or ()) else "other"


def _organizations(before: list[str] | None, after: list[str] | None) -> Effect:
    """Return the effect of a change of organisations. The first one is the default of the key."""
    first_before, first_after = (next(iter(each or ()), None) for each in (before, after))
    return "breaking" if first_before != first_after else _loss_breaks(before, after)


def _loss_of_it_breaks(before: str | None, _after: str | None) -> Effect:
    """Judge an optional value that was added, changed or removed."""
    return "widening" if before is None else "breaking"


def _loss_of_service(before: str | None, after: str | None) -> Effect:
    """Judge a text that stands only where nothing is served."""
    return "breaking" if before is None else "widening" if after is None else "other"


def _described(before: str | None, after: str | None) -> Effect:
    """Judges what a request is checked against. Whether it is checked at all is judged by the mode."""
    return "other" if before is None or after is None else "breaking"


def _unknown(before: str | None, after: str | None) -> Effect:
    """Judges what becomes of fields that are not described. None means that nothing is checked."""
    if after == "refuse":
        return "breaking"
    return "widening" if before == "refuse" else "other"


def _checked_size(before: str | None, after: str | None) -> Effect:
    """None means that nothing is checked."""
    return "other" if before is None or after is None else _less_breaks(before, after)


def _limited_methods(before: list[str] | None, after: list[str] | None) -> Effect:
    """Return the effect of a change of the methods of a limit. None means all methods."""
    if after is None or (before is not None and set(after) - set(before)):
        return "breaking"
    return "other" if before is not None and set(before) == set(after) else "widening"


def _scope(before: str, after: str) -> Effect:
    """Return the effect of a change of scope. The more callers share a bucket, the less each of them has."""
    order = ("key", "organization", "route")
    return "breaking" if order.index(after) > order.index(before) else "widening"


def _expiry(before: str | None, after: str | None) -> Effect:
    if after is None:
        return "widening"
    sooner = before is None or datetime.fromisoformat(after) < datetime.fromisoformat(before)
    return "breaking" if sooner else "widening"


def _on_failure(before: str | None, after: str | None) -> Effect:
    return "breaking" if after == "deny" else "widening" if before == "deny" else "other"


def _path(before: str, after: str) -> Effect:
    """Return the effect of another path. Renamed parameters change nothing, and a prefix may cover more than before."""
    if shape_of(before) == shape_of(after):
        return "other"
    return "widening" if covers(after, before) else "breaking"


def _gain_breaks(before: list[str] | None, after: list[str] | None) -> Effect:
    """Judges a list of what is refused."""
    return _loss_breaks(after, before)


def _condition(_before: str | None, after: str | None) -> Effect:
    """Return the effect of another condition. A route without one is for all requests."""
    return "widening" if after is None else "breaking"


def _fewer_breaks(before: list[str] | None, after: list[str] | None) -> Effect:
    """Return the effect of a change where fewer values are breaking. None means all values."""
    if None in (before, after):
        return "widening" if after is None else "breaking"
    return _loss_breaks(before, after)


_BREAKING, _SWITCHED_OFF = _always("breaking"), _towards({True: "breaking", False: "widening"})
_USED_BY_CALLERS = frozenset({"route", "key", "store", "listener"})
_JUDGES: dict[str, Judge] = {
    "route.path": _path,
    "route.match.methods": _loss_breaks,
    "route.auth": _towards({"key": "breaking", "none": "widening"}),
    "route.cost.*": _dearer_breaks,
    "route.error_family": _BREAKING,
    "route.envelope.mode": _BREAKING,
    "route.envelope.binary": _towards({"refuse": "breaking", "passthrough": "widening"}),
    "route.maintenance.message": _loss_of_service,
    "defaults.maintenance.message": _loss_of_service,
    "route.cache.cost": _dearer_breaks,
    "route.cache.share": _towards({"public": "widening"}),
    "route.request.mode": _towards({"enforce": "breaking", "shadow": "widening", None: "widening"}),
    "route.request.max_body": _checked_size,
    "route.request.unknown_fields": _unknown,
    "route.request.unknown_query": _unknown,
    "route.request.*": _described,
    "route.timeouts.idle": _idle,
    "route.timeouts.*": _less_breaks,
    "route.cors.origins": _loss_breaks,
    "route.cors.methods": _fewer_breaks,
    "route.cors.headers": _loss_breaks,
    "route.cors.expose": _loss_breaks,
    "route.cors.credentials": _towards({True: "widening", False: "breaking"}),
    "route.upgrade": _loss_breaks,
    "route.allow": _fewer_breaks,
    "route.deny": _gain_breaks,
    "key.allow": _fewer_breaks,
    "key.deny": _gain_breaks,
    "key.referrers": _fewer_breaks,
    "route.match.host": _condition,
    "route.match.listener": _condition,
    "route.match.headers.*": _BREAKING,
    "limit.scope": _scope,
    "limit.methods": _limited_methods,
    "limit.on_failure": _on_failure,
    "quota.code": _BREAKING,
    "quota.kind": _BREAKING,
    "quota.per": lambda before, after: "other" if (before or "month") == (after or "month") else "breaking",
    "quota.max": _less_breaks,
    "quota.scope": _scope,
    "quota.charge": _BREAKING,
    "quota.release": _BREAKING,
    "quota.amount.*": _BREAKING,
    "quota.expires": _later_breaks,
    "plan.concurrency.*": _lower_breaks,
    "organization.concurrency": _lower_breaks,
    "key.secret_sha256": _towards({}, "breaking"),
    "key.certificate_subject": _loss_of_it_breaks,
    "key.organizations": _organizations,
    "key.expires": _expiry,
    "key.disabled": _SWITCHED_OFF,
    "organization.disabled": _SWITCHED_OFF,
    "upstream.tls.verify": _towards({False: "widening"}),
    "listener.address": _BREAKING,
    "listener.trusted_proxies": _loss_breaks,
    "listener.proxy_protocol": _BREAKING,
    "listener.redirect": _towards({None: "widening"}, "breaking"),
    "listener.limits.*": _less_breaks,
    "listener.tls.certificates": lambda before, after: "breaking" if None in (before, after) else "other",
    "listener.tls.min_version": _towards({"1.2": "widening", "1.3": "breaking"}),
    "listener.tls.client_ca": _towards({None: "widening"}, "breaking"),
    "listener.tls.client_auth": _towards({"optional": "widening", "required": "breaking"}),
    "error.status": _BREAKING,
    "error.code": _BREAKING,
    "redis.on_failure": _on_failure,
    "auth.key.*": _BREAKING,
    "server.limits_path": _loss_of_it_breaks,
    "server.openapi_path": _loss_of_it_breaks,
    "server.self_service_path": _loss_of_it_breaks,
    "server.docs_path": _loss_of_it_breaks,
    "server.paths.empty_segments": _towards({"refuse": "breaking", "merge": "widening"}),
    "auth.organization_header": _BREAKING,
    "observability.request_id.header": _BREAKING,
}
"""Judges by kind (for a section: its name) and aspect. `*` matches any last part. Anything else is `other`."""
