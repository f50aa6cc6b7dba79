"""The worker processes: one for each slot of the current generation, and those of earlier ones that still drain."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

import structlog

from gateway.observe.node_metrics import NodeMetrics
from gateway.observe.recent_errors import ErrorRings
from gateway.observe.shared_memory import Region
from gateway.supervisor.listening_sockets import Sockets
from gateway.supervisor.metric_regions import MetricRegions
from gateway.supervisor.orphaned_sockets import OrphanedSockets
from gateway.supervisor.outage_handover import OutageHandover, WorkerMemories
from gateway.supervisor.restart_backoff import RestartBackoff
from gateway.supervisor.worker_process import WorkerProcess, WorkerStartError
from gateway.system.clock import SYSTEM_CLOCK
from gateway.system.fork import reap_strangers
from gateway.system.malloc import give_back
from gateway.system.one_shot_thread import Threads
from gateway.system.reserved_descriptors import Reserve
from gateway.table.snapshot import Snapshot
from gateway.upstream.maintenance_switch import MaintenanceSwitch
from gateway.worker.worker import BEAT_S

REFUSE_AFTER_S = 1.0
"""The seconds from the start of a drain until the sockets of workers that have not closed them refuse connections."""
KILL_AFTER_S = 5.0
"""A draining worker is killed this time after its timeout."""
STACK_WITHIN_S, READY_WITHIN_S = 0.2, 60.0


class WorkerPool:
    """Forks workers, replaces those that die or hang, and keeps the memory in which each of them counts."""

    def __init__(self, sockets: Sockets, metrics: NodeMetrics, stuck_after_s: float) -> None:
        self.sockets = sockets
        self.metrics = metrics
        self.stuck_after_s = stuck_after_s
        self.generation = 0
        self.members: dict[int, WorkerProcess] = {}
        """The workers of the current generation, by slot."""
        self.everybody: set[WorkerProcess] = set()  # that have not ended
        self.cut = 0
        """The number of requests that drains have cut."""
        self.threads = Threads()
        self.spared: set[int] = set()
        """The process ids of other children, which are not reaped here."""
        self.errors = ErrorRings()
        self.switch = MaintenanceSwitch()
        self.metric_regions = MetricRegions(metrics)
        self._backoff = RestartBackoff()
        self._reserve = Reserve()
        self._orphaned_sockets = OrphanedSockets(sockets)
        self._memories = WorkerMemories()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        metrics.workers.labels("serving").watch(lambda: float(self._count("serving")))
        metrics.workers.labels("starting").watch(lambda: float(self._count("starting") + self._count("ready")))
        metrics.workers.labels("draining").watch(lambda: float(self._count("draining")))

    def __repr__(self) -> str:
        return f"<WorkerPool generation {self.generation}, {self._count('serving')}/{len(self.everybody)} serving>"

    @property
    def not_ready_reasons(self) -> list[str]:
        """Why the platform should not send clients here; empty if it should."""
        serving = [worker for worker in self.members.values() if worker.state == "serving"]
        if not serving:
            return ["no worker is ready"]
        if not self._orphaned_sockets.all_served(self.members):
            return ["nobody accepts the connections of a worker that is lost"]
        # Draining workers count: their successors may still be connecting to Redis.
        if serving[0].snapshot.needs_redis and not any(worker.heartbeat.redis_up for worker in self.everybody):
            return ["redis is away"]
        return []

    @property
    def regions(self) -> list[Region]:
        """The memory of all metrics, except the supervisor's own."""
        return [*self.metric_regions.unused, *(worker.region for worker in self.everybody)]

    async def start_generation(self, snapshot: Snapshot, count: int) -> dict[int, WorkerProcess]:
        """Start `count` workers, and return them by slot when all are ready; they do not serve yet.

        Raises WorkerStartError or OSError, after it has ended those that were started.
        """
        self.generation += 1
        give_back()
        started: list[WorkerProcess] = []
        try:
            await self.threads.quiet()
            for slot in range(count):
                started.append(self._fork(snapshot, self.generation, slot, count))  # noqa: PERF401  one by one: the next may fail
            try:
                await asyncio.wait_for(asyncio.gather(*[worker.ready for worker in started]), READY_WITHIN_S)
            except TimeoutError:
                raise WorkerStartError(f"workers were not ready within {READY_WITHIN_S:g} s") from None
        except BaseException:
            for worker in started:
                worker.replace = False
                worker.kill()
            raise
        return {worker.slot: worker for worker in started}

    async def switch_to(self, members: dict[int, WorkerProcess], drain_timeout_s: float) -> None:
        """Make `members` the current generation: each serves, with the state of its predecessor, which drains."""
        before, self.members = self.members, members
        for worker in members.values():
            if worker.state == "ended":
                self._replace(worker, worker.exited.result())
        handover = OutageHandover(before, members)
        for slot, worker in before.items():
            if slot not in members:
                self.run_in_background(handover.retire_without_successor(worker, drain_timeout_s))
                self._kill_late(worker, drain_timeout_s)
                self.metrics.lag(slot, None)
        switches = [
            self._switch(before.get(slot), worker, drain_timeout_s, handover) for slot, worker in members.items()
        ]
        await asyncio.gather(*switches)
        self._orphaned_sockets.assign(members)

    def queryable(self) -> list[WorkerProcess]:
        """Return the workers that answer queries; those that serve come first, those that drain last."""
        able = [worker for worker in self.everybody if worker.state in ("serving", "draining")]
        return sorted(able, key=lambda worker: (worker.state != "serving", worker.slot))

    def disable_keep_alive(self) -> None:
        """Have every worker close each connection after its next reply."""
        for worker in self.everybody:
            worker.disable_keep_alive()

    async def drain(self, timeout_s: float, hurry: asyncio.Event, *, last: bool) -> None:
        """Retire all workers and wait until they have ended; cut what remains after `timeout_s` or on `hurry`.

        `last`: no other process accepts from the sockets.
        """
        self._closed = True
        for task in self._tasks:
            task.cancel()
        for worker in self.everybody:
            if worker.state in ("starting", "ready"):
                worker.kill()
            elif worker.replace:
                self._retire(worker, timeout_s, last=last)
        loop = asyncio.get_running_loop()
        refusing = loop.call_later(REFUSE_AFTER_S, self.sockets.reject) if last else None
        all_ended, hurried = loop.create_task(self._all_ended()), loop.create_task(hurry.wait())
        waited: set[asyncio.Task[Any]] = {all_ended, hurried}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        if not all_ended.done():
            for worker in self.everybody:
                worker.cut()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(all_ended), KILL_AFTER_S)
            for worker in self.everybody:
                worker.kill()
        await all_ended
        if refusing is not None:
            refusing.cancel()

    def reap(self) -> None:
        """Handle SIGCHLD: children have ended."""
        for worker in [*self.everybody]:
            code = worker.reap()
            if code is not None:
                self._ended(worker, code)
        reap_strangers({worker.pid for worker in self.everybody} | self.spared)

    def check_workers(self, now: float) -> None:
        """Update the event loop lag of each worker, and replace workers that hang. Called periodically."""
        for slot, worker in self.members.items():
            if worker.state != "ended":
                self.metrics.lag(slot, worker.lag_s(now, BEAT_S))
        for worker in self.everybody:
            silent = (
                now - worker.started_at > READY_WITHIN_S
                if worker.state == "starting"
                else worker.silent_s(now) > self.stuck_after_s
            )
            if silent and not worker.stuck:
                worker.stuck = True
                self.run_in_background(self._replace_stuck(worker))

    def run_in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` in a task, and log its exception, if there is one."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _count(self, state: str) -> int:
        return sum(worker.state == state for worker in self.everybody)

    def _fork(self, snapshot: Snapshot, generation: int, slot: int, count: int) -> WorkerProcess:
        listeners = snapshot.config.server.listeners
        with self._reserve.released(), contextlib.ExitStack() as failed:
            self.sockets.reopen(listeners)
            region = self.metric_regions.take()
            failed.callback(self.metric_regions.give_back, region)
            errors = self.errors.take()
            failed.callback(self.errors.give_back, errors)
            memory = self._memories.take(slot)
            failed.callback(self._memories.put_back, slot, memory)
            shared = self.sockets.share(listeners, slot, count)
            worker = WorkerProcess(
                slot, generation, snapshot, region, errors, shared, workers=count, memory=memory, switch=self.switch
            )
            failed.pop_all()
        self.everybody.add(worker)
        return worker

    async def _switch(
        self, old: WorkerProcess | None, new: WorkerProcess, timeout_s: float, handover: OutageHandover
    ) -> None:
        state = None
        if old is None:
            await handover.received(new.slot)
        elif old.state == "serving":
            state = await old.hand_over(timeout_s)
            self._kill_late(old, timeout_s)
            handover.pass_on(old.slot, state)
        else:
            old.replace = False
            old.kill()
            handover.pass_on(old.slot, None)
        new.serve(state)

    def _retire(self, worker: WorkerProcess, timeout_s: float, *, last: bool = False) -> None:
        worker.retire(timeout_s, self.sockets.ours(worker.snapshot.config.server.listeners) if last else ())
        self._kill_late(worker, timeout_s)

    def _kill_late(self, worker: WorkerProcess, timeout_s: float) -> None:
        handle = asyncio.get_running_loop().call_later(timeout_s + KILL_AFTER_S, worker.kill)
        worker.exited.add_done_callback(lambda _: handle.cancel())

    def _ended(self, worker: WorkerProcess, code: int) -> None:
        self.everybody.discard(worker)
        self.cut += worker.heartbeat.cut
        worker.region.writer_exited()
        worker.snapshot.shared_state.writer_exited()
        self.metric_regions.give_back(worker.region)
        self.errors.give_back(worker.errors)
        if worker.replace and not self._closed and self.members.get(worker.slot) is worker:
            self._orphaned_sockets.assign(self.members)
            self._memories.keep(worker)
            self._replace(worker, code)
        else:
            self._memories.hand_on(worker, {} if self._closed else self.members)

    def _replace(self, worker: WorkerProcess, code: int) -> None:
        reason = "stuck" if worker.stuck else "killed" if code < 0 else "crashed" if code else "ended"
        self.metrics.restarts.labels(reason).inc()
        structlog.get_logger().error("worker ended", worker=worker.slot, pid=worker.pid, reason=reason, code=code)
        served_s = 0.0 if worker.serving_since is None else SYSTEM_CLOCK.monotonic() - worker.serving_since
        self.run_in_background(self._refill(worker, self._backoff.after_death(worker.slot, served_s)))

    async def _refill(self, lost: WorkerProcess, wait_s: float) -> None:
        """Start a successor of `lost` after `wait_s`; repeat the attempt until there is a process."""
        worker, failures = None, 0
        while worker is None:
            if wait_s:
                self._orphaned_sockets.reject(self.members)
                await asyncio.sleep(wait_s)
            await self.threads.quiet()
            if self._closed or self.members.get(lost.slot) is not lost:
                return
            try:
                worker = self._fork(lost.snapshot, lost.generation, lost.slot, len(self.members))
            except (OSError, MemoryError) as error:
                if not failures:
                    structlog.get_logger().error("no worker can be started", worker=lost.slot, reason=str(error))
                failures += 1
                wait_s = self._backoff.after_failures(failures)
        self.members[lost.slot] = worker
        with contextlib.suppress(WorkerStartError):  # its end is noticed by `reap`, which replaces it
            await worker.ready
            if worker.replace:
                self.sockets.listen(worker.snapshot.config.server.listeners, worker.slot, len(self.members))
                worker.serve()
                self._orphaned_sockets.assign(self.members)

    async def _replace_stuck(self, worker: WorkerProcess) -> None:
        worker.dump_stacks()
        await asyncio.wait({worker.exited}, timeout=STACK_WITHIN_S)
        if worker.state != "ended":
            structlog.get_logger().error("worker stuck", worker=worker.slot, pid=worker.pid, stacks=worker.stacks())
            worker.kill()

    async def _all_ended(self) -> None:
        while self.everybody:
            await asyncio.wait({worker.exited for worker in self.everybody})

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            structlog.get_logger().error("bug", exc_info=error)
