"""redis_client/availability.py: when a store counts as away."""

from gateway.redis_client.availability import FAILURES_TO_OPEN, FIRST_DELAY_S, LONGEST_DELAY_S, Availability


def test_a_store_is_away_until_it_was_reached() -> None:
    breaker = Availability()
    assert breaker.is_open
    breaker.close()
    assert not breaker.is_open


def test_it_opens_at_the_third_failure_in_a_row() -> None:
    breaker = Availability()
    breaker.close()
    for _ in range(FAILURES_TO_OPEN - 1):
        breaker.failed()
    breaker.close()
    for _ in range(FAILURES_TO_OPEN - 1):
        breaker.failed()
        assert not breaker.is_open
    breaker.failed()
    assert breaker.is_open
    assert repr(breaker) == "<Availability open, 3 failures in a row>"


def test_it_opens_at_once_for_what_holds_for_everyone() -> None:
    breaker = Availability()
    breaker.close()
    breaker.open()
    assert breaker.is_open


def test_probes_come_less_and_less_often_until_one_succeeds() -> None:
    breaker = Availability(chance=lambda: 0.5)
    delays_s = [breaker.delay_s() for _ in range(8)]
    assert delays_s[:3] == [FIRST_DELAY_S / 2, FIRST_DELAY_S, FIRST_DELAY_S * 2]
    assert delays_s[-1] == LONGEST_DELAY_S / 2
    breaker.close()
    assert breaker.delay_s() == FIRST_DELAY_S / 2


def test_gateways_do_not_probe_in_step() -> None:
    one, two = Availability(chance=iter([0.1, 0.9]).__next__), Availability(chance=iter([0.8, 0.2]).__next__)
    assert {one.delay_s(), one.delay_s()}.isdisjoint({two.delay_s(), two.delay_s()})
