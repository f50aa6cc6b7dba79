"""The workers: one for each slot, of the generation in force, and those of earlier ones that still drain."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

import structlog

from gateway.observe.node_metrics import NodeMetrics
from gateway.observe.recent_errors import ErrorRings
from gateway.observe.shared_memory import Region
from gateway.supervisor.fork import reap_strangers
from gateway.supervisor.listening_sockets import Sockets
from gateway.supervisor.orphaned_sockets import Cover
from gateway.supervisor.outage_handover import Handover, Left
from gateway.supervisor.worker_process import WorkerProcess, WorkerStartError
from gateway.system.malloc import give_back
from gateway.system.one_shot_thread import Threads
from gateway.system.reserved_descriptors import Reserve
from gateway.table.snapshot import Snapshot
from gateway.worker.worker import BEAT_S, SYSTEM

YOUNG_S = 0.5
"""Who dies before this age dies of itself: after a few of those in a row, the next one waits."""
AT_ONCE = 5
FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 1.0
"""Between tries: what is wrong ends unseen, and the worker is to be back within two seconds of that."""
REFUSE_AFTER_S = 1.0
"""From the beginning of a drain, for workers that did not come to close their sockets by themselves."""
KILL_AFTER_S = 5.0
"""How long after its time is up a worker that still drains is killed."""
STACK_WITHIN_S = 0.2
READY_WITHIN_S = 60.0


class WorkerPool:
    """Forks workers, replaces those that die, and remembers the memory that each counted in."""

    def __init__(self, sockets: Sockets, metrics: NodeMetrics, stuck_after_s: float) -> None:
        self.sockets = sockets
        self.metrics = metrics
        self.stuck_after_s = stuck_after_s
        self.generation = 0
        self.members: dict[int, WorkerProcess] = {}
        """Of the generation in force, by slot."""
        self.everybody: set[WorkerProcess] = set()
        self.cut = 0
        """Requests that drains did not wait for."""
        self.threads = Threads()
        self.spared: set[int] = set()
        """The ids of children that are none of the workers, and that somebody else waits for."""
        self.errors = ErrorRings()
        self._free: list[Region] = []
        self._foreign: list[Region] = []
        self._deaths: dict[int, int] = {}
        self._reserve = Reserve()
        self._cover = Cover(sockets)
        self._left = Left()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        metrics.workers.labels("serving").watch(lambda: float(self._count("serving")))
        metrics.workers.labels("starting").watch(lambda: float(self._count("starting") + self._count("ready")))
        metrics.workers.labels("draining").watch(lambda: float(self._count("draining")))

    def __repr__(self) -> str:
        return f"<WorkerPool generation {self.generation}, {self._count('serving')}/{len(self.everybody)} serving>"

    @property
    def not_ready_reasons(self) -> list[str]:
        """Why clients should not be sent here; none when they should."""
        serving = [worker for worker in self.members.values() if worker.state == "serving"]
        if not serving:
            return ["no worker is ready"]
        if not self._cover.whole(self.members):
            return ["nobody accepts the connections of a worker that is lost"]
        # Those that drain count: their successors may only just be connecting.
        if serving[0].snapshot.needs_redis and not any(worker.heartbeat.redis_up for worker in self.everybody):
            return ["redis is away"]
        return []

    @property
    def regions(self) -> list[Region]:
        """All that anybody has counted in, but for the supervisor."""
        return [*self._free, *self._foreign, *(worker.region for worker in self.everybody)]

    def show(self, regions: list[Region]) -> None:
        """Those of another supervisor's workers, who still count in them."""
        self._foreign = regions
        for region in regions:
            self.metrics.add(region)

    def take_over(self) -> None:
        """Those workers have ended."""
        for region in self._foreign:
            region.writer_exited()
        self._free += self._foreign
        self._foreign = []

    async def raise_(self, snapshot: Snapshot, count: int) -> dict[int, WorkerProcess]:
        """`count` workers of a new generation, ready and not yet serving. Raises WorkerStartError, OSError, and then has none of them."""
        self.generation += 1
        give_back()
        raised: list[WorkerProcess] = []
        try:
            await self.threads.quiet()
            for slot in range(count):
                raised.append(self._fork(snapshot, self.generation, slot, count))  # noqa: PERF401  one by one: the next may fail
            try:
                await asyncio.wait_for(asyncio.gather(*[worker.ready for worker in raised]), READY_WITHIN_S)
            except TimeoutError:
                raise WorkerStartError(f"workers were not ready within {READY_WITHIN_S:g} s") from None
        except BaseException:
            for worker in raised:
                worker.replace = False
                worker.kill()
            raise
        return {worker.slot: worker for worker in raised}

    async def succeed(self, members: dict[int, WorkerProcess], drain_timeout_s: float) -> None:
        """`members` serve from now on, each with what its predecessor knew; the predecessors drain."""
        before, self.members = self.members, members
        for worker in members.values():
            if worker.state == "ended":
                self._replace(worker, worker.exited.result())
        handover = Handover(before, members)
        for slot, worker in before.items():
            if slot not in members:
                self.later(handover.leave(worker, drain_timeout_s))
                self._kill_late(worker, drain_timeout_s)
                self.metrics.lag(slot, None)
        await asyncio.gather(*[self._succeed(before.get(slot), worker, drain_timeout_s, handover) for slot, worker in members.items()])
        self._cover.arrange(members)

    def answering(self) -> list[WorkerProcess]:
        """Those that can be asked something, who serves before who drains."""
        able = [worker for worker in self.everybody if worker.state in ("serving", "draining")]
        return sorted(able, key=lambda worker: (worker.state != "serving", worker.slot))

    def part(self) -> None:
        for worker in self.everybody:
            worker.part()

    async def drain(self, timeout_s: float, hurry: asyncio.Event, *, last: bool) -> None:
        """Everybody finishes and ends, at once if there is a hurry. `last`: nobody accepts from the sockets any more."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        for worker in self.everybody:
            if worker.state in ("starting", "ready"):
                worker.kill()
            elif worker.replace:
                self._retire(worker, timeout_s, last=last)
        loop = asyncio.get_running_loop()
        refusing = loop.call_later(REFUSE_AFTER_S, self.sockets.refuse) if last else None
        gone, hurried = loop.create_task(self._gone()), loop.create_task(hurry.wait())
        waited: set[asyncio.Task[Any]] = {gone, hurried}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        if not gone.done():
            for worker in self.everybody:
                worker.cut()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(gone), KILL_AFTER_S)
            for worker in self.everybody:
                worker.kill()
        await gone
        if refusing is not None:
            refusing.cancel()

    def reap(self) -> None:
        """Children have ended: SIGCHLD."""
        for worker in [*self.everybody]:
            code = worker.reap()
            if code is not None:
                self._ended(worker, code)
        reap_strangers({worker.pid for worker in self.everybody} | self.spared)

    def look_around(self, now: float) -> None:
        """What a clock has to find out: who is stuck, and how late the loops are."""
        for slot, worker in self.members.items():
            if worker.state != "ended":
                self.metrics.lag(slot, worker.lag_s(now, BEAT_S))
        for worker in self.everybody:
            silent = now - worker.started_at > READY_WITHIN_S if worker.state == "starting" else worker.silent_s(now) > self.stuck_after_s
            if silent and not worker.stuck:
                worker.stuck = True
                self.later(self._replace_stuck(worker))

    def _count(self, state: str) -> int:
        return sum(worker.state == state for worker in self.everybody)

    def _fork(self, snapshot: Snapshot, generation: int, slot: int, count: int) -> WorkerProcess:
        """Raises OSError."""
        listeners = snapshot.config.server.listeners
        with self._reserve.lent(), contextlib.ExitStack() as failed:
            self.sockets.reopen(listeners)
            region = self._region()
            failed.callback(self._free.append, region)
            errors = self.errors.take()
            failed.callback(self.errors.give_back, errors)
            outage = self._left.take(slot)
            failed.callback(self._left.put_back, slot, outage)
            listening = self.sockets.share(listeners, slot, count)
            worker = WorkerProcess(slot, generation, snapshot, region, errors, listening, count, outage)
            failed.pop_all()
        self.everybody.add(worker)
        return worker

    def _region(self) -> Region:
        if self._free:
            return self._free.pop()
        region = Region.shared()
        self.metrics.add(region)
        return region

    async def _succeed(self, old: WorkerProcess | None, new: WorkerProcess, timeout_s: float, handover: Handover) -> None:
        legacy = None
        if old is None:
            await handover.told(new.slot)
        elif old.state == "serving":
            legacy = await old.hand_over(timeout_s)
            self._kill_late(old, timeout_s)
            handover.tell(old.slot, legacy)
        else:
            old.replace = False
            old.kill()
            handover.tell(old.slot, None)
        new.go(legacy)

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
        self._free.append(worker.region)
        self.errors.give_back(worker.errors)
        if worker.replace and not self._closed and self.members.get(worker.slot) is worker:
            self._cover.arrange(self.members)
            self._left.keep(worker)
            self._replace(worker, code)
        else:
            self._left.give(worker, {} if self._closed else self.members)

    def _replace(self, worker: WorkerProcess, code: int) -> None:
        reason = "stuck" if worker.stuck else "killed" if code < 0 else "crashed" if code else "ended"
        self.metrics.restarts.labels(reason).inc()
        structlog.get_logger().error("worker ended", worker=worker.slot, pid=worker.pid, reason=reason, code=code)
        old_enough = worker.serving_since is not None and SYSTEM.monotonic() - worker.serving_since > YOUNG_S
        deaths = self._deaths[worker.slot] = 0 if old_enough else self._deaths.get(worker.slot, 0) + 1
        wait_s = min(FIRST_WAIT_S * 2 ** (deaths - AT_ONCE), LONGEST_WAIT_S) if deaths >= AT_ONCE else 0.0
        self.later(self._refill(worker, wait_s))

    async def _refill(self, lost: WorkerProcess, wait_s: float) -> None:
        """Start a successor; try again and again if there can be none."""
        worker, failures = None, 0
        while worker is None:
            if wait_s:
                self._cover.refuse(self.members)
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
                wait_s = min(FIRST_WAIT_S * 2**failures, LONGEST_WAIT_S)
        self.members[lost.slot] = worker
        with contextlib.suppress(WorkerStartError):  # its end is seen, and replaced in its turn
            await worker.ready
            if worker.replace:
                self.sockets.listen(worker.snapshot.config.server.listeners, worker.slot, len(self.members))
                worker.go()
                self._cover.arrange(self.members)

    async def _replace_stuck(self, worker: WorkerProcess) -> None:
        worker.ask_where()
        await asyncio.wait({worker.exited}, timeout=STACK_WITHIN_S)
        if worker.state != "ended":
            structlog.get_logger().error("worker stuck", worker=worker.slot, pid=worker.pid, stacks=worker.stacks())
            worker.kill()

    async def _gone(self) -> None:
        while self.everybody:
            await asyncio.wait({worker.exited for worker in self.everybody})

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Have `work` done beside all else, and know of it if it fails."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            structlog.get_logger().error("bug", exc_info=error)
