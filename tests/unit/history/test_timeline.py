"""history/timeline.py: slots, sums of spans that stay right, and bounds."""

from gateway.history.measures import OTHER, requests
from gateway.history.timeline import SECONDS, TENS, Timeline, point
from tests.unit.history.counted import calls, tables


def test_each_second_and_each_ten_seconds_have_a_slot() -> None:
    timeline = Timeline(1000.0)
    timeline.add(tables(3))
    timeline.advance(1001.2)
    timeline.add(tables(4))
    timeline.advance(1010.0)
    assert [(each.at, each.requests) for each in timeline.seconds][:3] == [(1000, 3), (1001, 4), (1002, 0)]
    assert [(each.at, each.requests) for each in timeline.tens] == [(1000, 7)]


def test_a_slot_knows_errors_and_percentiles() -> None:
    found = point(1000, calls(100, server_errors=2))
    assert (found.requests, found.server_errors, found.client_errors, found.limited) == (100, 2, 0, 0)
    assert found.p50_s is not None
    assert 0.005 < found.p50_s < 0.02
    assert point(1000, calls(0)).p50_s is None


def test_a_span_has_the_sums_of_its_slots_and_of_the_present_one() -> None:
    timeline = Timeline(1000.0)
    for ten in range(100):
        timeline.advance(1000.0 + 10 * ten)
        timeline.add(tables(1, key=calls(2)))
    assert requests(timeline.rows("1m", "route")["orders",]) == 7
    assert requests(timeline.rows("10m", "key")["acme",]) == 122
    assert requests(timeline.rows("1h", "route")["orders",]) == 100
    timeline.advance(1000.0 + 10 * 110)
    assert timeline.rows("1m", "route") == {}
    assert requests(timeline.rows("1h", "route")["orders",]) == 100


def test_what_is_older_than_an_hour_is_gone() -> None:
    timeline = Timeline(1000.0)
    timeline.add(tables(1))
    timeline.advance(1000.0 + 10 * (TENS + 1))
    assert timeline.rows("1h", "route") == {}
    assert (len(timeline.tens), len(timeline.seconds)) == (TENS, SECONDS)
    assert timeline.spark("route", ("orders",), 1000.0 + 10 * (TENS + 1)) == [0] * 60


def test_after_a_long_pause_only_the_slots_that_are_kept_are_added() -> None:
    timeline = Timeline(1000.0)
    timeline.advance(1e9)
    assert (len(timeline.tens), len(timeline.seconds)) == (TENS, SECONDS)
    assert timeline.tens[-1].at == 1e9 - 10


def test_a_clock_that_is_set_back_does_no_harm() -> None:
    timeline = Timeline(1000.0)
    timeline.add(tables(1))
    timeline.advance(400.0)
    timeline.advance(401.0)
    timeline.advance(399.5)
    assert [(each.at, each.requests) for each in timeline.seconds] == [(400, 1)]
    timeline.advance(411.0)
    assert [(each.at, each.requests) for each in timeline.tens] == [(390, 1), (400, 0)]
    assert requests(timeline.rows("1h", "route")["orders",]) == 1


def test_the_minutes_of_a_name_are_a_line() -> None:
    timeline = Timeline(1200.0)
    for ten in range(12):
        timeline.advance(1200.0 + 10 * ten)
        timeline.add(tables(ten))
    assert timeline.spark("route", ("orders",), 1319.0)[-3:] == [0, 15, 51]
    assert timeline.spark("route", ("unknown",), 1319.0) == [0] * 60


def test_a_slot_and_a_span_have_bounds() -> None:
    timeline = Timeline(1000.0)
    for ten in range(12):
        timeline.advance(1000.0 + 10 * ten)
        for number in range(200):
            timeline.add(tables(1, f"route-{ten}-{number}"))
    timeline.advance(1120.0)
    rows = timeline.rows("1h", "route")
    assert len(rows) <= 1001
    assert sum(map(requests, rows.values())) == 2400
    assert requests(rows[OTHER,]) == 2400 - (len(rows) - 1)
