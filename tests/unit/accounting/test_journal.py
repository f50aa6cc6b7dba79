"""accounting/journal.py: what a process owes is in memory that outlives it."""

import msgspec
import pytest

from gateway.accounting.counts import DayCounts
from gateway.accounting.journal import UsageJournal, owed_in
from gateway.accounting.owed import OwedUsage
from gateway.limiter.outage_memory import OutageMemory
from tests.unit.accounting.test_owed import day


class Process:
    """As much of a worker as writes a journal."""

    def __init__(self, memory: OutageMemory | None) -> None:
        self.owed = OwedUsage()
        self.journal = UsageJournal(self.owed, memory)

    def collect(self, *counts: DayCounts) -> None:
        self.journal.collected([self.owed.add(each) for each in counts])

    def make(self, number: int) -> None:
        batch = self.owed.make_batch("w", number)
        assert batch is not None
        self.journal.made(batch)

    def accepted(self) -> None:
        batch = self.owed.batches[0]
        self.owed.accepted(batch.writer, batch.number)
        self.journal.accepted(batch)


def same(one: OwedUsage, other: OwedUsage) -> bool:
    return (one.days, one.batches, one.calls) == (other.days, other.batches, other.calls)


def test_after_each_step_the_memory_has_what_is_owed() -> None:
    memory = OutageMemory.shared()
    process = Process(memory)
    steps = [
        lambda: process.collect(day(29, {"open": {"::1", "::2"}}, a=1), day(30, a=2)),
        lambda: process.make(1),
        lambda: process.collect(day(29, a=4)),
        process.accepted,
        lambda: process.make(2),
        process.journal.rewrite,
        process.accepted,
        lambda: process.make(3),
        process.accepted,
    ]
    assert repr(process.journal) == "<UsageJournal <OutageMemory 0 bytes>>"
    for step in steps:
        step()
        assert same(Process(memory).journal.recover(), process.owed)
    assert (memory.used, process.owed.calls) == (0, 0)


def test_when_the_memory_is_full_the_present_state_replaces_what_was_written() -> None:
    memory = OutageMemory.shared(half_bytes=16384)
    process = Process(memory)
    for number in range(1, 400):
        process.collect(day(29, a=1))
        process.make(number)
        process.accepted()
        process.collect(day(30, a=1))
    assert memory.used < 16384
    assert same(Process(memory).journal.recover(), process.owed)
    assert process.owed.calls == 2


def test_what_does_not_fit_is_not_recorded_and_still_owed() -> None:
    memory = OutageMemory.shared(half_bytes=16384)
    process = Process(memory)
    process.collect(day(30, {}, **{f"key{number}": 1 for number in range(2000)}))
    assert (memory.used, process.owed.calls) == (0, 2000)


def test_without_memory_nothing_is_recorded() -> None:
    process = Process(None)
    process.collect(day(a=1))
    process.make(1)
    process.journal.rewrite()
    assert process.journal.recover().calls == 0
    process.accepted()


def test_what_is_no_record_is_an_error() -> None:
    with pytest.raises(msgspec.MsgspecError):
        owed_in(b"\0\0\0\x01\xff")
    assert owed_in(b"").calls == 0
