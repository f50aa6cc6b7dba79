"""stages/count_usage.py: what of an exchange its caller is invoiced for."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.accounting.counts import DayCounts, UsageCounts, UsageRow
from gateway.exchange import Exchange
from gateway.kernel.faults import QUOTA_SPENT
from gateway.kernel.limits.quota import Meter, MeterKind, Posting, Reservation
from gateway.stages.count_usage import UsageCounter
from tests.samples import Pieces, caller, exchange, route

ALL: UsageRow = ("acme", "acme-ci", "orders", "")


def counted(*exchanges: tuple[Exchange, int]) -> DayCounts:
    counts = UsageCounts(lambda: datetime(2026, 11, 30, tzinfo=UTC).timestamp())
    counter = UsageCounter(counts)
    for x, status in exchanges:
        counter(x, status)
    [day] = counts.take()
    return day


def served(**changes: Any) -> Exchange:
    return exchange(route=route(), caller=caller(), **changes)


def reserved(*, succeeded: bool, **kinds: MeterKind) -> Reservation:
    postings = [Posting(name, Meter(name, kind, 9, "key", QUOTA_SPENT)) for name, kind in kinds.items()]
    release = Posting("freed", Meter("freed", "count", 9, "key", QUOTA_SPENT), "release")
    reservation = Reservation((*postings, release), lambda amounts, succeeded: None, lambda: None)
    reservation.commit({"b": 12}, succeeded=succeeded)
    return reservation


def test_calls_and_bytes_are_added_up() -> None:
    body = Pieces()
    body.received = 7
    assert counted((served(sent_bytes=5), 200), (served(body=body), 204)).rows == {ALL: [2, 0, 7, 5]}


@pytest.mark.parametrize(
    ("status", "changes", "errors"),
    [(399, {}, 0), (400, {}, 1), (503, {}, 1), (499, {"outcome": "abandoned"}, 1), (200, {"outcome": "cut"}, 1)],
)
def test_an_error(status: int, changes: dict[str, Any], errors: int) -> None:
    assert counted((served(**changes), status)).rows == {ALL: [1, errors, 0, 0]}


@pytest.mark.parametrize(
    ("changes", "row"),
    [
        ({}, ("", "", "", "")),
        ({"route": route()}, ("", "", "orders", "")),
        ({"caller": caller(organization=None)}, ("", "acme-ci", "", "")),
        (
            {"caller": caller(id="anonymous", organization=None), "route": route(open=True)},
            ("", "anonymous", "orders", ""),
        ),
    ],
)
def test_who_is_not_known_is_counted_too(changes: dict[str, Any], row: UsageRow) -> None:
    assert [*counted((exchange(**changes), 200)).rows] == [row]


def test_what_was_used_of_quotas_is_counted_where_the_call_succeeded() -> None:
    kinds: dict[str, MeterKind] = {"a": "count", "b": "sum", "c": "sum", "d": "level", "e": "concurrency"}
    done = (served(reservation=reserved(succeeded=True, **kinds)), 200)
    failed = (served(reservation=reserved(succeeded=False, **kinds)), 500)
    assert counted(done, done, failed).rows == {
        ALL: [3, 1, 0, 0],
        (*ALL[:3], "a"): [2],
        (*ALL[:3], "b"): [24],
    }


def test_addresses_are_kept_on_open_routes_only() -> None:
    visitor = caller(id="anonymous", organization=None)
    opened = exchange(route=route(open=True), caller=visitor, client="192.0.2.1")
    refused = exchange(route=route(open=True), client="192.0.2.2")
    assert counted((opened, 200), (refused, 503), (served(), 200)).callers == {"orders": {"192.0.2.1"}}
