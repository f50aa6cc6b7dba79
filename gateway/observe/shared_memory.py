"""The shared memory of the metrics: one float slot per number.

A region has one writer and any number of readers. It describes itself: beside the slots lies a directory, to which
the writer appends a line for every family it declares and every series it begins. So a reader needs nothing but the
memory to sum several writers' regions, whatever routes each of them knew; and when a writer dies, its successor
opens the same region and counts on.

    slot 0      bytes of the directory in use: written last, so that a reader never sees half a line
    slot 1      slots in use
    slot 2 …    the numbers; a histogram has one slot per bucket, one for the overflow and one for the sum, an exemplar
                `EXEMPLAR_SLOTS`
    directory   lines of JSON
"""

import mmap
import os
import sys
from typing import Literal, TypeAlias

import msgspec

MetricKind: TypeAlias = Literal["counter", "gauge", "info", "histogram", "exemplar"]
Merge: TypeAlias = Literal["sum", "min", "max"]

SLOTS = 1 << 18
DIRECTORY_BYTES = 16 << 20
"""Address space only: pages that were never written cost nothing."""

ABSENT = -sys.float_info.max
"""The value of a gauge without a writer: its writer has ended, or a new one has not set it yet."""

EXEMPLAR_SLOTS = 7
"""The trace id in four numbers of 32 bits, the value, the Unix time in seconds, and the sum of all these."""

_PUBLISHED, _USED, _FIRST = 0, 1, 2


class Declaration(msgspec.Struct, frozen=True, tag="family"):
    """A family of series. `buckets` are upper bounds, ascending, without infinity; `merge` is how regions add up.

    A family of exemplars belongs to the histograms of the same name.
    """

    name: str
    kind: MetricKind
    help: str
    labels: tuple[str, ...]
    buckets: tuple[float, ...] = ()
    merge: Merge = "sum"

    @property
    def width(self) -> int:
        """Slots of one series."""
        if self.kind == "exemplar":
            return EXEMPLAR_SLOTS
        return len(self.buckets) + 2 if self.kind == "histogram" else 1


class Series(msgspec.Struct, frozen=True, tag="series"):
    """A series. `family` is the number of its declaration in this region, `slot` its first slot."""

    family: int
    slot: int
    values: tuple[str, ...]


DirectoryEntry: TypeAlias = Declaration | Series

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(DirectoryEntry).decode


class RegionFullError(Exception):
    """The region has no free slot or no free line."""


class Region:
    """A region, opened for reading or, by one process at a time, for writing."""

    def __init__(self, memory: mmap.mmap, slots: int = SLOTS, fd: int | None = None) -> None:
        """`fd` is the memory's file, where it has one."""
        self.memory = memory
        self.fd = fd
        self.slots: memoryview[float] = memoryview(memory)[: slots * 8].cast("d")
        self._directory = memoryview(memory)[slots * 8 :]
        self._families: dict[Declaration, int] = {}
        self._series: dict[tuple[int, tuple[str, ...]], int] = {}
        if not self.slots[_USED]:
            self.slots[_USED] = _FIRST
        for entry in self.entries(0)[0]:
            self._remember(entry)

    @classmethod
    def create(cls, slots: int = SLOTS, directory_bytes: int = DIRECTORY_BYTES) -> "Region":
        """Return a new region, shared with every process forked from this one."""
        return cls(mmap.mmap(-1, slots * 8 + directory_bytes), slots)

    @classmethod
    def shared(cls) -> "Region":
        """Return a new region in a file that only memory holds: another program can be handed it."""
        fd = os.memfd_create("metrics", os.MFD_CLOEXEC)
        os.ftruncate(fd, SLOTS * 8 + DIRECTORY_BYTES)
        return cls.opened(fd)

    @classmethod
    def opened(cls, fd: int) -> "Region":
        """Return the region in a file of another program. Raises OSError or ValueError when it is none."""
        if os.fstat(fd).st_size != SLOTS * 8 + DIRECTORY_BYTES:
            raise ValueError("this is no region, or one of another release")
        return cls(mmap.mmap(fd, SLOTS * 8 + DIRECTORY_BYTES), SLOTS, fd)

    def reopened(self) -> "Region":
        """Return the same memory for a new writer, which continues where the last one stopped."""
        return Region(self.memory, len(self.slots), self.fd)

    def writer_exited(self) -> None:
        """Note that the writer has ended: its counts stay, its gauges are not shown any more."""
        kinds: list[MetricKind] = []
        for entry in self.entries(0)[0]:
            if isinstance(entry, Declaration):
                kinds.append(entry.kind)
            elif kinds[entry.family] in ("gauge", "info"):
                self.slots[entry.slot] = ABSENT

    def __repr__(self) -> str:
        return (
            f"<Region {len(self._families)} families, {len(self._series)} series, "
            f"{int(self.slots[_USED])}/{len(self.slots)} slots>"
        )

    def entries(self, start: int, most_bytes: int = DIRECTORY_BYTES) -> tuple[list[DirectoryEntry], int]:
        """Return whole lines, up to `most_bytes`, after the first `start` bytes of the directory, and their end."""
        end = int(self.slots[_PUBLISHED])
        lines = bytes(self._directory[start : min(end, start + most_bytes)])
        size = lines.rfind(b"\n") + 1
        if not size:
            lines = bytes(self._directory[start:end])
            size = lines.find(b"\n") + 1
        return [_decode(line) for line in lines[:size].splitlines()], start + size

    def snapshot(self) -> list[float]:
        """Return the values of all slots in use, by their number."""
        return [*self.slots[: int(self.slots[_USED])]]

    def declare(self, declaration: Declaration) -> int:
        """Return the number of a family. A family that was declared before has lost the gauges of its last writer."""
        number = self._families.get(declaration)
        if number is None:
            self._append(declaration)
            return self._families[declaration]
        if declaration.kind in ("gauge", "info"):
            for (family, _), slot in self._series.items():
                if family == number:
                    self.slots[slot] = ABSENT
        return number

    def series(self, family: int, values: tuple[str, ...], width: int) -> int:
        """Return the first slot of a series, begun if it is new. Raises RegionFullError."""
        slot = self._series.get((family, values))
        if slot is None:
            slot = int(self.slots[_USED])
            if slot + width > len(self.slots):
                raise RegionFullError
            self.slots[_USED] = slot + width
            self._append(Series(family, slot, values))
        return slot

    def _append(self, entry: DirectoryEntry) -> None:
        line = _encode(entry) + b"\n"
        start = int(self.slots[_PUBLISHED])
        if start + len(line) > len(self._directory):
            raise RegionFullError
        self._directory[start : start + len(line)] = line
        self.slots[_PUBLISHED] = start + len(line)
        self._remember(entry)

    def _remember(self, entry: DirectoryEntry) -> None:
        if isinstance(entry, Declaration):
            self._families[entry] = len(self._families)
        else:
            self._series[entry.family, entry.values] = entry.slot
