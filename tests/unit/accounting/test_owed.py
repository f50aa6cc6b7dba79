"""accounting/owed.py: usage that waits for Redis, and leaves in batches."""

from gateway.accounting.counts import MAX_CALLERS, OTHER, DayCounts, UsageRow
from gateway.accounting.owed import BATCH_CALLERS, BATCH_ROWS, OwedUsage
from gateway.accounting.storage import Batch


def day(number: int = 30, callers: dict[str, set[str]] | None = None, **calls: int) -> DayCounts:
    rows: dict[UsageRow, list[int]] = {("acme", key, "all", ""): [count, 0, 0, 0] for key, count in calls.items()}
    return DayCounts(f"2026-11-{number}", rows, callers or {})


def drained(owed: OwedUsage) -> list[Batch]:
    """All batches, each accepted."""
    batches: list[Batch] = []
    while (batch := owed.make_batch("w", len(batches))) is not None:
        batches.append(batch)
        owed.accepted("w", batch.number)
    return batches


def test_usage_waits_and_leaves_in_one_batch_for_each_day() -> None:
    owed = OwedUsage()
    for counts in (day(29, a=1), day(30, a=2, b=3), day(29, a=4)):
        assert owed.add(counts) == counts
    assert repr(owed) == "<OwedUsage 10 calls, 3 rows wait, 0 batches>"
    first = owed.make_batch("w", 1)
    assert first == Batch("w", 1, "2026-11-29", [(("acme", "a", "all", ""), [5, 0, 0, 0])], {})
    assert (owed.calls, owed.rows, owed.batches) == (10, 2, [first])
    owed.accepted("w", 2)
    owed.accepted("v", 1)
    assert owed.calls == 10
    owed.accepted("w", 1)
    assert (owed.calls, owed.batches) == (5, [])
    [second] = drained(owed)
    assert (second.calls, second.day) == (5, "2026-11-30")
    assert (owed.calls, owed.rows, owed.days) == (0, 0, {})


def test_what_is_collected_after_a_batch_is_not_in_it() -> None:
    owed = OwedUsage()
    owed.add(day(a=1))
    batch = owed.make_batch("w", 1)
    owed.add(day(a=2))
    assert batch is not None
    assert (batch.calls, owed.calls) == (1, 3)
    owed.accepted("w", 1)
    assert [each.calls for each in drained(owed)] == [2]


def test_batches_are_bounded() -> None:
    owed = OwedUsage()
    callers = {"r": {"1", "2"}, "s": {f"::{number}" for number in range(2 * BATCH_CALLERS)}, "t": {"1"}}
    owed.add(day(30, callers, **{f"key{number}": 1 for number in range(BATCH_ROWS + 1)}))
    batches = drained(owed)
    assert [len(batch.rows) for batch in batches] == [BATCH_ROWS, 1, 0]
    assert [sum(map(len, batch.callers.values())) for batch in batches] == [BATCH_CALLERS, BATCH_CALLERS, 3]
    sent = [(route, caller) for batch in batches for route, some in batch.callers.items() for caller in some]
    assert sorted(sent) == sorted((route, caller) for route, some in callers.items() for caller in some)
    assert owed.days == {}


def test_rows_and_callers_that_wait_are_bounded_and_the_sum_stays_exact() -> None:
    owed = OwedUsage(max_rows=10)
    addresses = {f"::{number}" for number in range(MAX_CALLERS // 2)}
    for number in range(20):
        added = owed.add(day(29 + number % 2, {f"r{number}": addresses}, **{f"k{number}": 1}))
        assert added.calls == 1
    assert (owed.calls, len({*owed.days["2026-11-29"].callers, *owed.days["2026-11-30"].callers})) == (20, 2)
    assert owed.rows <= 10 + 2
    assert ("acme", "k8", OTHER, "") in owed.days["2026-11-29"].rows
    assert (OTHER, OTHER, OTHER, "") in owed.days["2026-11-29"].rows
    assert sum(batch.calls for batch in drained(owed)) == 20


def test_what_another_process_owes_is_taken_over() -> None:
    one, other = OwedUsage(), OwedUsage()
    one.add(day(a=1))
    other.add(day(a=2))
    batch = other.make_batch("other", 7)
    other.add(day(29, b=4))
    one.merge(other)
    assert (one.calls, one.batches) == (7, [batch])
    one.accepted("other", 7)
    assert [each.calls for each in drained(one)] == [1, 4]
