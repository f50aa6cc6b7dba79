"""Reports what became of a dry run: the route and its rivals, the caller, the costs, the checks, and the call."""

from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

import msgspec

from gateway.config_diff.inventory import MASK, is_secret
from gateway.dry_run import delivery
from gateway.dry_run.request import DryRequest
from gateway.dry_run.rivals import RivalRoute, rivals_of, shown_pattern, why_won
from gateway.dry_run.run import Compiled, DryResult, DryRun
from gateway.exchange import Exchange
from gateway.kernel.caching.storage import CacheRules
from gateway.kernel.faults import KEY_AMBIGUOUS
from gateway.kernel.key_format import without_keys
from gateway.kernel.limits.quota import charged
from gateway.limiter.interface import Decider
from gateway.table import Route
from gateway.upstream.call import Call
from gateway.upstream.http1.framing import request_head
from gateway.usage.quotas import Metered, metered
from gateway.usage.report import LimitUsage, limit_usage

CheckName: TypeAlias = Literal["request", "route", "key", "permission", "limits", "body"]
CheckResult: TypeAlias = Literal["passed", "failed", "not_asked", "not_reached"]
_ORDER: tuple[CheckName, ...] = ("request", "route", "key", "permission", "limits", "body")


class Check(msgspec.Struct, frozen=True):
    """One check of a request, in the order in which they are made."""

    name: CheckName
    result: CheckResult


class ReplyReport(msgspec.Struct, frozen=True):
    """What the client gets. When the call is `forwarded`, that is up to the service: `status` is None.

    `code`, `message` and `details` are those of the envelope, and `reason` is the name of the fault.
    """

    forwarded: bool
    status: int | None
    code: int | None = None
    reason: str | None = None
    message: str | None = None
    developer_message: str | None = None
    details: list[dict[str, Any]] = []
    fields: list[tuple[str, str]] = []


class ChosenRoute(msgspec.Struct, frozen=True):
    """The route that took the request, and why it was this one."""

    id: str
    pattern: str
    methods: tuple[str, ...]
    why: str


class CallerReport(msgspec.Struct, frozen=True):
    """Who the caller is. `key` is None where no key is asked for and the client's address is limited."""

    key: str | None
    organization: str | None
    plan: str
    address: str


class Charge(msgspec.Struct, frozen=True):
    """What the call costs. `limits` are as the reply reports them, after this call, and `quotas` as before it.

    `shadow` names the limits in shadow mode that it is also charged to. `store` is who decided.
    """

    cost: int
    store: str
    allowed: bool
    limits: list[LimitUsage]
    quotas: list[Metered]
    shadow: list[str]


class TargetHead(msgspec.Struct, frozen=True):
    """The head that one target gets, one character for each byte (Latin-1)."""

    target: str
    head: str


class CallReport(msgspec.Struct, frozen=True):
    """The call to the service. Time-outs are in seconds. `body_bytes` is None for a body in chunks.

    `most_tries` is how often it is tried at most when no target can be reached. Only an `idempotent` call is sent to
    another target after one has broken it off. `retry` and `hedge` are when it is sent again, None for nothing set.
    `split` are the upstreams that share the callers, none without a split. `cache` is how the route keeps replies, None
    if it keeps none. A call with the field `idempotency_field` reaches the service once. `reply_check` is None where
    no answers are checked.
    """

    upstream: str
    targets: list[TargetHead]
    body_bytes: int | None
    connect_timeout_s: float
    first_byte_timeout_s: float
    total_timeout_s: float
    idle_timeout_s: float
    idempotent: bool
    most_tries: int
    envelope: str
    retry: delivery.RetryReport | None = None
    hedge: delivery.HedgeReport | None = None
    split: list[delivery.SplitShare] = []
    cache: CacheRules | None = None
    idempotency_field: str | None = None
    reply_check: delivery.ReplyCheckReport | None = None


class Explanation(msgspec.Struct, frozen=True):
    """Everything about one request. Path and query are without keys."""

    method: str
    path: str
    query: str
    listener: str
    client: str
    outcome: ReplyReport
    checks: list[Check]
    route: ChosenRoute | None
    rivals: list[RivalRoute]
    caller: CallerReport | None
    charge: Charge | None
    call: CallReport | None


async def explain(dry_run: DryRun, request: DryRequest, *, reveal: bool = False) -> Explanation:
    """Take `request` through the stages, and report about it.

    Values of header fields that are probably secrets are masked, unless `reveal` is set. Raises what `DryRun.run`
    raises.
    """
    return await report(await dry_run.run(request), dry_run, reveal=reveal)


