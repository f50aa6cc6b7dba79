"""Refuses calls that exceed a rate limit or a quota, and says which limits refused them and when the call fits."""

from collections.abc import Sequence
from math import ceil

from gateway.kernel.faults import RATE_LIMITED, Detail, GatewayError
from gateway.kernel.limits.quota import MeterState
from gateway.kernel.limits.ratelimit_headers import retry_after_s
from gateway.kernel.limits.token_bucket import Decision, Window, WindowState
from gateway.kernel.memo import Memo

_BLOCKED_RETRY_S = 86_400
"""Retry-After in seconds for a quota that does not open by itself. An operator may have raised it by then."""
_RELEASE_RETRY_S = 60
"""Retry-After in seconds, at most, for a quota that opens as soon as a unit is released."""
_CONCURRENCY_RETRY_S = 1
"""Retry-After in seconds for a limit of concurrency. Calls are short."""

_LIMIT_NAMES = {
    "key": "Your limit",
    "organization": "Your organisation's limit",
    "route": "The limit of all callers of this route",
}
_TENTH_US = 100_000
"""A tenth of a second."""
_UNITS = ((86400, "days"), (3600, "hours"), (60, "minutes"))
_SPAN_NAMES = {1.0: "second", 60.0: "minute", 3600.0: "hour", 86400.0: "day"}


_alike: Memo[tuple[Window, int, int, int], GatewayError] = Memo(1024)
"""Refusals by a single window, by all that their texts depend on: window, used tokens, cost, and tenths of a second to
wait. Who goes on all the same is refused in the same words for a while.
"""


def limit_error(decision: Decision, cost: int) -> GatewayError:
    """Return the refusal of a call of `cost` tokens, for a `decision` that does not allow it.

    The fault is that of the first quota that refuses, or else RATE_LIMITED. The details name each limit that refuses,
    the one with the longest wait first, and when the call fits. One error may stand for several refusals.
    """
    if decision.spent:
        return _quota_error(decision)
    if len(decision.states) == 1:  # nearly always
        state = decision.states[0]
        alike = state.window, state.used, cost, -(-state.retry_us // _TENTH_US)
        return _alike.get(alike) or _alike.keep(alike, _rate_error(decision.states, cost))
    return _rate_error(decision.states, cost)


def _rate_error(states: Sequence[WindowState], cost: int) -> GatewayError:
    spent = sorted([state for state in states if state.retry_us], key=lambda state: -state.retry_us)
    details = tuple([_window_detail(state, cost) for state in spent])
    return GatewayError(RATE_LIMITED, details=details, retry_after_s=retry_after_s(spent))


def _window_detail(state: WindowState, cost: int) -> Detail:
    window = state.window
    promise = f"{window.max} per {_span(window.per_us)} ({window.id})"
    return Detail(
        f"{_LIMIT_NAMES[window.owner]} of {promise} has no room for this call: {state.used} of {window.burst} at "
        "once are used, "
        f"this call costs {cost}, and it fits in {_wait(state.retry_s)}."
    )


def _quota_error(decision: Decision) -> GatewayError:
    first = decision.spent[0].meter.fault
    wait_s = max(_retry_s(state) for state in decision.spent)
    return GatewayError(
        first,
        row=first,
        details=tuple([_quota_detail(state) for state in decision.spent]),
        retry_after_s=max(wait_s, retry_after_s(decision.states)),
        cause=", ".join([state.meter.id for state in decision.spent]),
    )


def _retry_s(state: MeterState) -> int:
    kind, opens_s = state.meter.kind, state.opens_s
    if opens_s is None:
        return _BLOCKED_RETRY_S
    if kind == "concurrency":
        return _CONCURRENCY_RETRY_S
    return max(1, ceil(opens_s) if kind != "level" else min(ceil(opens_s), _RELEASE_RETRY_S))


def _quota_detail(state: MeterState) -> Detail:
    meter = state.meter
    owner = "Your organisation's" if meter.owner == "organization" else "Your"
    if meter.kind == "concurrency":
        return Detail(
            f"{owner} limit of {meter.max} requests at once ({meter.id}) has no room for this call: {state.used} "
            "are in flight, "
            "and it fits when one of them has ended."
        )
    span = "" if not meter.tallied else " this month" if meter.monthly else " in all"
    return Detail(
        f"{owner} quota {meter.id} is spent: {state.used} of {meter.max} are used{span}, and {_opening(state)}."
    )


def _opening(state: MeterState) -> str:
    if state.opens_s is None:
        return "it does not open again by itself"
    if state.meter.kind == "level":
        return f"it opens when one of them is released, in {_wait(state.opens_s)} at the latest"
    return f"it opens again in {_wait(state.opens_s)}, when the month is over (UTC)"


def _wait(seconds: float) -> str:
    """Return a duration as text, such as 0.3 seconds, 2.5 minutes or 3.5 hours.

    It is rounded up, so that no retry is too early.
    """
    unit_s, name = 1, "seconds"
    if seconds > 2 * _UNITS[-1][0]:
        unit_s, name = next(unit for unit in _UNITS if seconds > 2 * unit[0])
    tenths = -(-round(seconds * 1e6) // (unit_s * _TENTH_US))
    return f"{tenths / 10:.10g} {name}"


def _span(per_us: int) -> str:
    seconds = per_us / 1_000_000
    return _SPAN_NAMES.get(seconds) or f"{seconds:g} seconds"
