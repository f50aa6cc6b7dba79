"""The numbers that are kept of each route, key, organisation and target: calls, errors, and how long calls took.

`Counts` is a list of `WIDTH` whole numbers: a histogram of durations, a histogram of the gateway's own share of them,
and three counters. Lists are added up element by element.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate
from math import inf
from operator import add
from typing import Literal, TypeAlias, get_args

Counts: TypeAlias = list[int]
Name: TypeAlias = tuple[str, ...]
CountTable: TypeAlias = dict[Name, Counts]
HistoryDimension: TypeAlias = Literal["route", "key", "organization", "target", "error", "refusal"]
"""What the counts of a table belong to. The name of a target is (upstream, host and port), with an empty second part
where no target has answered; that of an error (status, code, source, fault); that of a refusal (key, limit)."""
DIMENSIONS: tuple[HistoryDimension, ...] = get_args(HistoryDimension)
CountTables: TypeAlias = dict[HistoryDimension, CountTable]

OTHER = "other"

_STEP = 1.5
"""The ratio of two bounds of a histogram: it bounds the error of a percentile."""


def _bounds(first_s: float, last_s: float) -> tuple[float, ...]:
    bounds = [first_s]
    while bounds[-1] < last_s:
        bounds.append(bounds[-1] * _STEP)
    return tuple(bounds)


DURATION_BOUNDS_S = _bounds(0.00025, 60.0)
OVERHEAD_BOUNDS_S = _bounds(0.00003, 0.1)


class Elements:
    """Finds the elements of a histogram that durations count in. That of the last one is looked at first."""

    __slots__ = ("_at", "_bounds_s", "_high_s", "_low_s")

    def __init__(self, bounds_s: tuple[float, ...]) -> None:
        self._bounds_s = bounds_s
        self._at = 0
        self._low_s, self._high_s = -inf, bounds_s[0]

    def of(self, seconds: float) -> int:
        """Return the number of the element."""
        if not self._low_s < seconds <= self._high_s:
            bounds_s = self._bounds_s
            self._at = at = bisect_left(bounds_s, seconds)
            self._low_s = bounds_s[at - 1] if at else -inf
            self._high_s = bounds_s[at] if at < len(bounds_s) else inf
        return self._at


DURATIONS = len(DURATION_BOUNDS_S) + 1
"""The number of elements of the histogram of durations, which begins at 0."""
OVERHEADS = len(OVERHEAD_BOUNDS_S) + 1
"""The number of elements of the histogram of the gateway's own share, which follows."""
CLIENT_ERRORS = DURATIONS + OVERHEADS
"""Statuses 400 to 499. The next two elements count statuses from 500 on, and calls refused by a limit (also in 4xx)."""
SERVER_ERRORS = CLIENT_ERRORS + 1
LIMITED = CLIENT_ERRORS + 2
WIDTH = CLIENT_ERRORS + 3
ERRORS_WEIGH = 10
"""A call that failed makes a row as important as so many calls, where only some rows are kept."""


def empty_tables() -> CountTables:
    """Return a table without rows for each dimension."""
    return {dimension: {} for dimension in DIMENSIONS}


def sampled(samples: Iterable[int]) -> Counts:
    """Return the counts of calls, each given as one number.

    It is the element of the histogram of durations, times `OVERHEADS`, plus the element of the other histogram.
    """
    counts = [0] * WIDTH
    for one, number in Counter(samples).items():
        at, own_at = divmod(one, OVERHEADS)
        counts[at] += number
        counts[DURATIONS + own_at] += number
    return counts


def requests(counts: Counts) -> int:
    return sum(counts[:DURATIONS])


def added(one: Counts, other: Counts) -> Counts:
    return list(map(add, one, other))


def subtracted(one: Counts, other: Counts) -> Counts:
    return [a - b for a, b in zip(one, other, strict=True)]


def total(rows: Iterable[Counts]) -> Counts:
    """Return the sum of `rows`, zeros for none."""
    return [sum(column) for column in zip([0] * WIDTH, *rows, strict=True)]


def weight(counts: Counts) -> int:
    """Return how important a row is where only some are kept."""
    return requests(counts) + ERRORS_WEIGH * (counts[CLIENT_ERRORS] + counts[SERVER_ERRORS])


def bounded(table: CountTable, most: int) -> CountTable:
    """Return the `most` heaviest rows of `table`; the rest is one row, whose name is OTHER."""
    if len(table) <= most:
        return table
    ordered = sorted(table.items(), key=lambda row: weight(row[1]), reverse=True)
    kept = dict(ordered[:most])
    other = (OTHER,) * len(ordered[0][0])
    add_to(kept, other, total([counts for _, counts in ordered[most:]]))
    return kept


def add_to(table: CountTable, name: Name, counts: Counts) -> None:
    before = table.get(name)
    table[name] = counts if before is None else added(before, counts)


def percentiles_s(
    histogram: Sequence[int], bounds_s: Sequence[float], shares: Sequence[float]
) -> list[float] | list[None]:
    """Return the duration below which each of `shares` (ascending, 0 to 1) of what was counted lies; None for nothing.

    Within an element of the histogram, durations are taken to be spread evenly.
    """
    sums = list(accumulate(histogram))
    if not sums or not sums[-1]:
        return [None] * len(shares)
    found: list[float] = []
    at = 0
    for share in shares:
        wanted = share * sums[-1]
        while sums[at] < wanted:
            at += 1
        low, high = bounds_s[at - 1] if at else 0.0, bounds_s[min(at, len(bounds_s) - 1)]
        before = sums[at - 1] if at else 0
        found.append(low + (high - low) * (wanted - before) / (histogram[at] or 1))
    return found
