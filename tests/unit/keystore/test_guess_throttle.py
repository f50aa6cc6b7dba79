"""keystore/guess_throttle.py: unknown keys are counted and bounded for each client address."""

import pytest

from gateway.kernel.faults import RATE_LIMITED, GatewayError
from gateway.keystore.guess_throttle import WINDOW, GuessThrottle
from tests.clocks import ManualClock


def spent(address: str, clock: ManualClock) -> GuessThrottle:
    attempts = GuessThrottle(clock.clock)
    for _ in range(WINDOW.burst):
        attempts.check(address)
        attempts.count(address)
    return attempts


def test_an_address_waits_until_the_next_is_due() -> None:
    clock = ManualClock()
    attempts = spent("192.0.2.1", clock)
    with pytest.raises(GatewayError) as caught:
        attempts.check("192.0.2.1")
    assert (caught.value.fault, caught.value.retry_after_s) == (RATE_LIMITED, 1)
    attempts.check("192.0.2.2")
    clock.advance(WINDOW.emission_us / 1e6)
    attempts.check("192.0.2.1")


def test_asking_costs_nothing() -> None:
    attempts = GuessThrottle(ManualClock().clock)
    for _ in range(2 * WINDOW.burst):
        attempts.check("192.0.2.1")


def test_a_network_of_version_6_is_one_guesser() -> None:
    attempts = spent("2001:db8::1", ManualClock())
    with pytest.raises(GatewayError):
        attempts.check("2001:db8::2")
    attempts.check("2001:db8:0:1::1")
