"""accounting/counts.py: to which day and which row a call is counted, and how many rows there may be."""

from datetime import UTC, datetime

import pytest

from gateway.accounting.counts import MAX_CALLERS, OTHER, DayCounts, UsageCounts, UsageRow, row_for


class Wall:
    """A clock of the wall that a test sets."""

    def __init__(self, *moment: int) -> None:
        self.set(*moment)

    def set(self, *moment: int) -> None:
        self.now_s = datetime(*moment, tzinfo=UTC).timestamp()  # type: ignore[arg-type, misc]

    def __call__(self) -> float:
        return self.now_s


def test_calls_of_one_row_are_added_up() -> None:
    counts = UsageCounts(Wall(2026, 11, 30))
    for _ in range(3):
        counts.numbers("acme", "ci", "orders")[0] += 1
        counts.add_quota("acme", "ci", "orders", "encodings", 2)
    assert repr(counts) == "<UsageCounts 2 rows>"
    [day] = counts.take()
    assert day.rows == {("acme", "ci", "orders", ""): [3, 0, 0, 0], ("acme", "ci", "orders", "encodings"): [6]}
    assert (day.day, day.calls, day.callers) == ("2026-11-30", 3, {})
    assert counts.take() == []


@pytest.mark.parametrize(
    ("before", "after", "days"),
    [
        ((2026, 11, 29, 23, 59, 59, 999999), (2026, 11, 30), ["2026-11-29", "2026-11-30"]),
        ((2026, 11, 30, 23, 59, 59), (2026, 12, 1), ["2026-11-30", "2026-12-01"]),
        ((2026, 12, 31, 23, 59, 59), (2027, 1, 1), ["2026-12-31", "2027-01-01"]),
        ((2028, 2, 28, 23, 59, 59), (2028, 2, 29), ["2028-02-28", "2028-02-29"]),
        ((2026, 12, 1), (2026, 11, 30, 23, 59, 59), ["2026-12-01", "2026-11-30"]),
        ((2026, 11, 30), (2026, 11, 30, 23, 59, 59), ["2026-11-30"]),
    ],
)
def test_the_day_is_that_of_the_end_of_the_call_in_utc(
    before: tuple[int, ...], after: tuple[int, ...], days: list[str]
) -> None:
    wall = Wall(*before)
    counts = UsageCounts(wall)
    counts.numbers("", "", "")[0] += 1
    wall.set(*after)
    counts.numbers("", "", "")[0] += 1
    assert [day.day for day in counts.take()] == days
    counts.numbers("", "", "")[0] += 1
    assert [day.day for day in counts.take()] == [days[-1]]


def test_a_clock_that_goes_back_and_forth_counts_each_day_once() -> None:
    wall = Wall(2026, 12, 1)
    counts = UsageCounts(wall)
    for moment in ((2026, 11, 30), (2026, 12, 1), (2026, 11, 30)):
        wall.set(*moment)
        counts.numbers("", "", "")[0] += 1
    assert {day.day: day.calls for day in counts.take()} == {"2026-11-30": 2, "2026-12-01": 1}


def test_addresses_on_open_routes_are_kept_once_and_are_bounded() -> None:
    counts = UsageCounts(Wall(2026, 11, 30))
    counts.numbers("", "anonymous", "a")
    for route, address in (("a", "::1"), ("a", "::1"), ("b", "::1")):
        counts.add_caller(route, address)
    for number in range(MAX_CALLERS):
        counts.add_caller("b", f"::{number}")
    counts.add_caller("c", "::1")
    [day] = counts.take()
    assert (sorted(day.callers), day.callers["a"]) == (["a", "b"], {"::1"})
    assert sum(map(len, day.callers.values())) == MAX_CALLERS
    counts.numbers("", "anonymous", "c")
    counts.add_caller("c", "::1")
    assert counts.take()[0].callers == {"c": {"::1"}}


def test_rows_are_bounded_and_their_sum_stays_exact() -> None:
    counts = UsageCounts(Wall(2026, 11, 30), max_rows=10)
    for number in range(100):
        counts.numbers(f"org{number % 40}", f"key{number}", "orders")[0] += 1
        counts.add_quota(f"org{number % 40}", f"key{number}", "orders", "q", 1)
    [day] = counts.take()
    assert day.calls == 100
    assert sum(numbers[0] for row, numbers in day.rows.items() if row[3] == "q") == 100
    assert len(day.rows) <= 10 + 2


def test_what_has_no_room_loses_its_route_then_its_key_then_its_organisation() -> None:
    rows: dict[UsageRow, list[int]] = {
        ("o", "k", OTHER, ""): [0],
        ("o", OTHER, OTHER, ""): [0],
        ("o", "k", "r", ""): [0],
    }
    expected = {
        7: ("a", "b", "c", "q"),
        8: ("a", "b", OTHER, "q"),
        9: ("a", OTHER, OTHER, "q"),
        10: (OTHER, OTHER, OTHER, "q"),
    }
    assert {used: row_for(("a", "b", "c", "q"), rows, used, 10) for used in expected} == expected
    assert row_for(("o", "k", "r", ""), rows, 10, 10) == ("o", "k", "r", "")
    assert row_for(("o", "k", "s", ""), rows, 10, 10) == ("o", "k", OTHER, "")
    assert row_for(("o", "l", "s", ""), rows, 10, 10) == ("o", OTHER, OTHER, "")


def test_counts_of_nothing() -> None:
    assert (DayCounts.of("2026-11-30").calls, DayCounts.of("2026-11-30").rows) == (0, {})
