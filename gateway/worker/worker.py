"""One worker process: serves a configuration on sockets that the supervisor has bound, until it is told to stop."""

import asyncio
import contextlib
import faulthandler
import gc
import math
import signal
from collections import deque

import msgspec
import uvloop

from gateway.edge.borrowed_sockets import BorrowedSockets
from gateway.limiter.interface import LimiterState
from gateway.system.clock import SYSTEM_CLOCK
from gateway.system.huge_pages import HugePages
from gateway.system.malloc import Trimming
from gateway.table.snapshot import Snapshot
from gateway.worker.assembly import Assembly
from gateway.worker.channel import (
    AdoptState,
    Channel,
    Cut,
    DisableKeepAlive,
    Failed,
    HandoverState,
    Message,
    Query,
    Ready,
    ReclaimSockets,
    Retire,
    Serve,
    ShareSockets,
    StateHandedOver,
    content_of,
)
from gateway.worker.context import WorkerContext
from gateway.worker.query_server import QueryServer

DRAIN_POLL_S = 0.05
CUT_WITHIN_S = 2.0
"""The time for the error replies to requests that the drain has cut."""
BEAT_S = 0.25
BEATS_REMEMBERED = 60
BEATS_TO_TRIM = 32
"""After so many beats, or at once when it is much, memory that was freed is returned to the system."""
GC_ALLOCATIONS = 20_000
DUMP_STACKS = signal.SIGUSR1
"""At this signal a worker writes the stack of each of its threads to a file, even if its event loop is blocked."""


def work(snapshot: Snapshot, context: WorkerContext) -> int:
    """Run a worker in the current process; return the exit code."""
    faulthandler.register(DUMP_STACKS, context.stacks_fd, all_threads=True)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(Worker(snapshot, context).serve())


