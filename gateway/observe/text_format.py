"""The rows of a family, summed over all regions and written as text.

What only ever counts is added up in bulk. Each region has a column of slots in the order of the rows, which
`itemgetter` fetches at once, and some hundred rows are written by one template; where no number has changed, the text
of last time is used again. Gauges are few and may be absent, so they are summed one by one.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from itertools import accumulate
from operator import add, itemgetter
from typing import TypeAlias

from gateway.observe.shared_memory import ABSENT, EXEMPLAR_SLOTS, Declaration

SlotValues: TypeAlias = Sequence[float]
"""The slots of a region at one time, and a zero after them."""

_ZERO = -1
"""The position of that zero."""
_BOUND = "\0"
"""Stands for a bucket's bound. No label holds it."""
_PIECE_CHARACTERS = 32 << 10
"""The characters of a piece: some 400 rows, a fifth of a millisecond."""
_MERGES: dict[str, Callable[[Iterable[float]], float]] = {"sum": sum, "min": min, "max": max}


class SeriesLocation:
    """The slots of a series in one region. `elements` maps each of them to a slot of the family."""

    __slots__ = ("elements", "region", "slot")

    def __init__(self, region: int, slot: int, elements: Sequence[int]) -> None:
        self.region = region
        self.slot = slot
        self.elements = elements


class GaugeRows:
    """The rows of a family of gauges or infos."""

    def __init__(self, declaration: Declaration) -> None:
        self._declaration = declaration
        self._info = declaration.kind == "info"
        self._merge = _MERGES[declaration.merge]
        self._rows: dict[str, list[SeriesLocation]] = {}

    def clear(self) -> None:
        """Remove all rows."""
        self._rows.clear()

    def add_location(self, values: tuple[str, ...], location: SeriesLocation) -> None:
        """Add a location of the series with these label values."""
        self._rows.setdefault(f"{self._declaration.name}{labels(self._declaration, values)}", []).append(location)

    def lines(self, snapshots: Sequence[SlotValues]) -> Iterator[bytes]:
        written = []
        for name, locations in self._rows.items():
            values = [value for location in locations if (value := snapshots[location.region][location.slot]) != ABSENT]
            # An info that no longer holds was set to 0.
            if values and not (self._info and max(values) <= 0):
                written.append(f"{name} {number(self._merge(values))}\n")
        yield "".join(written).encode()


class CounterRows:
    """The rows of a family of counters or histograms."""

    def __init__(self, declaration: Declaration) -> None:
        self._declaration = declaration
        self._width = declaration.width
        self._histogram = declaration.kind == "histogram"
        self._bounds = [number(float(bound)) for bound in (*declaration.buckets, math.inf)]
        self._order = range(self._width)
        self._nothing = [_ZERO] * self._width
        self.clear()

    def clear(self) -> None:
        """Forget all rows. Who is reading `lines` reads them to their end."""
        self._rows: dict[tuple[str, ...], int] = {}
        self._columns: dict[tuple[int, int], list[int]] = {}
        """Columns by region. A second column of a region holds what shares an element with something in the first."""
        self._pickers: list[tuple[int, Callable[[SlotValues], Sequence[float]]]] = []
        self._pieces: list[_Piece] = []

    def add_location(self, values: tuple[str, ...], location: SeriesLocation) -> None:
        """Add a location of the series with these label values."""
        row = self._rows.get(values)
        if row is None:
            row = self._rows[values] = len(self._rows)
            self._begin(values)
        self._pickers.clear()
        start = row * self._width
        first = self._column(location.region, 0)
        if location.elements == self._order and first[start : start + self._width] == self._nothing:
            first[start : start + self._width] = range(location.slot, location.slot + self._width)
            return
        for slot, element in enumerate(location.elements, location.slot):
            nth = 0
            while (column := self._column(location.region, nth))[start + element] != _ZERO:
                nth += 1
            column[start + element] = slot

    def lines(self, snapshots: Sequence[SlotValues]) -> Iterator[bytes]:
        if not self._rows:
            return
        if not self._pickers:
            # One more slot than there are, because itemgetter makes no tuple of one.
            self._pickers = [(region, itemgetter(*column, _ZERO)) for (region, _), column in self._columns.items()]
        picked: list[Iterable[float]] = [picker(snapshots[region]) for region, picker in self._pickers]
        totals = [*reduce(_added, picked)]
        start = 0
        for piece in self._pieces:
            end = start + piece.rows * self._width
            yield piece.written(totals[start:end], self._cumulated if self._histogram else list)
            start = end

    def _begin(self, values: tuple[str, ...]) -> None:
        for column in self._columns.values():
            column.extend(self._nothing)
        if not self._pieces or len(self._pieces[-1].template) > _PIECE_CHARACTERS:
            self._pieces.append(_Piece())
        self._pieces[-1].rows += 1
        self._pieces[-1].template += self._template(values)

    def _column(self, region: int, nth: int) -> list[int]:
        column = self._columns.get((region, nth))
        if column is None:
            column = self._columns[region, nth] = self._nothing * len(self._rows)
        return column

    def _template(self, values: tuple[str, ...]) -> str:
        name, own = self._declaration.name, labels(self._declaration, values).replace("%", "%%")
        if not self._histogram:
            return f"{name}{own} %s\n"
        bucket = f"{name}_bucket{labels(self._declaration, values, le=_BOUND)} ".replace("%", "%%") + "%s\n"
        buckets = "".join([bucket.replace(_BOUND, bound) for bound in self._bounds])
        return f"{buckets}{name}_count{own} %s\n{name}_sum{own} %s\n"

    def _cumulated(self, slots: list[float]) -> list[float]:
        """Return each histogram's cumulative buckets, count and sum, from the count of each bucket and the sum."""
        found: list[float] = []
        for end in range(self._width, len(slots) + 1, self._width):
            found += accumulate(slots[end - self._width : end - 1])
            found += (found[-1], slots[end - 1])
        return found