async def report(result: DryResult, dry_run: DryRun, *, reveal: bool = False) -> Explanation:
    """Report about `result`, as `explain` does."""
    x, table = result.x, result.table
    call = table.unsent.call if table.unsent is not None else None
    route = x.route
    return Explanation(
        method=x.method,
        path=without_keys(x.path),
        query=without_keys(x.query),
        listener=result.listener.id,
        client=x.client,
        outcome=_outcome(x, forwarded=call is not None),
        checks=list(_checks(x)),
        route=None
        if route is None
        else ChosenRoute(route.id, shown_pattern(route), route.methods, why_won(table, route, x.method, x.path)),
        rivals=[] if x.head_error is not None else rivals_of(table, route, x.method, x.path),
        caller=_caller(x),
        charge=await _charge(x, dry_run.limiter),
        call=None
        if call is None or route is None or route.upstream is None
        else _call(call, route, dry_run.compiled, reveal=reveal),
    )


def _outcome(x: Exchange, *, forwarded: bool) -> ReplyReport:
    reply = x.reply
    assert reply is not None
    if forwarded:
        return ReplyReport(forwarded=True, status=None)
    if reply.status < 400 or x.error is None:
        return ReplyReport(forwarded=False, status=reply.status, fields=reply.all_fields())
    data = msgspec.json.decode(reply.body)["data"]
    return ReplyReport(
        forwarded=False,
        status=reply.status,
        code=reply.code,
        reason=x.error.fault.name,
        message=data["message"],
        developer_message=data["developerMessage"],
        details=data.get("details", []),
        fields=reply.all_fields(),
    )


def _checks(x: Exchange) -> Iterator[Check]:
    failed = _failed(x)
    not_asked = set(_not_asked(x))
    reached = True
    for name in _ORDER:
        if name == failed:
            reached = False
            yield Check(name, "failed")
        elif not reached:
            yield Check(name, "not_reached")
        else:
            yield Check(name, "not_asked" if name in not_asked else "passed")


def _not_asked(x: Exchange) -> Iterator[CheckName]:
    if _is_anonymous(x):
        yield "key"
        yield "permission"
    if x.claim is not None and not x.claim.windows and not x.claim.postings:
        yield "limits"
    if x.body is None:
        yield "body"


def _failed(x: Exchange) -> CheckName | None:
    """Return the check that has refused the request, None if there is none."""
    if x.error is None:
        return None
    if x.head_error is not None:
        return "request"
    if x.error.fault.name == KEY_AMBIGUOUS.name:
        return "key"
    if x.route is None:
        return "route"
    if x.decision is None or x.peeked:
        return "key" if x.caller is None else "permission"
    return "body" if x.decision.allowed else "limits"


def _is_anonymous(x: Exchange) -> bool:
    """Return whether the client's address is the caller: on an open route, or for a preflight of a browser."""
    return x.caller is not None and (x.is_open or not x.shows_key)


def _caller(x: Exchange) -> CallerReport | None:
    caller = x.caller
    if caller is None:
        return None
    return CallerReport(None if _is_anonymous(x) else caller.id, caller.organization, caller.plan, x.client)


async def _charge(x: Exchange, limiter: Decider) -> Charge | None:
    claim, decision = x.claim, x.decision
    if claim is None or decision is None or x.peeked:
        return None
    states = await limiter.read(charged(claim.postings))
    return Charge(
        claim.cost,
        decision.store,
        decision.allowed,
        [limit_usage(state) for state in decision.states],
        [metered(state, ()) for state in states],
        [window.id for window in claim.windows[claim.enforced :]],
    )


def _call(call: Call, route: Route, compiled: Compiled, *, reveal: bool) -> CallReport:
    setting = next(each for each in compiled.config.routes if each.id == route.id)
    upstream = compiled.upstreams[delivery.upstream_of(setting, call.caller)]
    retry = delivery.retry_report(compiled.config, setting, upstream.id)
    length = len(call.body) if isinstance(call.body, bytes) else call.body.length
    heads = [
        TargetHead(str(target.endpoint), _shown(request_head(call, target.origin, length), reveal=reveal))
        for target in upstream.targets
    ]
    return CallReport(
        upstream=upstream.id,
        targets=heads,
        body_bytes=length,
        connect_timeout_s=call.connect_timeout_s,
        first_byte_timeout_s=call.first_byte_timeout_s,
        total_timeout_s=call.total_timeout_s,
        idle_timeout_s=call.idle_timeout_s,
        idempotent=call.idempotent,
        most_tries=upstream.most_tries if retry is None else retry.attempts,
        envelope=route.envelope.mode,
        retry=retry,
        hedge=delivery.hedge_report(compiled.config, upstream.id),
        split=delivery.split_shares(setting, call.caller),
        cache=None if route.caching is None else route.caching.rules,
        idempotency_field=None if route.idempotency is None else route.idempotency.header,
        reply_check=delivery.reply_check(setting),
    )


def _shown(head: bytes, *, reveal: bool) -> str:
    text = head.decode("latin-1")
    if reveal:
        return text
    first, *lines = text.split("\r\n")
    return "\r\n".join([first, *map(_masked, lines)])


def _masked(line: str) -> str:
    name, colon, value = line.partition(": ")
    return f"{name}{colon}{MASK}" if colon and is_secret(name, value) else line
