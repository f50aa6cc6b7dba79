"""Has another worker accept the connections of a worker that has ended.

Laws:
 - Every listening socket has a worker that accepts: when a worker ends, another one of its generation accepts from its
   sockets too, until the successor serves. So a connection never waits for a process that cannot be started.
 - When there is no other worker, and no successor can be started, connections are refused at once, including those
   that wait to be accepted.
"""

from collections.abc import Mapping

from gateway.supervisor.listening_sockets import Sockets
from gateway.supervisor.worker_process import WorkerProcess


class OrphanedSockets:
    """The sockets of ended workers of one generation. `members` are always the workers of that generation, by slot."""

    def __init__(self, sockets: Sockets) -> None:
        self._sockets = sockets
        self._substitutes: dict[int, WorkerProcess] = {}
        """The worker that accepts instead, by the slot of the worker that has ended."""

    def __repr__(self) -> str:
        return f"<OrphanedSockets of slots {sorted(self._substitutes)}>"

    def all_served(self, members: Mapping[int, WorkerProcess]) -> bool:
        """Return whether every socket of `members` has a worker that accepts."""
        return all(
            worker.state in ("ready", "serving") or self._has_substitute(slot) for slot, worker in members.items()
        )

    def assign(self, members: Mapping[int, WorkerProcess]) -> None:
        """Assign sockets anew. To be called whenever one of `members` has begun to serve, or has ended."""
        serving = [worker for worker in members.values() if worker.state == "serving"]
        for slot, worker in [*self._substitutes.items()]:
            if slot not in members or members[slot].state == "serving" or worker not in serving:
                del self._substitutes[slot]
                worker.reclaim_sockets(slot)
        for slot, worker in members.items():
            if worker.state == "ended" and slot not in self._substitutes and serving:
                self._share(worker, min(serving, key=self._load_of), len(members))

    def reject(self, members: Mapping[int, WorkerProcess]) -> None:
        """Refuse connections if none of `members` serves: no successor can be started at present."""
        if not any(worker.state == "serving" for worker in members.values()):
            self._sockets.reject()

    def _share(self, ended: WorkerProcess, substitute: WorkerProcess, count: int) -> None:
        listeners = ended.snapshot.config.server.listeners
        has = {sock for _, shared in self._sockets.share(listeners, substitute.slot, count) for sock in shared}
        for number, (_, sockets) in enumerate(self._sockets.share(listeners, ended.slot, count)):
            substitute.share_sockets(ended.slot, number, [sock for sock in sockets if sock not in has])
        self._substitutes[ended.slot] = substitute

    def _has_substitute(self, slot: int) -> bool:
        return slot in self._substitutes and self._substitutes[slot].state == "serving"

    def _load_of(self, worker: WorkerProcess) -> int:
        return sum(each is worker for each in self._substitutes.values())