class _Piece:
    """Some rows and their last text."""

    __slots__ = ("_slots", "_text", "rows", "template")

    def __init__(self) -> None:
        self.rows = 0
        self.template = ""
        self._slots: list[float] = []
        self._text = b""

    def written(self, slots: list[float], numbers: Callable[[list[float]], list[float]]) -> bytes:
        if slots != self._slots:
            self._slots = slots
            found = numbers(slots)
            shown = found if math.isfinite(sum(found)) else map(number, found)
            self._text = (self.template % tuple(shown)).encode()
        return self._text


def _added(first: Iterable[float], second: Iterable[float]) -> Iterable[float]:
    return map(add, first, second)


def exemplars(
    declaration: Declaration,
    located: Mapping[tuple[str, ...], Sequence[SeriesLocation]],
    snapshots: Sequence[SlotValues],
) -> dict[bytes, bytes]:
    """Return the newest exemplar of each bucket that has one, by the sample that it goes with (without its number).

    `located` is where the exemplars are, by the label values of their histograms.
    """
    newest: dict[bytes, tuple[float, bytes]] = {}
    bounds = [number(float(bound)) for bound in (*declaration.buckets, math.inf)]
    for values, locations in located.items():
        for location in locations:
            *parts, total = snapshots[location.region][location.slot : location.slot + EXEMPLAR_SLOTS]
            *words, value, wall_s = parts
            if not wall_s or sum(parts) != total:  # none yet, or one that is being written
                continue
            bound = bounds[bisect_left(declaration.buckets, value)]
            sample = f"{declaration.name}_bucket{labels(declaration, values, le=bound)}".encode()
            trace_id = "".join([f"{int(word):08x}" for word in words])
            text = f' # {{trace_id="{trace_id}"}} {number(value)} {wall_s:.3f}'.encode()
            newest[sample] = max((wall_s, text), newest.get(sample, (0.0, b"")))
    return {sample: text for sample, (_, text) in newest.items()}


def with_exemplars(pieces: Iterable[bytes], by_sample: Mapping[bytes, bytes]) -> Iterator[bytes]:
    """Yield `pieces`, which are whole lines, with the exemplars behind the samples that have one."""
    for piece in pieces:
        yield b"\n".join([line + by_sample.get(line.rpartition(b" ")[0], b"") for line in piece.split(b"\n")])


def labels(declaration: Declaration, values: Sequence[str], **more: str) -> str:
    """Return the labels in order of their names and in braces, "" if there are none."""
    pairs = sorted([*zip(declaration.labels, map(escaped, values), strict=True), *more.items()])
    return "{" + ",".join([f'{name}="{value}"' for name, value in pairs]) + "}" if pairs else ""


def escaped(text: str) -> str:
    return on_one_line(text).replace('"', r"\"")


def on_one_line(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def number(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
