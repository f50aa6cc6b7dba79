"""keystore/guess_throttle.py: unknown keys are counted and bounded for each client address."""

from gateway.kernel.faults import RATE_LIMITED
from gateway.keystore.guess_throttle import WINDOW, GuessThrottle
from tests.clocks import ManualClock
from tests.refusals import refusal


def spent(address: str, clock: ManualClock) -> GuessThrottle:
    attempts = GuessThrottle(clock.clock)
    for _ in range(WINDOW.burst):
        assert attempts.refusal(address) is None
        attempts.count(address)
    return attempts


def test_an_address_waits_until_the_next_is_due() -> None:
    clock = ManualClock()
    attempts = spent("192.0.2.1", clock)
    caught = refusal(attempts.refusal("192.0.2.1"))
    assert (caught.fault, caught.retry_after_s) == (RATE_LIMITED, 1)
    assert attempts.refusal("192.0.2.2") is None
    clock.advance(WINDOW.emission_us / 1e6)
    assert attempts.refusal("192.0.2.1") is None


def test_asking_costs_nothing() -> None:
    attempts = GuessThrottle(ManualClock().clock)
    for _ in range(2 * WINDOW.burst):
        assert attempts.refusal("192.0.2.1") is None


def test_a_network_of_version_6_is_one_guesser() -> None:
    attempts = spent("2001:db8::1", ManualClock())
    refusal(attempts.refusal("2001:db8::2"))
    assert attempts.refusal("2001:db8:0:1::1") is None
