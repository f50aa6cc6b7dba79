"""All that is kept of the last hour of a node: what its workers have counted, and events of targets and reloads."""

from collections.abc import Collection, Coroutine, Sequence
from typing import Any, Protocol

from gateway.history.feed import ActivityFeed
from gateway.history.history import History
from gateway.history.reload_events import ReloadEvents, differences
from gateway.history.target_events import TargetEvents
from gateway.kernel.clock import Clock
from gateway.system.one_shot_thread import Threads
from gateway.table.snapshot import Snapshot


class ObservedWorker(Protocol):
    """A worker process, of which only what it publishes is needed here."""

    activity: ActivityFeed


class ObservedPool(Protocol):
    """The worker processes of a node, and what runs tasks and threads for it."""

    threads: Threads

    @property
    def everybody(self) -> Collection[ObservedWorker]:
        """All workers that have not ended."""
        ...

    def run_in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` in a task."""
        ...


class NodeHistory:
    """Belongs to the supervisor of the workers in `pool`."""

    def __init__(self, clock: Clock, pool: ObservedPool) -> None:
        self._clock = clock
        self._pool = pool
        self._snapshot: Snapshot | None = None
        began = clock.wall()
        self.counts = History(began)
        self.targets = TargetEvents()
        self.reloads = ReloadEvents(began)

    def __repr__(self) -> str:
        return f"<NodeHistory {self.counts!r}>"

    def collect(self, snapshot: Snapshot) -> None:
        """Do what is due once a second; called more often, and before a worker is reaped.

        `snapshot` is the configuration in force.
        """
        wall = self._clock.wall()
        if self.counts.collect([worker.activity for worker in self._pool.everybody], wall):
            self.targets.observe(snapshot, self._clock.monotonic(), wall)
        before, self._snapshot = self._snapshot, snapshot
        if before is not None and before is not snapshot:
            self._pool.run_in_background(self._reloaded(before, snapshot, wall))

    def refused(self, problems: Sequence[str]) -> None:
        """Note that a configuration was refused."""
        self.reloads.refused(self._clock.wall(), problems)

    async def _reloaded(self, before: Snapshot, after: Snapshot, at: float) -> None:
        """Find out in a thread what `after` has changed, and note it."""
        found = await self._pool.threads.run(lambda: differences(before.config, after.config))
        self.reloads.succeeded(at, found)
