"""Hands the records of an outage of Redis from workers that end to workers that stay, and usage that Redis lacks.

the worker         ends                  its record goes
of a slot          killed, crashed       to the worker that is forked in its place, which starts with the same memory
of a slot          at a reload           to the new worker of the slot; what it still owes after it has drained, too
of a removed slot  at a reload           to one of the new workers
of a new slot      (starts at a reload)  it gets the record of an old worker without the debts, which another one has
"""

import asyncio
import os
from collections.abc import Mapping

import msgspec

from gateway.supervisor.worker_process import WorkerProcess
from gateway.worker.channel import HandoverState
from gateway.worker.context import WorkerMemory

Members = Mapping[int, WorkerProcess]


class OutageHandover:
    """Hands outages over from the workers `before` to `members`, both by slot."""

    def __init__(self, before: Members, members: Members) -> None:
        self._before = before
        self._members = members
        loop = asyncio.get_running_loop()
        self._passed_on: dict[int, asyncio.Future[None]] = {slot: loop.create_future() for slot in before}

    def pass_on(self, slot: int, state_file: int | None) -> None:
        """Give the workers of new slots the state of the old worker of `slot`; None if it handed over nothing.

        The descriptor `state_file` stays open.
        """
        successors = [
            new for at, new in self._members.items() if at not in self._before and at % len(self._before) == slot
        ]
        if state_file is not None and successors:
            state = _read(state_file)
            for successor in successors:
                successor.give_state(HandoverState(outage=state.outage, share_only=True))
        if not self._passed_on[slot].done():
            self._passed_on[slot].set_result(None)

    async def received(self, slot: int) -> None:
        """Return when the worker of the new `slot` has been given its state."""
        if self._before:
            await self._passed_on[slot % len(self._before)]

    async def retire_without_successor(self, worker: WorkerProcess, timeout_s: float) -> None:
        """Retire a worker whose slot is removed, and give one of the new workers its record, debts included."""
        state_file = None
        if worker.state == "serving":
            state_file = await worker.hand_over(timeout_s)
        else:
            worker.retire(timeout_s)
        self.pass_on(worker.slot, state_file)
        if state_file is not None:
            state = _read(state_file)
            os.close(state_file)
            self._members[worker.slot % len(self._members)].give_state(HandoverState(outage=state.outage))


class WorkerMemories:
    """The memories of workers that have ended."""

    def __init__(self) -> None:
        self._memories: dict[int, WorkerMemory] = {}

    def take(self, slot: int) -> WorkerMemory:
        """Return the memory for a new worker of `slot`: that of its predecessor, if it was kept."""
        return self._memories.pop(slot, None) or WorkerMemory.shared()

    def put_back(self, slot: int, memory: WorkerMemory) -> None:
        """Keep a memory whose worker could not be started."""
        self._memories[slot] = memory

    def keep(self, worker: WorkerProcess) -> None:
        """Keep the memory of a worker that is going to be replaced."""
        self._memories[worker.slot] = worker.memory

    @staticmethod
    def hand_on(worker: WorkerProcess, members: Members) -> None:
        """Give one of `members` what a worker that is not replaced still owes Redis."""
        state = HandoverState(outage=worker.memory.outage.read(), usage=worker.memory.usage.read())
        worker.memory.close()
        successor = members[worker.slot % len(members)] if members else None
        if (state.outage or state.usage) and successor is not None and successor is not worker:
            successor.give_state(state)


def _read(state_file: int) -> HandoverState:
    return msgspec.msgpack.decode(os.pread(state_file, os.fstat(state_file).st_size, 0), type=HandoverState)
