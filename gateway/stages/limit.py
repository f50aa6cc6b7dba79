"""Whether the caller may, now: one decision for all of its windows."""

from gateway.kernel.bucket import Decision
from gateway.kernel.faults import RATE_LIMITED, Detail, GatewayError
from gateway.kernel.quota_fields import retry_after_s


def refuse_spent(decision: Decision) -> None:
    """Raises GatewayError RATE_LIMITED when `decision` says no, with what to wait for."""
    if decision.allowed:
        return
    wait_s = retry_after_s(decision.states)
    spent = [state.window for state in decision.states if state.retry_s > 0]
    details = tuple(Detail(f"The limit of {window.max} per {_span(window.per_us)} ({window.id}) is spent.") for window in spent)
    raise GatewayError(RATE_LIMITED, details=details, retry_after_s=wait_s)


def _span(per_us: int) -> str:
    seconds = per_us / 1_000_000
    named = {1.0: "second", 60.0: "minute", 3600.0: "hour", 86400.0: "day"}
    return named.get(seconds) or f"{seconds:g} seconds"
