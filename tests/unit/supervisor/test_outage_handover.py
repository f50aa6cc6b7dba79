"""supervisor/outage_handover.py: what workers knew and owed goes to those that come after them."""

import asyncio
import os
from typing import Any, cast

import msgspec

from gateway.limiter.outage_memory import OutageMemory
from gateway.supervisor.outage_handover import OutageHandover, WorkerMemories
from gateway.supervisor.worker_process import WorkerProcess
from gateway.worker.channel import HandoverState, memory_file
from gateway.worker.context import WorkerMemory


class Worker:
    """As much of one as is asked here."""

    def __init__(self, slot: int, hands_over: bytes | None = None) -> None:
        self.slot = slot
        self.state = "serving" if hands_over is not None else "starting"
        self.memory = WorkerMemory(*[OutageMemory.shared(half_bytes=16384) for _ in range(2)])
        self.given: list[HandoverState] = []
        self.retired = False
        self._hands_over = hands_over

    def give_state(self, state: HandoverState) -> None:
        self.given.append(state)

    def retire(self, timeout_s: float) -> None:
        self.retired = timeout_s == 5.0

    async def hand_over(self, timeout_s: float) -> int | None:
        assert timeout_s == 5.0
        return state_file(self._hands_over) if self._hands_over else None


def state_file(outage: bytes) -> int:
    return memory_file(msgspec.msgpack.encode(HandoverState(b"limits", b"keys", outage)))


def members(*workers: Worker) -> dict[int, WorkerProcess]:
    return {worker.slot: cast("WorkerProcess", cast("Any", worker)) for worker in workers}


async def test_new_slots_start_with_a_share_and_without_debts() -> None:
    new = [Worker(slot) for slot in range(5)]
    handover = OutageHandover(members(Worker(0, b"a"), Worker(1, b"b")), members(*new))
    waiting = [asyncio.ensure_future(handover.received(slot)) for slot in (2, 3, 4)]
    for slot, content in enumerate((b"a", b"b")):
        fd = state_file(content)
        handover.pass_on(slot, fd)
        os.close(fd)  # it was left open
    await asyncio.gather(*waiting)
    assert [worker.given for worker in new] == [[], []] + [
        [HandoverState(outage=each, share_only=True)] for each in (b"a", b"b", b"a")
    ]


async def test_new_slots_do_not_wait_when_there_is_no_state() -> None:
    handover = OutageHandover(members(Worker(0)), members(Worker(0), Worker(1)))
    handover.pass_on(0, None)
    handover.pass_on(0, None)
    await handover.received(1)
    await OutageHandover({}, members(Worker(0))).received(0)


async def test_the_debts_of_a_removed_slot_go_to_a_remaining_worker() -> None:
    new, old = [Worker(0), Worker(1)], [Worker(0, b"a"), Worker(1, b"b"), Worker(2, b"c"), Worker(3, b""), Worker(4)]
    handover = OutageHandover(members(*old), members(*new))
    for worker in members(*old[2:]).values():
        await handover.retire_without_successor(worker, 5.0)
    assert [worker.given for worker in new] == [[HandoverState(outage=b"c")], []]
    assert [worker.retired for worker in old[2:]] == [False, False, True]


def test_the_successor_of_a_dead_worker_starts_with_its_memory() -> None:
    memories, dead = WorkerMemories(), Worker(1)
    memories.keep(members(dead)[1])
    assert memories.take(1) is dead.memory
    assert memories.take(1).outage.used == 0


def test_the_debts_of_a_worker_without_successor_go_to_another_worker() -> None:
    successors = [Worker(0), Worker(1)]
    for owed, usage in ((b"owed", b""), (b"", b"usage"), (b"", b"")):
        dead = Worker(3)
        dead.memory.outage.append(owed)
        dead.memory.usage.append(usage)
        WorkerMemories.hand_on(members(dead)[3], members(*successors))
    assert [successor.given for successor in successors] == [
        [],
        [HandoverState(outage=b"owed"), HandoverState(usage=b"usage")],
    ]
    last = Worker(0)
    last.memory.outage.append(b"owed")
    WorkerMemories.hand_on(members(last)[0], {})
    itself = Worker(0)
    itself.memory.outage.append(b"owed")
    WorkerMemories.hand_on(members(itself)[0], members(itself))
    assert itself.given == []


def test_the_memory_of_a_worker_that_could_not_be_started_is_used_again() -> None:
    memories = WorkerMemories()
    memory = memories.take(0)
    memories.put_back(0, memory)
    assert memories.take(0) is memory
    assert memories.take(0) is not memory
