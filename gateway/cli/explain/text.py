"""An explanation as text for people."""

from collections.abc import Iterator

from gateway.cli.tables import aligned
from gateway.dry_run.delivery import RetryReport
from gateway.dry_run.explanation import CallReport, Charge, Explanation, ReplyReport
from gateway.kernel.units import format_percent

_CHECKS = {"passed": "passed", "failed": "FAILED", "not_asked": "not asked", "not_reached": "not reached"}
_LIMITS = ("limit", "scope", "max", "per", "left after it", "of")
_QUOTAS = ("quota", "kind", "scope", "used before it", "max")


def text(found: Explanation) -> str:
    """Return the parts of `found`, each under its title."""
    return "\n".join(_lines(found))


def _lines(found: Explanation) -> Iterator[str]:
    query = f"?{found.query}" if found.query else ""
    yield f"{found.method} {found.path}{query} from {found.client} at listener {found.listener}"
    yield f"outcome: {_outcome(found)}"
    yield from _details(found.outcome)
    if found.route is None:
        yield "route: none"
    else:
        yield f"route: {found.route.id} ({found.route.pattern}): {found.route.why}"
    for rival in found.rivals:
        yield f"  not {rival.route} ({rival.pattern}): {rival.why}"
    yield f"caller: {_caller(found)}"
    yield "checks: " + ", ".join(f"{check.name} {_CHECKS[check.result]}" for check in found.checks)
    if found.charge is not None:
        yield from _charge(found.charge)
    if found.call is not None:
        yield from _call(found.call)


def _outcome(found: Explanation) -> str:
    outcome = found.outcome
    if found.call is not None:
        return f"goes to upstream {found.call.upstream}; the client gets its answer (envelope: {found.call.envelope})"
    if outcome.code is None:
        return f"{outcome.status}, answered by the gateway itself"
    return f"{outcome.status} with code {outcome.code} ({outcome.reason}): {outcome.developer_message}"


def _details(outcome: ReplyReport) -> Iterator[str]:
    for detail in outcome.details:
        field = f"{detail['field']}: " if detail.get("field") else ""
        yield f"  {field}{detail['text']}"


def _caller(found: Explanation) -> str:
    caller = found.caller
    if caller is None:
        return "not known"
    who = f"key {caller.key}" if caller.key is not None else f"anybody at {caller.address}"
    organization = f", organization {caller.organization}" if caller.organization else ""
    return f"{who}{organization}, plan {caller.plan}"


def _charge(charge: Charge) -> Iterator[str]:
    verdict = "" if charge.allowed else "; refused, so nothing is taken"
    yield f"cost: {charge.cost} of each limit (decided by {charge.store}){verdict}"
    if charge.limits:
        rows = [
            (each.id, each.scope, str(each.max), f"{each.per_seconds:g}s", str(each.remaining), str(each.burst))
            for each in charge.limits
        ]
        yield from _indented(aligned(_LIMITS, rows))
    if charge.quotas:
        quotas = [(each.id, each.kind, each.scope, str(each.used), str(each.max)) for each in charge.quotas]
        yield from _indented(aligned(_QUOTAS, quotas))
    if charge.shadow:
        yield f"  in shadow mode: {', '.join(charge.shadow)}"


def _retry(retry: RetryReport) -> str:
    per_try = "" if retry.per_try_s is None else f", each within {retry.per_try_s:g}s"
    whose = "the route" if retry.own_budget else "the upstream"
    return (
        f"retry: {', '.join(retry.methods)} after {', '.join(retry.on)}{per_try}, {retry.backoff_s:g}s later; "
        f"at most {retry.budget:.0%} of the calls of {whose}"
    )


def _call(call: CallReport) -> Iterator[str]:
    if call.split:
        shares = ", ".join(f"{each.upstream} {each.share:.0%}" for each in call.split)
        yield f"split: {shares}; the calls of this caller go to {call.upstream}"
    again = (
        "may be sent to another target" if call.idempotent else "is sent to another target only if none of it was sent"
    )
    yield (
        f"time-outs: connect {call.connect_timeout_s:g}s, first byte {call.first_byte_timeout_s:g}s, "
        f"total {call.total_timeout_s:g}s, silence in a stream {call.idle_timeout_s:g}s"
    )
    if call.most_tries > 1:
        yield f"tries: at most {call.most_tries}; a call that breaks off {again}"
    if call.retry is not None:
        yield _retry(call.retry)
    if call.hedge is not None:
        methods, budget = ", ".join(call.hedge.methods), f"at most {call.hedge.budget:.0%} of the calls"
        yield f"hedge: {methods} to a second target as well after {call.hedge.after}; {budget}"
    if call.cache is not None:
        lasts = "as long as the service says" if call.cache.ttl_s is None else f"for {call.cache.ttl_s:g}s"
        yield f"cache: a reply is kept {lasts}, shared by {call.cache.share}; it is looked for before anything is sent"
    if call.idempotency_field is not None:
        yield f"idempotency: a call with {call.idempotency_field} reaches the service once"
    if call.reply_check is not None:
        checked = f"{call.reply_check.operation} of {call.reply_check.openapi}"
        yield f"drift: {format_percent(call.reply_check.share)} of the answers are checked by {checked}, afterwards"
    for target in call.targets:
        size = "a body in chunks" if call.body_bytes is None else f"{call.body_bytes} bytes of body"
        yield f"sent to {target.target}, followed by {size}:"
        yield from _indented(target.head.removesuffix("\r\n").replace("\r\n", "\n").rstrip("\n"))


def _indented(lines: str) -> Iterator[str]:
    return (f"  {line}" for line in lines.split("\n"))
