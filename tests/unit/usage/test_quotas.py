"""usage/quotas.py: which meters a caller has, and how they are told."""

import msgspec
import pytest

from gateway.kernel.faults import QUOTA_SPENT
from gateway.kernel.limits.quota import Meter, MeterKind, MeterState, Posting
from gateway.table.limits import Tariff
from gateway.table.quotas import Metering
from gateway.usage.quotas import Charged, charged_on, metered
from tests.samples import caller, route


def meter(kind: MeterKind, *, monthly: bool = False) -> Meter:
    return Meter(kind, kind, 3, "key", msgspec.structs.replace(QUOTA_SPENT, code=8004), monthly)


@pytest.mark.parametrize(
    ("kind", "monthly", "used", "remaining", "opens_in_s", "per"),
    [
        ("count", True, 1, 2, 5.0, "month"),
        ("sum", True, 9, 0, 5.0, "month"),
        ("count", False, 0, 3, None, "ever"),
        ("level", False, 1, 2, 5.0, None),
        ("level", False, 0, 3, None, None),
        ("concurrency", False, 1, 2, None, None),
    ],
)
def test_what_is_used_and_when_some_of_it_is_free_again(
    kind: MeterKind, *, monthly: bool, used: int, remaining: int, opens_in_s: float | None, per: str | None
) -> None:
    reported = metered(MeterState(meter(kind, monthly=monthly), used, None if per == "ever" else 5.0), ("r",))
    assert (reported.id, reported.kind, reported.code, reported.scope, reported.max) == (kind, kind, 8004, "key", 3)
    assert (reported.used, reported.remaining, reported.opens_in_seconds, reported.per) == (
        used,
        remaining,
        opens_in_s,
        per,
    )
    assert reported.routes == (() if kind == "concurrency" else ("r",))


def test_each_meter_is_reported_once_with_the_routes_where_it_is_charged() -> None:
    count, level = Posting("c", meter("count")), Posting("l", meter("level"))
    release = Posting("l", level.meter, "release")
    both = Metering({("standard", "GET"): (count, level), ("standard", "POST"): (count,)}, {})
    other = Metering({("standard", "GET"): (count, release)}, {})
    usable = [
        (route(id="a", tariff=Tariff({}, {}, both)), ["GET", "POST"]),
        (route(id="b", tariff=Tariff({}, {}, other)), ["GET"]),
        (route(id="c", tariff=Tariff({}, {})), ["GET"]),
    ]
    one = caller()
    found = charged_on(one, usable)
    assert [(each.posting.key, each.routes) for each in found] == [
        (f"{one.bucket}:c", ("a", "b")),
        (f"{one.bucket}:l", ("a",)),
    ]
    assert charged_on(one, []) == ()
    assert isinstance(found[0], Charged)
