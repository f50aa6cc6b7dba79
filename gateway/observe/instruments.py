"""Counters, gauges and histograms over slots.

A child is obtained once, with `labels`, and kept by its user: `labels` is slow, children are fast.
"""

import array
from bisect import bisect_left
from collections.abc import Callable
from typing import Generic, Protocol, TypeAlias, TypeVar

from gateway.observe.shared_memory import ABSENT, Declaration, Region, RegionFullError

Slots: TypeAlias = "memoryview[float] | array.array[float]"

KNOWN_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"))
"""RFC 9110 and RFC 5789."""

OTHER = "other"
_VALUE_CHARACTERS = 200


def method_label(method: str) -> str:
    """Return a method as a label: whatever a client may invent is "other"."""
    return method if method in KNOWN_METHODS else OTHER


class Counter:
    """A value that only goes up: number `slot` of `slots`."""

    __slots__ = ("_source", "_start", "slot", "slots")

    def __init__(self, slots: Slots, slot: int, declaration: Declaration) -> None:  # noqa: ARG002  every child is made alike
        self.slots = slots
        self.slot = slot
        self._source: Callable[[], float] | None = None
        self._start = slots[slot]

    def inc(self, n: float = 1.0) -> None:
        self.slots[self.slot] += n

    def watch(self, source: Callable[[], float]) -> None:
        """Read `source`, which counts from 0 in this process, at every scrape."""
        self._source = source
        self._start = self.slots[self.slot]

    def refresh(self) -> None:
        if self._source is not None:
            self.slots[self.slot] = self._start + self._source()

    @property
    def value(self) -> float:
        return self.slots[self.slot]


class Gauge:
    """A value that goes up and down."""

    __slots__ = ("_slot", "_slots", "_source")

    def __init__(self, slots: Slots, slot: int, declaration: Declaration) -> None:  # noqa: ARG002  every child is made alike
        self._slots = slots
        self._slot = slot
        self._source: Callable[[], float] | None = None
        if slots[slot] == ABSENT:
            slots[slot] = 0.0

    def inc(self, n: float = 1.0) -> None:
        self._slots[self._slot] += n

    def dec(self, n: float = 1.0) -> None:
        self._slots[self._slot] -= n

    def set(self, value: float) -> None:
        self._slots[self._slot] = value

    def watch(self, source: Callable[[], float]) -> None:
        """Read `source` at every scrape."""
        self._source = source

    def refresh(self) -> None:
        if self._source is not None:
            self._slots[self._slot] = self._source()

    @property
    def value(self) -> float:
        return self._slots[self._slot]


class Histogram:
    """Counts observations by size.

    Slots hold each bucket's own count, from number `slot` of `slots` on, and then the sum; the exposition adds them up.
    """

    __slots__ = ("_sum", "bounds", "slot", "slots")

    def __init__(self, slots: Slots, slot: int, declaration: Declaration) -> None:
        self.slots = slots
        self.slot = slot
        self.bounds = declaration.buckets
        self._sum = slot + declaration.width - 1

    def observe(self, value: float) -> None:
        slots = self.slots
        # A bucket holds what is less than or equal to its bound.
        slots[self.slot + bisect_left(self.bounds, value)] += 1.0
        slots[self._sum] += value

    def refresh(self) -> None:
        """Do nothing: histograms have no source."""

    @property
    def count(self) -> float:
        return sum(self.slots[self.slot : self._sum])


class Exemplar:
    """One trace among those that a histogram has counted: the last one that was sampled."""

    __slots__ = ("_slot", "_slots")

    def __init__(self, slots: Slots, slot: int, declaration: Declaration) -> None:  # noqa: ARG002  every child is made alike
        self._slots = slots
        self._slot = slot

    def set(self, trace_id: str, value: float, wall_s: float) -> None:
        """Note a trace id (32 hexadecimal digits) with its value, and when that was, in Unix time."""
        parts = [*(float(int(trace_id[at : at + 8], 16)) for at in range(0, 32, 8)), value, wall_s]
        # A reader that comes in between finds that the sum is wrong.
        for at, part in enumerate([*parts, sum(parts)], self._slot):
            self._slots[at] = part

    def refresh(self) -> None:
        """Do nothing: exemplars have no source."""


class _Refreshable(Protocol):
    def refresh(self) -> None: ...


Child = TypeVar("Child", bound=_Refreshable)


class Family(Generic[Child]):
    """All series of one name, at most `cap`. The rest is counted in one whose labels are all "other"."""

    def __init__(
        self, region: Region, make: Callable[[Slots, int, Declaration], Child], declaration: Declaration, cap: int
    ) -> None:
        self._region = region
        self._make = make
        self.declaration = declaration
        self._number = region.declare(declaration)
        self.cap = cap
        self._children: dict[tuple[str, ...], Child] = {}
        self._asked: dict[tuple[str | int, ...], Child] = {}
        self._method: int | None = declaration.labels.index("method") if "method" in declaration.labels else None

    def __repr__(self) -> str:
        return f"<Family {self.declaration.name} {len(self._children)}/{self.cap} series>"

    def labels(self, *values: str | int) -> Child:
        """Return the series with these label values, in the order of the declaration."""
        asked = self._asked.get(values)
        if asked is not None:
            return asked
        if len(values) != len(self.declaration.labels):
            raise ValueError(f"{self.declaration.name} has the labels {self.declaration.labels}")
        plain = texts = tuple([str(value)[:_VALUE_CHARACTERS].encode(errors="replace").decode() for value in values])
        at = self._method
        if at is not None:
            texts = (*texts[:at], method_label(texts[at]), *texts[at + 1 :])
        child = self._children.get(texts)
        if child is None:
            if len(self._children) >= self.cap:
                texts = (OTHER,) * len(texts)
                child = self._children.get(texts)
            if child is None:
                child = self._children[texts] = self._begin(texts)
        if plain in self._children:
            # Whatever became "other" is not remembered: there may be no end of it.
            self._asked[values] = child
        return child

    def refresh(self) -> None:
        for child in self._children.values():
            child.refresh()

    def _begin(self, values: tuple[str, ...]) -> Child:
        width = self.declaration.width
        try:
            return self._make(self._region.slots, self._region.series(self._number, values, width), self.declaration)
        except RegionFullError:
            # Counting must never fail a request: these numbers are seen by nobody.
            return self._make(array.array("d", bytes(8 * width)), 0, self.declaration)
