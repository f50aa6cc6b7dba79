"""Who accepts connections in the place of a worker that is lost.

Laws:
 - Every listening socket has somebody who accepts: when a worker ends, another one of its generation accepts from its
   sockets too, until its successor serves. So a connection never waits for a process that cannot be started.
 - When there is no other one, and no successor can be started, connections are refused at once, those that wait included.
"""

from collections.abc import Mapping

from gateway.supervisor.listening_sockets import Sockets
from gateway.supervisor.worker_process import WorkerProcess


class Cover:
    """For the workers of one generation, by slot."""

    def __init__(self, sockets: Sockets) -> None:
        self._sockets = sockets
        self._by: dict[int, WorkerProcess] = {}
        """Who stands in, by the slot of the one that is lost."""

    def __repr__(self) -> str:
        return f"<Cover of slots {sorted(self._by)}>"

    def whole(self, members: Mapping[int, WorkerProcess]) -> bool:
        """Whether every socket of `members` has somebody who accepts."""
        return all(worker.state in ("ready", "serving") or self._stands_in(slot) for slot, worker in members.items())

    def arrange(self, members: Mapping[int, WorkerProcess]) -> None:
        """To be called whenever one of `members` has begun to serve, or has ended."""
        serving = [worker for worker in members.values() if worker.state == "serving"]
        for slot, worker in [*self._by.items()]:
            if slot not in members or members[slot].state == "serving" or worker not in serving:
                del self._by[slot]
                worker.take_back(slot)
        for slot, worker in members.items():
            if worker.state == "ended" and slot not in self._by and serving:
                self._lend(worker, min(serving, key=self._burden), len(members))

    def refuse(self, members: Mapping[int, WorkerProcess]) -> None:
        """No successor can be started for the time being."""
        if not any(worker.state == "serving" for worker in members.values()):
            self._sockets.refuse()

    def _lend(self, lost: WorkerProcess, to: WorkerProcess, count: int) -> None:
        listeners = lost.snapshot.config.server.listeners
        own = {sock for _, shared in self._sockets.share(listeners, to.slot, count) for sock in shared}
        for number, (_, sockets) in enumerate(self._sockets.share(listeners, lost.slot, count)):
            to.seed_share(lost.slot, number, [sock for sock in sockets if sock not in own])
        self._by[lost.slot] = to

    def _stands_in(self, slot: int) -> bool:
        return slot in self._by and self._by[slot].state == "serving"

    def _burden(self, worker: WorkerProcess) -> int:
        return sum(each is worker for each in self._by.values())