class Worker:
    """Runs the parts of an `Assembly` as the messages of the supervisor say."""

    def __init__(self, snapshot: Snapshot, context: WorkerContext) -> None:
        self.context = context
        self.assembly = Assembly(snapshot, context)
        self.limiter = self.assembly.limiter
        self.key_sync = self.assembly.key_sync
        self.listeners = self.assembly.listeners
        self.channel = Channel(context.control)
        self._borrowed = BorrowedSockets(self.listeners)
        self._lags: deque[float] = deque(maxlen=BEATS_REMEMBERED)
        self._trimming = Trimming(BEATS_TO_TRIM)
        self._huge_pages = HugePages()
        self._serve = asyncio.Event()
        self._stop = asyncio.Event()
        self._cut = asyncio.Event()
        self._retire = Retire(snapshot.config.server.drain_timeout, successor=False)

    async def serve(self) -> int:
        """Report readiness, wait for `Serve`, serve, wait for `Retire`, drain; return the exit code."""
        assembly = self.assembly
        self.channel.start(self._on_message, self._end)
        assembly.log.install()
        try:
            try:
                assembly.build_listeners()
                self._query_server = QueryServer(self.channel, assembly.query_handlers)
                await self.limiter.start()
                if self.key_sync is not None:
                    self.key_sync.start()
            except OSError as error:
                text = f"{error.filename}: {error.strerror}" if error.filename else str(error)
                self.channel.send(Failed(text, error.errno or 0))
                return 1
            if assembly.spans is not None:
                assembly.spans.start()
            if assembly.usage is not None:
                assembly.usage.start()
            self._beat(SYSTEM_CLOCK.monotonic())
            self._freeze_garbage_collector()
            self.channel.send(Ready("memory" if self.limiter.call is None else "redis"))
            await self._serve.wait()
            self._huge_pages.start()
            assembly.log.start()  # lines were held back until here, so that the supervisor's first line comes first
            if not self._stop.is_set():
                await self._listen()
            await self._stop.wait()
            await self._drain()
            return 0
        finally:
            await self._close()

    async def _listen(self) -> None:
        for checks in self.assembly.health_checks:
            checks.start()
        for listener, (_, sockets) in zip(self.listeners, self.context.sockets, strict=True):
            for sock in sockets:
                await listener.start(sock)

    async def _drain(self) -> None:
        """Wait for requests in flight until the timeout or a `Cut`, and cut those that remain."""
        for checks in self.assembly.health_checks:
            await checks.stop()
        for number, listener in enumerate(self.listeners):
            listener.stop_accepting(last=number in self._retire.last)
        if self._retire.successor:
            self._hand_over_state()
        deadline = SYSTEM_CLOCK.monotonic() + self._retire.timeout_s
        await asyncio.sleep(DRAIN_POLL_S)  # connections that were accepted last are not known to the listeners yet
        while self._is_busy() and SYSTEM_CLOCK.monotonic() < deadline and not self._cut.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._cut.wait(), DRAIN_POLL_S)
        self.context.heartbeat.cut = sum(listener.cut() for listener in self.listeners)
        deadline = SYSTEM_CLOCK.monotonic() + CUT_WITHIN_S
        while self.assembly.connections and SYSTEM_CLOCK.monotonic() < deadline:  # noqa: ASYNC110  no event reports it
            await asyncio.sleep(DRAIN_POLL_S)

    async def _close(self) -> None:
        self._huge_pages.stop()
        for upstream in self.assembly.upstreams.values():
            await upstream.close()
        if self.key_sync is not None:
            await self.key_sync.close()
        if self.assembly.usage is not None:
            await self.assembly.usage.close()
        await self.limiter.close()
        self.assembly.compressor.close()
        if self.assembly.spans is not None:
            await asyncio.get_running_loop().run_in_executor(None, self.assembly.spans.close)
        await asyncio.get_running_loop().run_in_executor(None, self.assembly.log.close)
        self.assembly.metrics.refresh()
        self.assembly.activity.publish(math.inf)
        self.channel.close()

    def _on_message(self, message: Message, fds: list[int]) -> None:
        if isinstance(message, Serve | AdoptState):
            for fd in fds:
                self._adopt(msgspec.msgpack.decode(content_of(fd), type=HandoverState))
            if isinstance(message, Serve):
                self._serve.set()
        elif isinstance(message, DisableKeepAlive):
            for listener in self.listeners:
                listener.state.draining = True
        elif isinstance(message, ShareSockets):
            self._borrowed.take(message.slot, message.listener, fds)
        elif isinstance(message, ReclaimSockets):
            self._borrowed.give_back(message.slot)
        elif isinstance(message, Query):
            self._query_server.start(message)
        elif isinstance(message, Retire):
            self._retire = message
            self._end()
        elif isinstance(message, Cut):
            self._cut.set()
            self._end()

    def _end(self) -> None:
        """Begin the drain: by request of the supervisor, or because the supervisor has ended."""
        self._stop.set()
        self._serve.set()

    def _hand_over_state(self) -> None:
        """Send the state with which the successor decides from now on."""
        keys = b"" if self.key_sync is None else self.key_sync.keys.export()
        state = self.limiter.hand_over()
        self.channel.send_file(
            StateHandedOver(), msgspec.msgpack.encode(HandoverState(state.memory, keys, state.outage))
        )

    def _adopt(self, state: HandoverState) -> None:
        self.limiter.adopt(LimiterState(state.limits, state.outage), share_only=state.share_only)
        if self.key_sync is not None and state.keys:
            self.key_sync.keys.adopt(state.keys)
        if self.assembly.usage is not None and state.usage:
            self.assembly.usage.adopt(state.usage)

    def _beat(self, due: float) -> None:
        now = SYSTEM_CLOCK.monotonic()
        metrics = self.assembly.metrics
        self._lags.append(max(now - due, 0.0))
        in_flight = int(metrics.in_flight.value)
        self.context.heartbeat.beat(now, max(self._lags), self.assembly.connections, in_flight)
        self.assembly.beat(now)
        self._trimming.beat(idle=not in_flight)
        asyncio.get_running_loop().call_later(BEAT_S, self._beat, now + BEAT_S)

    def _is_busy(self) -> bool:
        return any(listener.busy for listener in self.listeners)

    @staticmethod
    def _freeze_garbage_collector() -> None:
        """Exclude all objects that exist by now from later collections: they live as long as the process."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_ALLOCATIONS, 20, 20)
