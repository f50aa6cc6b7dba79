"""Whether the caller may, now: one decision for all of its windows."""

from gateway.kernel.bucket import Decision, WindowState
from gateway.kernel.faults import RATE_LIMITED, Detail, GatewayError
from gateway.kernel.quota_fields import retry_after_s

_WHOSE = {"key": "Your limit", "organization": "Your organisation's limit", "route": "The limit of all callers of this route"}
_UNITS = ((86400, "days"), (3600, "hours"), (60, "minutes"))
_NAMED = {1.0: "second", 60.0: "minute", 3600.0: "hour", 86400.0: "day"}


def refuse_spent(decision: Decision, cost: int) -> None:
    """Raises GatewayError RATE_LIMITED when `decision` says no to a call of `cost`: which limits, and when it fits.

    The limit that is waited for the longest comes first.
    """
    if decision.allowed:
        return
    spent = sorted([state for state in decision.states if state.retry_s > 0], key=lambda state: -state.retry_s)
    raise GatewayError(RATE_LIMITED, details=tuple(_taught(state, cost) for state in spent), retry_after_s=retry_after_s(decision.states))


def _taught(state: WindowState, cost: int) -> Detail:
    window = state.window
    promise = f"{window.max} per {_span(window.per_us)} ({window.id})"
    return Detail(
        f"{_WHOSE[window.owner]} of {promise} has no room for this call: {state.used} of {window.burst} at once are used, "
        f"this call costs {cost}, and it fits in {_wait(state.retry_s)}."
    )


def _wait(seconds: float) -> str:
    """Rounded up, so that nobody comes too early: 0.3 seconds, 2.5 minutes, 3.5 hours."""
    unit_s, name = next((unit for unit in _UNITS if seconds > 2 * unit[0]), (1, "seconds"))
    tenths = -(-round(seconds * 1e6) // (unit_s * 100_000))
    return f"{tenths / 10:.10g} {name}"


def _span(per_us: int) -> str:
    seconds = per_us / 1_000_000
    return _NAMED.get(seconds) or f"{seconds:g} seconds"
