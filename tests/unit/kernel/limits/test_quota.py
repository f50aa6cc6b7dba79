"""kernel/limits/quota.py: months, what calls take and give back."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from gateway.kernel.faults import QUOTA_SPENT
from gateway.kernel.limits.quota import (
    Act,
    Meter,
    MeterKind,
    MeterState,
    MeterUpdate,
    Posting,
    Reservation,
    amounts_used,
    carried,
    charges,
    concurrency_releases,
    end_of,
    month_of,
    refunds,
    reports,
    state,
)


def unix(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def posting(kind: MeterKind, act: Act = "charge", *, monthly: bool = False) -> Posting:
    return Posting(f"k/{kind}", Meter(kind, kind, 5, "key", QUOTA_SPENT, monthly, lasts_ms=9000), act)


ALL = (
    posting("count", monthly=True),
    posting("sum", monthly=True),
    posting("level"),
    posting("concurrency"),
)


@pytest.mark.parametrize(
    ("moment", "turns_over"),
    [
        ("2026-01-31T23:59:59", "2026-02-01T00:00:00"),
        ("2024-02-29T00:00:00", "2024-03-01T00:00:00"),
        ("2026-12-01T00:00:00", "2027-01-01T00:00:00"),
        ("2026-12-31T23:59:59", "2027-01-01T00:00:00"),
    ],
)
def test_months_are_those_of_the_calendar(moment: str, turns_over: str) -> None:
    month = month_of(unix(moment))
    assert end_of(month) == unix(turns_over)
    assert month_of(unix(turns_over)) == month + 1


@pytest.mark.parametrize(
    ("written", "monthly", "month", "expected"),
    [
        (24_300, True, 24_300, (7, 24_300)),
        (24_299, True, 24_300, (0, 24_300)),
        (24_301, True, 24_300, (7, 24_301)),
        (0, False, 24_300, (7, 0)),
        (24_299, False, 24_300, (7, 0)),
    ],
)
def test_a_month_begins_anew_and_a_clock_that_goes_back_begins_none(
    written: int, *, monthly: bool, month: int, expected: tuple[int, int]
) -> None:
    assert carried(7, written, month, monthly=monthly) == expected


def test_a_spent_meter_has_the_time_when_it_opens() -> None:
    wall_s, month = float(unix("2026-11-30T23:59:00")), month_of(unix("2026-11-30T23:59:00"))
    count, level = ALL[0].meter, ALL[2].meter
    assert state(count, 5, 0.0, wall_s, month) == MeterState(count, 5, 60.0)
    assert state(count, 5, 0.0, wall_s + 90, month).opens_s == 0.0
    assert state(posting("sum").meter, 5, 0.0, wall_s, month).opens_s is None
    assert [state(level, 5, ends_s, wall_s, month).opens_s for ends_s in (3.5, -1.0)] == [3.5, 0.0]


def test_a_failed_call_gives_back_what_it_took_and_where_it_took_it() -> None:
    assert refunds(ALL, "u", 24_300) == [
        MeterUpdate("k/count", "refund", month=24_300),
        MeterUpdate("k/level", "drop", unit="u"),
    ]
    assert refunds((posting("count"), posting("level", "release")), "u", 24_300) == [MeterUpdate("k/count", "refund")]


def test_a_successful_call_adds_its_amount_and_releases() -> None:
    assert reports(ALL, {"sum": 12, "count": 3}) == [MeterUpdate("k/sum", "add", 12, 1)]
    assert reports(ALL, {"sum": 0}) == reports(ALL, {}) == []
    assert reports((posting("sum"), posting("level", "release")), {"sum": 1}) == [
        MeterUpdate("k/sum", "add", 1, 0),
        MeterUpdate("k/level", "pop"),
    ]


def test_what_was_let_through_elsewhere_is_owed() -> None:
    assert charges(ALL, "u") == [MeterUpdate("k/count", "add", 1, 1), MeterUpdate("k/level", "put", 9000, unit="u")]


def test_every_call_leaves() -> None:
    assert concurrency_releases(ALL, "u") == [MeterUpdate("k/concurrency", "drop", unit="u")]


def test_a_reservation_is_committed_and_released_only_the_first_time() -> None:
    calls: list[object] = []

    def settle(amounts: Mapping[str, int], *, succeeded: bool) -> None:
        calls.append((succeeded, amounts))

    reservation = Reservation(ALL, settle, lambda: calls.append("over"))
    assert reservation.open
    assert reservation.amounts is None
    reservation.commit({"sum": 1}, succeeded=True)
    assert not reservation.open
    reservation.commit({}, succeeded=False)
    reservation.release()
    reservation.release()
    assert calls == [(True, {"sum": 1}), "over"]
    assert reservation.amounts == {"sum": 1}
    failed = Reservation(ALL, settle, lambda: None)
    failed.commit({"sum": 1}, succeeded=False)
    assert failed.amounts is None


def test_what_a_successful_call_has_used() -> None:
    assert amounts_used((*ALL, posting("count")), {"sum": 12, "level": 3}) == {"count": 1, "sum": 12}
    assert amounts_used((posting("sum"), posting("count", "release")), {"sum": 0}) == {}
