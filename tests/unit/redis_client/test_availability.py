"""redis_client/availability.py: when a server counts as away."""

from gateway.redis_client.availability import FAILURES_TO_AWAY, FIRST_DELAY_S, LONGEST_DELAY_S, Availability


def test_a_server_is_away_until_it_was_reached() -> None:
    availability = Availability()
    assert availability.is_away
    availability.reached()
    assert not availability.is_away


def test_it_is_away_after_the_third_failure_in_a_row() -> None:
    availability = Availability()
    availability.reached()
    for _ in range(FAILURES_TO_AWAY - 1):
        availability.failed("timeout")
    availability.reached()
    for _ in range(FAILURES_TO_AWAY - 1):
        availability.failed("timeout")
        assert not availability.is_away
    availability.failed("timeout")
    assert availability.is_away
    assert repr(availability) == "<Availability away, 3 failures in a row>"


def test_it_is_away_at_once_when_every_call_would_fail() -> None:
    availability = Availability()
    availability.reached()
    availability.failed("READONLY")
    assert availability.is_away
    availability.reached()
    availability.lost()
    assert availability.is_away


def test_probes_come_less_and_less_often_until_one_succeeds() -> None:
    availability = Availability(chance=lambda: 0.5)
    delays_s = [availability.delay_s() for _ in range(8)]
    assert delays_s[:3] == [FIRST_DELAY_S / 2, FIRST_DELAY_S, FIRST_DELAY_S * 2]
    assert delays_s[-1] == LONGEST_DELAY_S / 2
    availability.reached()
    assert availability.delay_s() == FIRST_DELAY_S / 2


def test_gateways_do_not_probe_in_step() -> None:
    one, two = Availability(chance=iter([0.1, 0.9]).__next__), Availability(chance=iter([0.8, 0.2]).__next__)
    assert {one.delay_s(), one.delay_s()}.isdisjoint({two.delay_s(), two.delay_s()})
