"""What is done with usage beside requests (to collect, record, recover and send it) costs time linear in its rows."""

from gateway.accounting.counts import DayCounts, UsageRow
from gateway.accounting.journal import UsageJournal, owed_in
from gateway.accounting.owed import OwedUsage
from gateway.accounting.storage import UsageStore
from gateway.limiter.outage_memory import OutageMemory
from tests.growth import Work, check_growth

ROW_BYTES = 50
STORE = UsageStore("gw", 86_400.0, 1000)


def test_usage_that_is_collected_and_sent() -> None:
    def passing(size: int) -> Work:
        rows: dict[UsageRow, list[int]] = {
            (f"org{number % 100}", f"key{number}", "all", ""): [1, 2, 3, 4] for number in range(size // ROW_BYTES)
        }
        counts = DayCounts("2026-11-30", rows, {"open": {f"::{number}" for number in range(size // ROW_BYTES)}})
        memory = OutageMemory.shared()
        owed = OwedUsage(max_rows=size)
        journal = UsageJournal(owed, memory)

        def work() -> None:
            journal.collected([owed.add(counts)])
            owed_in(memory.read())
            numbers = iter(range(size))
            while (batch := owed.make_batch("w", next(numbers))) is not None:
                journal.made(batch)
                STORE.command(batch)
                owed.accepted(batch.writer, batch.number)
                journal.accepted(batch)
            memory.close()

        return work

    check_growth(passing, 100_000)
