"""Counts what calls use, by day (UTC), organisation, key and route.

A day is that of the end of the call, by the clock of the gateway. Memory is bounded: when there are many rows, new ones
lose first the route, then the key, then the organisation to OTHER, so that sums stay exact at the next level.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import TypeAlias

import msgspec

UsageRow: TypeAlias = tuple[str, str, str, str]
"""Organisation, key, route, and the id of a quota, or "" for the numbers of all calls. Unknown ones are ""."""

OTHER = "(other)"
"""Stands for what has no row of its own. No id looks like this."""
MAX_ROWS = 50_000
"""Rows that a worker holds, some 400 bytes each. There are as many only while Redis is away."""
MAX_CALLERS = 10_000
"""Client addresses that a worker holds for its open routes. Those beyond it are not counted."""
CALLS, ERRORS, REQUEST_BYTES, RESPONSE_BYTES = range(4)
NUMBERS = 4
"""The numbers of a row. The row of a quota has only one: the amount."""


class DayCounts(msgspec.Struct):
    """What the calls of one day have used. `callers` are the client addresses on open routes, by route."""

    day: str
    rows: dict[UsageRow, list[int]]
    callers: dict[str, set[str]]

    @classmethod
    def of(cls, day: str) -> "DayCounts":
        """Return counts of nothing."""
        return cls(day, {}, {})

    @property
    def calls(self) -> int:
        """The number of calls."""
        return sum(numbers[CALLS] for row, numbers in self.rows.items() if not row[3])


class UsageCounts:
    """The counts of the calls that ended since `take`. `wall` is Unix time in seconds."""

    def __init__(self, wall: Callable[[], float], max_rows: int = MAX_ROWS) -> None:
        self._wall = wall
        self._max_rows = max_rows
        self._days: dict[str, DayCounts] = {}
        self._rows: dict[UsageRow, list[int]] = {}
        self._callers: dict[str, set[str]] = {}
        self._addresses = 0
        self._begins_s = self._ends_s = 0.0

    def __repr__(self) -> str:
        return f"<UsageCounts {sum(len(day.rows) for day in self._days.values())} rows>"

    def numbers(self, organization: str, key: str, route: str) -> list[int]:
        """Return the numbers of a row of today, which the caller raises."""
        if not self._begins_s <= self._wall() < self._ends_s:
            self._begin_day()
        row = (organization, key, route, "")
        return self._rows.get(row) or self._new(row, NUMBERS)

    def add_quota(self, organization: str, key: str, route: str, quota: str, amount: int) -> None:
        """Add to what was used of a quota, on the day of the last call of `numbers`."""
        row = (organization, key, route, quota)
        (self._rows.get(row) or self._new(row, 1))[0] += amount

    def add_caller(self, route: str, address: str) -> None:
        """Note a client of an open route, on the day of the last call of `numbers`."""
        known = self._callers.get(route)
        if self._addresses < MAX_CALLERS and (known is None or address not in known):
            self._callers.setdefault(route, set()).add(address)
            self._addresses += 1

    def take(self) -> list[DayCounts]:
        """Return all counts since the last time, and begin anew."""
        taken = [day for day in self._days.values() if day.rows]
        self._days, self._addresses = {}, 0
        self._ends_s = 0.0
        return taken

    def _begin_day(self) -> None:
        moment = datetime.fromtimestamp(self._wall(), UTC)
        today = moment.date()
        self._begins_s, self._ends_s = _starts(today), _starts(today + timedelta(days=1))
        counts = self._days.setdefault(today.isoformat(), DayCounts.of(today.isoformat()))
        self._rows, self._callers = counts.rows, counts.callers

    def _new(self, row: UsageRow, numbers: int) -> list[int]:
        return self._rows.setdefault(row_for(row, self._rows, len(self._rows), self._max_rows), [0] * numbers)


def row_for(row: UsageRow, rows: dict[UsageRow, list[int]], used: int, most: int) -> UsageRow:
    """Return the row in which `row` is counted, when `used` of `most` rows are in use. add_usage.lua has the same."""
    if row in rows or used < most * 0.8:
        return row
    organization, key, _, quota = row
    row = (organization, key, OTHER, quota)
    if row in rows or used < most * 0.9:
        return row
    row = (organization, OTHER, OTHER, quota)
    return row if row in rows or used < most else (OTHER, OTHER, OTHER, quota)


def _starts(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
