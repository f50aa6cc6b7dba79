"""supervisor/outage_handover.py: what workers knew of an outage goes to those that come after them."""

import asyncio
import os
from typing import Any, cast

import msgspec

from gateway.limiter.outage_memory import OutageMemory
from gateway.supervisor.outage_handover import Handover, Left
from gateway.supervisor.worker_process import WorkerProcess
from gateway.worker.channel import HandoverState, memory_file


class Worker:
    """As much of one as is asked here."""

    def __init__(self, slot: int, leaves: bytes | None = None) -> None:
        self.slot = slot
        self.state = "serving" if leaves is not None else "starting"
        self.outage = OutageMemory.shared(half_bytes=16384)
        self.given: list[HandoverState] = []
        self.retired = False
        self._leaves = leaves

    def hand(self, estate: HandoverState) -> None:
        self.given.append(estate)

    def retire(self, timeout_s: float) -> None:
        self.retired = timeout_s == 5.0

    async def hand_over(self, timeout_s: float) -> int | None:
        assert timeout_s == 5.0
        return legacy(self._leaves) if self._leaves else None


def legacy(outage: bytes) -> int:
    return memory_file(msgspec.msgpack.encode(HandoverState(b"limits", b"keys", outage)))


def members(*workers: Worker) -> dict[int, WorkerProcess]:
    return {worker.slot: cast("WorkerProcess", cast("Any", worker)) for worker in workers}


async def test_new_slots_begin_with_a_share_and_owe_nothing() -> None:
    new = [Worker(slot) for slot in range(5)]
    handover = Handover(members(Worker(0, b"a"), Worker(1, b"b")), members(*new))
    waiting = [asyncio.ensure_future(handover.told(slot)) for slot in (2, 3, 4)]
    for slot, content in enumerate((b"a", b"b")):
        fd = legacy(content)
        handover.tell(slot, fd)
        os.close(fd)  # it was left open
    await asyncio.gather(*waiting)
    assert [worker.given for worker in new] == [[], []] + [[HandoverState(outage=each, share_only=True)] for each in (b"a", b"b", b"a")]


async def test_nobody_waits_for_who_left_nothing_or_was_never_there() -> None:
    handover = Handover(members(Worker(0)), members(Worker(0), Worker(1)))
    handover.tell(0, None)
    handover.tell(0, None)
    await handover.told(1)
    await Handover({}, members(Worker(0))).told(0)


async def test_one_of_those_that_there_are_owes_what_a_slot_that_is_gone_owed() -> None:
    new, old = [Worker(0), Worker(1)], [Worker(0, b"a"), Worker(1, b"b"), Worker(2, b"c"), Worker(3, b""), Worker(4)]
    handover = Handover(members(*old), members(*new))
    for worker in members(*old[2:]).values():
        await handover.leave(worker, 5.0)
    assert [worker.given for worker in new] == [[HandoverState(outage=b"c")], []]
    assert [worker.retired for worker in old[2:]] == [False, False, True]


def test_who_takes_the_place_of_a_dead_one_begins_with_its_memory() -> None:
    left, dead = Left(), Worker(1)
    left.keep(members(dead)[1])
    assert left.take(1) is dead.outage
    assert left.take(1).used == 0


def test_what_nobody_takes_the_place_of_owed_is_owed_by_another() -> None:
    heirs = [Worker(0), Worker(1)]
    for content in (b"owed", b""):
        dead = Worker(3)
        dead.outage.append(content)
        Left.give(members(dead)[3], members(*heirs))
    assert [successor.given for successor in heirs] == [[], [HandoverState(outage=b"owed")]]
    last = Worker(0)
    last.outage.append(b"owed")
    Left.give(members(last)[0], {})
    itself = Worker(0)
    itself.outage.append(b"owed")
    Left.give(members(itself)[0], members(itself))
    assert itself.given == []
