"""Slots of one second for the last minutes and of ten seconds for the last hour, and sums over the last of them.

What is counted is added to the present slots. A slot of ten seconds that is over is kept packed, because it is needed
only once more: when it leaves a span, its counts are subtracted from the sums of that span.
"""

from collections import deque
from collections.abc import Iterator
from typing import Literal, TypeAlias

import msgspec

from gateway.history.measures import (
    CLIENT_ERRORS,
    DURATION_BOUNDS_S,
    DURATIONS,
    LIMITED,
    OTHER,
    OVERHEAD_BOUNDS_S,
    SERVER_ERRORS,
    WIDTH,
    Counts,
    CountTable,
    CountTables,
    HistoryDimension,
    Name,
    add_to,
    added,
    bounded,
    empty_tables,
    percentiles_s,
    requests,
    subtracted,
    total,
)

HistorySpan: TypeAlias = Literal["1m", "10m", "1h"]

SECONDS = 300
TENS = 360
SPARK_MINUTES = 60
_SPAN_SLOTS: dict[HistorySpan, int] = {"1m": 6, "10m": 60, "1h": TENS}
_MOST_IN_SLOT = 150
"""The names of one kind that a slot of ten seconds keeps apart, and those of a whole span."""
_MOST_IN_SPAN = 1000

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(CountTables).decode


class Point(msgspec.Struct, frozen=True):
    """All requests of one slot. `at` is Unix time. Durations are in seconds, None where there was no request."""

    at: int
    requests: int = 0
    client_errors: int = 0
    server_errors: int = 0
    limited: int = 0
    p50_s: float | None = None
    p95_s: float | None = None
    p99_s: float | None = None
    gateway_p50_s: float | None = None


def point(at: int, counts: Counts) -> Point:
    p50, p95, p99 = percentiles_s(counts[:DURATIONS], DURATION_BOUNDS_S, (0.5, 0.95, 0.99))
    (gateway_p50,) = percentiles_s(counts[DURATIONS:CLIENT_ERRORS], OVERHEAD_BOUNDS_S, (0.5,))
    errors = counts[CLIENT_ERRORS], counts[SERVER_ERRORS], counts[LIMITED]
    return Point(at, requests(counts), *errors, p50, p95, p99, gateway_p50)


class Timeline:
    """Begins at `now`, in Unix time."""

    def __init__(self, now: float) -> None:
        self.began = now
        self.seconds: deque[Point] = deque(maxlen=SECONDS)
        self.tens: deque[Point] = deque(maxlen=TENS)
        self._second, self._counts = int(now), [0] * WIDTH
        self._ten, self._tables = _ten_of(now), empty_tables()
        self._spans = {span: _Sums(slots) for span, slots in _SPAN_SLOTS.items()}
        self._minutes: dict[tuple[HistoryDimension, Name], deque[tuple[int, int]]] = {}

    def add(self, tables: CountTables) -> None:
        """Add counts to the present slots."""
        self._counts = added(self._counts, total(tables.get("route", {}).values()))
        for dimension, table in tables.items():
            for name, counts in table.items():
                add_to(self._tables[dimension], name, counts)

    def advance(self, now: float) -> None:
        """End the slots that are over at `now`. After a long pause only as many as are kept are added.

        A clock that was set back by more than a slot has the present slots begin anew.
        """
        second, ten = int(now), _ten_of(now)
        if ten < self._ten:
            self._second, self._ten = second, ten
        while self._second < second:
            self.seconds.append(point(self._second, self._counts))
            self._second, self._counts = max(self._second + 1, second - SECONDS), [0] * WIDTH
        while self._ten < ten:
            self._end_ten()
            self._ten = max(self._ten, ten - 10 * TENS)

    def rows(self, span: HistorySpan, dimension: HistoryDimension) -> CountTable:
        """Return the sums of `span`, the present slot included."""
        found = dict(self._spans[span].tables[dimension])
        for name, counts in self._tables[dimension].items():
            add_to(found, name, counts)
        return found

    def spark(self, dimension: HistoryDimension, name: Name, now: float) -> list[int]:
        """Return the requests in each of the last SPARK_MINUTES minutes, the present one last."""
        values = dict(self._minutes.get((dimension, name), ()))
        minute = int(now) // 60
        if (counts := self._tables[dimension].get(name)) is not None:
            values[self._ten // 60] = values.get(self._ten // 60, 0) + requests(counts)
        return [values.get(each, 0) for each in range(minute - SPARK_MINUTES + 1, minute + 1)]

    def _end_ten(self) -> None:
        tables, at = self._tables, self._ten
        self.tens.append(point(at, total(tables["route"].values())))
        self._ten, self._tables = at + 10, empty_tables()
        hour = self._spans["1h"].tables
        kept = {dimension: _known(bounded(tables[dimension], _MOST_IN_SLOT), hour[dimension]) for dimension in tables}
        packed = _encode({dimension: table for dimension, table in kept.items() if table})
        for sums in self._spans.values():
            sums.push(kept, packed)
        self._note_minutes(kept, at // 60)

    def _note_minutes(self, tables: CountTables, minute: int) -> None:
        for dimension, name, counts in _all_rows(tables):
            values = self._minutes.setdefault((dimension, name), deque(maxlen=SPARK_MINUTES))
            if values and values[-1][0] == minute:
                values[-1] = (minute, values[-1][1] + requests(counts))
            else:
                values.append((minute, requests(counts)))
        hour = self._spans["1h"].tables
        for dimension, name in [each for each in self._minutes if each[1] not in hour[each[0]]]:
            del self._minutes[dimension, name]


class _Sums:
    """The sums of the last `slots` slots."""

    def __init__(self, slots: int) -> None:
        self.tables = empty_tables()
        self._most = slots
        self._slots: deque[bytes] = deque()

    def push(self, tables: CountTables, packed: bytes) -> None:
        """Add a slot, and drop the one that has left the span. `packed` is `tables` as it is kept."""
        for dimension, name, counts in _all_rows(tables):
            add_to(self.tables[dimension], name, counts)
        self._slots.append(packed)
        if len(self._slots) <= self._most:
            return
        for dimension, name, counts in _all_rows(_decode(self._slots.popleft())):
            left = subtracted(self.tables[dimension][name], counts)
            if any(left):
                self.tables[dimension][name] = left
            else:
                del self.tables[dimension][name]


def _known(table: CountTable, span: CountTable) -> CountTable:
    """Return `table` with new names as OTHER, where the sums of a whole span have no room for them."""
    if len(table) + len(span) <= _MOST_IN_SPAN:
        return table
    found: CountTable = {}
    for name, counts in table.items():
        add_to(found, name if name in span else (OTHER,) * len(name), counts)
    return found


def _all_rows(tables: CountTables) -> Iterator[tuple[HistoryDimension, Name, Counts]]:
    for dimension, table in tables.items():
        for name, counts in table.items():
            yield dimension, name, counts


def _ten_of(now: float) -> int:
    return int(now) // 10 * 10
