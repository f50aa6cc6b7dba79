"""What workers knew while Redis was away, on its way to those that come after them.

the worker         ends                  its knowledge goes
of a slot          killed, crashed       to the one that is forked in its place, which begins with the same memory
of a slot          at a reload           to the one that has its slot now; what it owes still when it has drained, too
of no slot now     at a reload           to one of those that there are now
of a new slot      (begins at a reload)  from one that there was: its share, not its debts
"""

import asyncio
import os
from collections.abc import Mapping

import msgspec

from gateway.limiter.outage_memory import OutageMemory
from gateway.supervisor.worker_process import WorkerProcess
from gateway.worker.channel import HandoverState

Members = Mapping[int, WorkerProcess]


class Handover:
    """Of one generation of workers to the next, by slot."""

    def __init__(self, before: Members, members: Members) -> None:
        self._before = before
        self._members = members
        loop = asyncio.get_running_loop()
        self._told: dict[int, asyncio.Future[None]] = {slot: loop.create_future() for slot in before}

    def tell(self, slot: int, legacy: int | None) -> None:
        """What the worker that had `slot` left, which stays open: whoever has a new slot knows it as well, or needs not wait."""
        heirs = [new for at, new in self._members.items() if at not in self._before and at % len(self._before) == slot]
        if legacy is not None and heirs:
            estate = _read(legacy)
            for successor in heirs:
                successor.hand(HandoverState(outage=estate.outage, share_only=True))
        if not self._told[slot].done():
            self._told[slot].set_result(None)

    async def told(self, slot: int) -> None:
        """Whoever has the new `slot` knows what it is to begin with."""
        if self._before:
            await self._told[slot % len(self._before)]

    async def leave(self, worker: WorkerProcess, timeout_s: float) -> None:
        """`worker` retires, and has no successor in its slot: one of the others owes what it owes."""
        legacy = None
        if worker.state == "serving":
            legacy = await worker.hand_over(timeout_s)
        else:
            worker.retire(timeout_s)
        self.tell(worker.slot, legacy)
        if legacy is not None:
            estate = _read(legacy)
            os.close(legacy)
            self._members[worker.slot % len(self._members)].hand(HandoverState(outage=estate.outage))


class Left:
    """The memory of workers that have ended."""

    def __init__(self) -> None:
        self._memories: dict[int, OutageMemory] = {}

    def take(self, slot: int) -> OutageMemory:
        """What a new worker for `slot` begins with."""
        return self._memories.pop(slot, None) or OutageMemory.shared()

    def put_back(self, slot: int, memory: OutageMemory) -> None:
        """It was taken for a worker that could not be started."""
        self._memories[slot] = memory

    def keep(self, worker: WorkerProcess) -> None:
        """`worker` is replaced."""
        self._memories[worker.slot] = worker.outage

    @staticmethod
    def give(worker: WorkerProcess, members: Members) -> None:
        """`worker` is not: what it could not tell Redis any more is owed by one of `members`."""
        content = worker.outage.read()
        worker.outage.close()
        successor = members[worker.slot % len(members)] if members else None
        if content and successor is not None and successor is not worker:
            successor.hand(HandoverState(outage=content))


def _read(legacy: int) -> HandoverState:
    return msgspec.msgpack.decode(os.pread(legacy, os.fstat(legacy).st_size, 0), type=HandoverState)
