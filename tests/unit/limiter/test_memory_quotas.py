"""limiter/memory_quotas.py: what is kept and for how long, and what a successor gets."""

from datetime import UTC, datetime

import msgspec

from gateway.kernel.faults import QUOTA_SPENT
from gateway.kernel.limits.quota import MOST, Meter, MeterKind, MeterUpdate, Posting
from gateway.limiter.memory_quotas import SHARED_SLOTS, Entries, MemoryQuotas
from tests.clocks import ManualClock

LAST_MINUTE = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)


def posting(kind: MeterKind, most: int = 2, *, monthly: bool = False, key: str = "") -> Posting:
    return Posting(key or kind, Meter(kind, kind, most, "key", QUOTA_SPENT, monthly, 10_000))


def memory_quotas(max_keys: int = 100) -> tuple[MemoryQuotas, ManualClock]:
    time = ManualClock(round(LAST_MINUTE.timestamp() * 1e6))
    return MemoryQuotas(time.clock, max_keys), time


def used(books: MemoryQuotas, one: Posting) -> int | None:
    """What a spent meter says."""
    spent = books.spent((one,))
    return spent[0].used if spent else None


def test_a_month_begins_anew_and_its_tallies_are_dropped() -> None:
    books, time = memory_quotas()
    monthly, ever = posting("count", monthly=True), posting("sum")
    for _ in range(2):
        books.reserve((monthly,))
    books.apply([MeterUpdate("sum", "add", 2)])
    assert (used(books, monthly), used(books, ever)) == (2, 2)
    assert books.spent((monthly,))[0].opens_s == 60.0
    time.advance(60)
    assert (used(books, monthly), used(books, ever), repr(books)) == (
        None,
        2,
        "<MemoryQuotas 1 tallies, 0 sets of units>",
    )
    time.advance(-3600)
    books.reserve((monthly,))
    assert (books.month, used(books, monthly)) == (2026 * 12 + 11, None)


def test_what_is_given_back_in_another_month_is_forgotten() -> None:
    books, time = memory_quotas()
    monthly = posting("count", monthly=True)
    before = books.reserve((monthly,))
    time.advance(60)
    for _ in range(2):
        books.reserve((monthly,))
    before.commit({}, succeeded=False)
    assert used(books, monthly) == 2


def test_units_end_by_themselves_and_those_of_concurrency_do_not() -> None:
    books, time = memory_quotas()
    level, flights = posting("level"), posting("concurrency")
    for _ in range(2):
        books.reserve((level, flights))
        time.advance(4)
    (first, second) = books.spent((level, flights))
    assert (first.opens_s, second.opens_s) == (2.0, 0.0)
    time.advance(2)
    assert (used(books, level), used(books, flights)) == (None, 2)


def test_a_tally_stops_at_what_redis_can_count_and_nothing_goes_below_nothing() -> None:
    books, _ = memory_quotas()
    books.apply([MeterUpdate("count", "refund"), MeterUpdate("level", "pop"), MeterUpdate("level", "drop", unit="x")])
    books.apply([MeterUpdate("sum", "add", MOST), MeterUpdate("sum", "add", MOST)])
    assert used(books, posting("sum")) == MOST
    books.apply(
        [
            MeterUpdate("level", "put", 5000, unit="a"),
            MeterUpdate("level", "put", 5000, unit="b"),
            MeterUpdate("level", "drop", unit="x"),
        ]
    )
    assert used(books, posting("level")) == 2
    books.apply([MeterUpdate("level", "pop"), MeterUpdate("level", "pop"), MeterUpdate("level", "pop")])
    assert repr(books) == "<MemoryQuotas 1 tallies, 0 sets of units>"


