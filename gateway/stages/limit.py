"""Whether the caller may, now: one decision for all of its windows and quotas."""

from math import ceil

from gateway.kernel.faults import RATE_LIMITED, Detail, GatewayError
from gateway.kernel.limits.quota import MeterState
from gateway.kernel.limits.ratelimit_headers import retry_after_s
from gateway.kernel.limits.token_bucket import Decision, WindowState

_NEVER_S = 86_400
"""When to come back to a quota that does not open by itself: somebody may have raised it by then."""
_ANY_TIME_S = 60
"""The same for one that opens when something is released, at any time."""
_AT_ONCE_S = 1
"""The same for concurrency: calls are short."""

_WHOSE = {"key": "Your limit", "organization": "Your organisation's limit", "route": "The limit of all callers of this route"}
_UNITS = ((86400, "days"), (3600, "hours"), (60, "minutes"))
_NAMED = {1.0: "second", 60.0: "minute", 3600.0: "hour", 86400.0: "day"}


def refuse_spent(decision: Decision, cost: int) -> None:
    """Raises GatewayError when `decision` says no to a call of `cost`: which limits, and when it fits.

    It is RATE_LIMITED, where the limit that is waited for the longest comes first, unless quotas refuse: then it is the fault
    of the first of them.
    """
    if decision.allowed:
        return
    if decision.spent:
        first = decision.spent[0].meter.fault
        wait_s = max(_retry_s(state) for state in decision.spent)
        raise GatewayError(
            first,
            row=first,
            details=tuple([_told(state) for state in decision.spent]),
            retry_after_s=max(wait_s, retry_after_s(decision.states)),
            cause=", ".join([state.meter.id for state in decision.spent]),
        )
    spent = sorted([state for state in decision.states if state.retry_s > 0], key=lambda state: -state.retry_s)
    raise GatewayError(RATE_LIMITED, details=tuple(_taught(state, cost) for state in spent), retry_after_s=retry_after_s(decision.states))


def _taught(state: WindowState, cost: int) -> Detail:
    window = state.window
    promise = f"{window.max} per {_span(window.per_us)} ({window.id})"
    return Detail(
        f"{_WHOSE[window.owner]} of {promise} has no room for this call: {state.used} of {window.burst} at once are used, "
        f"this call costs {cost}, and it fits in {_wait(state.retry_s)}."
    )


def _retry_s(state: MeterState) -> int:
    kind, opens_s = state.meter.kind, state.opens_s
    if opens_s is None:
        return _NEVER_S
    if kind == "concurrency":
        return _AT_ONCE_S
    return max(1, ceil(opens_s) if kind != "level" else min(ceil(opens_s), _ANY_TIME_S))


def _told(state: MeterState) -> Detail:
    meter = state.meter
    whose = "Your organisation's" if meter.owner == "organization" else "Your"
    if meter.kind == "concurrency":
        return Detail(
            f"{whose} limit of {meter.max} requests at once ({meter.id}) has no room for this call: {state.used} are in flight, "
            "and it fits when one of them has ended."
        )
    span = "" if not meter.tallied else " this month" if meter.monthly else " in all"
    return Detail(f"{whose} quota {meter.id} is spent: {state.used} of {meter.max} are used{span}, and {_opening(state)}.")


def _opening(state: MeterState) -> str:
    if state.opens_s is None:
        return "it does not open again by itself"
    if state.meter.kind == "level":
        return f"it opens when one of them is released, in {_wait(state.opens_s)} at the latest"
    return f"it opens again in {_wait(state.opens_s)}, when the month is over (UTC)"


def _wait(seconds: float) -> str:
    """Rounded up, so that nobody comes too early: 0.3 seconds, 2.5 minutes, 3.5 hours."""
    unit_s, name = next((unit for unit in _UNITS if seconds > 2 * unit[0]), (1, "seconds"))
    tenths = -(-round(seconds * 1e6) // (unit_s * 100_000))
    return f"{tenths / 10:.10g} {name}"


def _span(per_us: int) -> str:
    seconds = per_us / 1_000_000
    return _NAMED.get(seconds) or f"{seconds:g} seconds"
