"""Usage that Redis has not accepted yet.

What is collected waits here, and leaves in batches. A batch is sent until Redis has accepted it, always the same: its
writer and its number say whether it was added already, so that one whose answer was lost is not counted twice.
"""

from itertools import islice

from gateway.accounting.counts import MAX_CALLERS, MAX_ROWS, DayCounts, UsageRow, row_for
from gateway.accounting.storage import Batch

BATCH_ROWS = 200
BATCH_CALLERS = 1000
"""The size of a batch: Redis works on it for about a millisecond."""


class OwedUsage:
    """What waits (`days`), and the batches that were made of it (`batches`), those of other writers included."""

    def __init__(self, max_rows: int = MAX_ROWS) -> None:
        self._max_rows = max_rows
        self.days: dict[str, DayCounts] = {}
        self.batches: list[Batch] = []
        self.calls = 0
        """The number of calls that Redis does not have."""

    def __repr__(self) -> str:
        return f"<OwedUsage {self.calls} calls, {self.rows} rows wait, {len(self.batches)} batches>"

    @property
    def rows(self) -> int:
        """The number of rows that wait."""
        return sum(len(day.rows) for day in self.days.values())

    def add(self, counts: DayCounts) -> DayCounts:
        """Let `counts`, which are not empty, wait.

        Return what was added: without room rows are counted in others, and callers are not.
        """
        day = self.days.setdefault(counts.day, DayCounts.of(counts.day))
        used, added = self.rows, DayCounts.of(counts.day)
        for row, numbers in counts.rows.items():
            counted = row
            if row not in day.rows:
                counted = row_for(row, day.rows, used, self._max_rows)
                used += counted not in day.rows
            _add(day.rows, counted, numbers)
            _add(added.rows, counted, numbers)
        callers = sum(len(known) for each in self.days.values() for known in each.callers.values())
        for route, some in counts.callers.items():
            if callers < MAX_CALLERS:
                day.callers.setdefault(route, set()).update(some)
                added.callers[route] = some
                callers += len(some)
        self.calls += counts.calls
        return added

    def make_batch(self, writer: str, number: int) -> Batch | None:
        """Return a new batch of what waits; None if nothing does."""
        for day in self.days.values():
            rows = [*islice(day.rows.items(), BATCH_ROWS)]
            callers: dict[str, list[str]] = {}
            left = BATCH_CALLERS
            for route, addresses in day.callers.items():
                if left:
                    callers[route] = [*islice(addresses, left)]
                    left -= len(callers[route])
            batch = Batch(writer, number, day.day, rows, callers)
            self.take(batch)
            return batch
        return None

    def take(self, batch: Batch) -> None:
        """Make `batch` of what waits."""
        self.batches.append(batch)
        day = self.days.setdefault(batch.day, DayCounts.of(batch.day))
        for row, _ in batch.rows:
            day.rows.pop(row, None)
        for route, some in batch.callers.items():
            left = day.callers.get(route, set()) - {*some}
            if left:
                day.callers[route] = left
            else:
                day.callers.pop(route, None)
        if not day.rows and not day.callers:
            del self.days[batch.day]

    def accepted(self, writer: str, number: int) -> None:
        """Forget a batch that Redis has."""
        for batch in [each for each in self.batches if (each.writer, each.number) == (writer, number)]:
            self.batches.remove(batch)
            self.calls -= batch.calls

    def merge(self, other: "OwedUsage") -> None:
        """Take over what another one owes."""
        for counts in other.days.values():
            self.add(counts)
        self.batches += other.batches
        self.calls += sum(batch.calls for batch in other.batches)


def _add(rows: dict[UsageRow, list[int]], row: UsageRow, more: list[int]) -> None:
    numbers = rows.get(row)
    if numbers is None:
        rows[row] = [*more]
    else:
        for at, number in enumerate(more):
            numbers[at] += number