def test_it_may_begin_where_another_has_counted() -> None:
    books, time = memory_quotas()
    monthly, level, flights = posting("count", 5, monthly=True), posting("level", 5), posting("concurrency", 5)
    assert [books.knows(each) for each in (monthly, level, flights)] == [False] * 3
    books.begin(monthly, 4)
    books.begin(level, 4)
    books.begin(flights, 3, ["ours"])
    assert [books.knows(each) for each in (monthly, level, flights)] == [True] * 3
    assert [used(books, each) for each in (monthly, level, flights)] == [None] * 3
    reservation = books.reserve((monthly, level, flights))
    assert [used(books, each) for each in (monthly, level, flights)] == [5, 5, 5]
    reservation.commit({}, succeeded=False)
    reservation.release()
    books.apply([MeterUpdate("concurrency", "drop", unit="ours")])
    assert [used(books, each) for each in (posting("level", 4), posting("concurrency", 3))] == [4, 3]
    time.advance(60)
    assert [books.knows(each) for each in (monthly, level)] == [False, True]
    books.clear()
    assert not books.knows(level)


def test_a_successor_has_everything_except_the_calls_in_flight() -> None:
    books, time = memory_quotas()
    everything = (posting("count", 1, monthly=True), posting("level", 1), posting("concurrency", 1))
    books.reserve(everything)
    successor = MemoryQuotas(time.clock)
    successor.apply([MeterUpdate("known", "add", 1)])
    exported = books.export()
    successor.adopt(msgspec.msgpack.decode(msgspec.msgpack.encode(exported), type=Entries))
    assert [used(successor, each) for each in (*everything, posting("count", 1, key="known"))] == [1, 1, None, 1]
    time.advance(10)
    assert used(successor, everything[1]) is None


def test_memory_is_bounded_and_newcomers_share_entries_then() -> None:
    books, _ = memory_quotas(max_keys=10)
    for number in range(1000):
        books.reserve((posting("count", key=f"{{{number}}}:count/x"), posting("level", key=f"{{{number}}}:level/x")))
    assert len(books._tallies) <= 10 + SHARED_SLOTS
    assert len(books._units) <= 10 + SHARED_SLOTS
    assert used(books, posting("count", 1, key="{5}:count/x")) == 1
    assert used(books, posting("count", 1, key="{999}:count/x")) is not None


def test_newcomers_share_no_entry_with_another_meter_and_are_lent_nothing() -> None:
    books, _ = memory_quotas(max_keys=1)
    for key in ("{known}:count/x", "{known}:level/x"):
        books.apply([MeterUpdate(key, "add", 1), MeterUpdate(key, "put", 1000, unit="u")])
    for number in range(1000):
        books.apply(
            [
                MeterUpdate(f"{{{number}}}:count/bytes:out", "add", 1000),
                MeterUpdate(f"{{{number}}}:level/live", "put", 1000, unit=f"{number}"),
            ]
        )
    for number in range(1000, 2000):
        assert used(books, posting("sum", 1, key=f"{{{number}}}:count/calls:out")) is None
        assert used(books, posting("level", 1, key=f"{{{number}}}:concurrency/live")) is None
        books.begin(posting("sum", key=f"{{{number}}}:count/calls:out"), 5)
        books.begin(posting("level", key=f"{{{number}}}:concurrency/live"), 5)
    assert len(books._tallies) <= 2 + SHARED_SLOTS
    assert len(books._units) <= 2 + SHARED_SLOTS


def test_reading_forgetting_and_names() -> None:
    books, _ = memory_quotas()
    count, level = posting("count", 5), posting("level", 5)
    assert books.empty
    books.reserve((count, level))
    assert not books.empty
    assert sorted(books.names()) == ["count", "level"]
    assert [each.used for each in books.read((count, level))] == [1, 1]
    books.forget("count")
    assert [each.used for each in books.read((count, level))] == [0, 1]
    books.forget("level")
    assert books.empty


def test_some_meters_are_exported_and_what_has_less_left_counts() -> None:
    books, _ = memory_quotas()
    books.apply([MeterUpdate(key, "add", 3) for key in ("a", "b")])
    books.apply([MeterUpdate(key, "put", 5000, unit="u") for key in ("c", "d")])
    exported = books.export(["a", "c", "unknown"])
    assert (list(exported.tallies), list(exported.levels)) == (["a"], ["c"])
    other, _ = memory_quotas()
    other.apply([MeterUpdate("a", "add", 4), MeterUpdate("c", "put", 5000, unit="v")])
    other.merge(books.export())
    meters = [posting("count", 9, key=key) for key in ("a", "b")] + [posting("level", 9, key=key) for key in ("c", "d")]
    assert [each.used for each in other.read(meters)] == [4, 3, 2, 1]
