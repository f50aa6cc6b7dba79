"""Records what Redis has not accepted yet in memory that outlives the process, so that a successor sends it.

Each record is MessagePack, after its length in 4 bytes. In order they are what happened: usage was collected, a batch
was made of some of it, Redis accepted the batch. When all was accepted, or the memory is full, the present state
replaces what was written. Programs of other releases may read the records: a field is only ever added at the end.
"""

from collections.abc import Iterable, Iterator
from typing import TypeAlias

import msgspec

from gateway.accounting.counts import DayCounts, UsageRow
from gateway.accounting.owed import OwedUsage
from gateway.accounting.storage import Batch
from gateway.limiter.outage_memory import OutageMemory


class Collected(msgspec.Struct, tag="c", array_like=True):
    """Usage of a day that waits now."""

    day: str
    rows: list[tuple[UsageRow, list[int]]]
    callers: dict[str, list[str]]


class Accepted(msgspec.Struct, tag="a", array_like=True):
    """A batch that Redis has."""

    writer: str
    number: int


UsageRecord: TypeAlias = Collected | Batch | Accepted
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(UsageRecord).decode
_SIZE_BYTES = 4


class UsageJournal:
    """Keeps the records of `owed` in `memory`; None: they end with the process."""

    def __init__(self, owed: OwedUsage, memory: OutageMemory | None) -> None:
        self._owed = owed
        self._memory = memory

    def __repr__(self) -> str:
        return f"<UsageJournal {self._memory!r}>"

    def collected(self, counts: Iterable[DayCounts]) -> None:
        """Record usage that was added to `owed`."""
        self._append([_collected(each) for each in counts])

    def made(self, batch: Batch) -> None:
        """Record a batch that was made of what waited."""
        self._append([batch])

    def accepted(self, batch: Batch) -> None:
        """Record that Redis has a batch."""
        if self._owed.days or self._owed.batches:
            self._append([Accepted(batch.writer, batch.number)])
        else:
            self.rewrite()

    def rewrite(self) -> None:
        """Replace all records by what is owed now. It is not recorded if the memory is too small for it."""
        if self._memory is not None:
            owed = self._owed
            records: list[UsageRecord] = []
            for batch in owed.batches:
                records += [Collected(batch.day, batch.rows, batch.callers), batch]
            records += map(_collected, owed.days.values())
            self._memory.replace(_encoded(records))

    def recover(self) -> OwedUsage:
        """Return what the process owed that wrote to this memory before. Raises msgspec.MsgspecError."""
        return owed_in(b"" if self._memory is None else self._memory.read())

    def _append(self, records: list[UsageRecord]) -> None:
        if self._memory is not None and records and not self._memory.append(_encoded(records)):
            self.rewrite()


def owed_in(content: bytes) -> OwedUsage:
    """Return what is owed at the end of these records. Raises msgspec.MsgspecError."""
    owed = OwedUsage(max_rows=len(content) + 1)  # no row is renamed once more
    for record in _decoded(content):
        if isinstance(record, Collected):
            callers = {route: {*some} for route, some in record.callers.items()}
            owed.add(DayCounts(record.day, dict(record.rows), callers))
        elif isinstance(record, Batch):
            owed.take(record)
        else:
            owed.accepted(record.writer, record.number)
    return owed


def _collected(counts: DayCounts) -> Collected:
    return Collected(counts.day, [*counts.rows.items()], {route: [*some] for route, some in counts.callers.items()})


def _encoded(records: Iterable[UsageRecord]) -> bytes:
    contents = map(_encode, records)
    return b"".join([part for content in contents for part in (len(content).to_bytes(_SIZE_BYTES), content)])


def _decoded(content: bytes) -> Iterator[UsageRecord]:
    at = 0
    while at < len(content):
        size = int.from_bytes(content[at : at + _SIZE_BYTES])
        at += _SIZE_BYTES + size
        yield _decode(content[at - size : at])
