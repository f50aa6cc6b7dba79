"""kernel/limits/token_bucket.py: what a decision says of those that refuse the call."""

from gateway.kernel.faults import RATE_LIMITED
from gateway.kernel.limits.quota import Meter, MeterState
from gateway.kernel.limits.token_bucket import Decision, Window, WindowState

MINUTE = Window("minute", 300, 60_000_000, "Minute")
DAY = Window("day", 1000, 86_400_000_000, "Day")


def test_a_decision_names_the_limits_and_quotas_that_refuse_the_call() -> None:
    full, free = WindowState(MINUTE, 0, 60_000_000, 200_000), WindowState(DAY, 5, 1, 0)
    spent = (MeterState(Meter("m", "count", 5, "key", RATE_LIMITED), 5, None),)
    expected = [
        ((full,), (), ("minute",)),
        ((free, full), (), ("minute",)),
        ((full,), spent, ("minute", "m")),
        ((free,), spent, ("m",)),
        ((), spent, ("m",)),
    ]
    for states, quotas, names in expected:
        assert Decision(allowed=False, store="local", states=states, spent=quotas).refused_by == names
    assert Decision(allowed=True, store="local", states=(free,)).refused_by == ()
