"""One worker process, as the supervisor sees it."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Sequence
from functools import partial
from itertools import count
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec

from gateway.history.feed import ActivityFeed
from gateway.observe.recent_errors import ErrorRing
from gateway.observe.shared_memory import Region
from gateway.settings.schema.server import ListenerSettings
from gateway.system.clock import SYSTEM_CLOCK
from gateway.system.fork import fork
from gateway.table.snapshot import Snapshot
from gateway.tail.line_ring import LineRing
from gateway.upstream.maintenance_switch import MaintenanceSwitch
from gateway.worker.channel import (
    AdoptState,
    Channel,
    Cut,
    DisableKeepAlive,
    Failed,
    HandoverState,
    Message,
    Query,
    QueryResult,
    Ready,
    ReclaimSockets,
    Retire,
    Serve,
    ShareSockets,
    StateHandedOver,
    content_of,
)
from gateway.worker.context import WorkerContext, WorkerMemory
from gateway.worker.heartbeat import Heartbeat
from gateway.worker.worker import DUMP_STACKS, work

State: TypeAlias = Literal["starting", "ready", "serving", "draining", "ended"]

HANDOVER_WITHIN_S = 5.0
RESPONSE_WITHIN_S = 2.0
_MAX_STACK_BYTES = 64 << 10


class WorkerStartError(Exception):
    """A worker could not start. `errno` is 0 if the cause was not a system call."""

    def __init__(self, text: str, errno: int = 0) -> None:
        super().__init__(text)
        self.errno = errno


class QueryResponse(NamedTuple):
    """The response of a worker to a query: an HTTP status code, and JSON."""

    status: int
    body: bytes


class WorkerProcess:
    """A child process, forked by the constructor. `slot` numbers the workers of one generation, from 0.

    `snapshot` is the configuration that it serves, `region` the memory of its metrics, `errors` that of its recent
    errors. `workers` is the number of workers of the generation. `memory` is that of its predecessor, None
    for a new one. `switch` is the maintenance switch of all workers. Times are seconds of the monotonic clock.
    Raises OSError when it cannot be started.
    """

    def __init__(
        self,
        slot: int,
        generation: int,
        snapshot: Snapshot,
        region: Region,
        errors: ErrorRing,
        sockets: list[tuple[ListenerSettings, list[socket.socket]]],
        *,
        workers: int = 1,
        memory: WorkerMemory | None = None,
        switch: MaintenanceSwitch | None = None,
    ) -> None:
        self.slot = slot
        self.generation = generation
        self.snapshot = snapshot
        self.region = region
        self.errors = errors
        self.memory = memory or WorkerMemory.shared()
        self.heartbeat = Heartbeat()
        self.activity = ActivityFeed()
        self.lines = LineRing()
        self.started_at = SYSTEM_CLOCK.monotonic()
        self.serving_since: float | None = None
        self.state: State = "starting"
        self.replace = True
        """Whether it is replaced when it ends."""
        self.stuck = False
        self.limiter = ""
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = loop.create_future()
        self.exited: asyncio.Future[int] = loop.create_future()
        self._handed_over: asyncio.Future[int | None] = loop.create_future()
        self._numbers = count()
        self._responses: dict[int, asyncio.Future[QueryResponse | None]] = {}
        listening = [sock.fileno() for _, sharing in sockets for sock in sharing]
        with contextlib.ExitStack() as failed:
            self._stacks_fd = os.memfd_create("stacks", os.MFD_CLOEXEC)
            failed.callback(os.close, self._stacks_fd)
            ours, theirs = Channel.pair()
            failed.callback(ours.close)
            context = WorkerContext(
                sockets,
                region,
                errors,
                self.heartbeat,
                theirs,
                self._stacks_fd,
                slot == 0,
                workers,
                self.memory,
                switch or MaintenanceSwitch(),
                self.activity,
                self.lines,
            )
            with theirs:
                self.pid = fork(partial(work, snapshot, context), (theirs.fileno(), self._stacks_fd, *listening))
            failed.pop_all()
        self._channel = Channel(ours)
        self._channel.start(self._on_message, lambda: None)
        self.ready.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may await it

    def __repr__(self) -> str:
        return f"<WorkerProcess {self.generation}.{self.slot} pid {self.pid} {self.state}>"

    def serve(self, state_file: int | None = None) -> None:
        """Have it accept connections; `state_file` holds the state of its predecessor, and is closed here."""
        if self.state == "ready":
            self.state = "serving"
            self.serving_since = SYSTEM_CLOCK.monotonic()
        self._channel.send(Serve(), *(() if state_file is None else (state_file,)))
        if state_file is not None:
            os.close(state_file)

    def give_state(self, state: HandoverState) -> None:
        """Have it add the state of another worker to its own."""
        self._channel.send_file(AdoptState(), msgspec.msgpack.encode(state))

    def disable_keep_alive(self) -> None:
        """Have it close each connection after its next reply."""
        self._channel.send(DisableKeepAlive())

    def share_sockets(self, slot: int, listener: int, sockets: list[socket.socket]) -> None:
        """Have it accept also from `sockets`, of the worker in `slot` and the listener with the number `listener`."""
        for sock in sockets:
            self._channel.send(ShareSockets(slot, listener), sock.fileno())

    def reclaim_sockets(self, slot: int) -> None:
        """End what `share_sockets` began for `slot`."""
        self._channel.send(ReclaimSockets(slot))

    def retire(self, timeout_s: float, last: Sequence[int] = ()) -> None:
        """Have it stop accepting, finish its requests within `timeout_s`, and exit.

        `last` are the numbers of listeners from which no other process accepts afterwards.
        """
        self._retire(timeout_s, successor=False, last=last)

    async def hand_over(self, timeout_s: float) -> int | None:
        """Retire, and return a file with the `HandoverState`; None if it ended or did not send it in time."""
        self._retire(timeout_s, successor=True)
        waited: set[asyncio.Future[Any]] = {self._handed_over, self.exited}
        await asyncio.wait(waited, timeout=HANDOVER_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
        return self._handed_over.result() if self._handed_over.done() else None

    async def query(
        self, question: str, parameters: dict[str, str], within_s: float = RESPONSE_WITHIN_S
    ) -> QueryResponse | None:
        """Return the reply to a query; None if the worker does not respond in time, or ends."""
        number = next(self._numbers)
        response = self._responses[number] = asyncio.get_running_loop().create_future()
        self._channel.send(Query(number, question, parameters))
        try:
            return await asyncio.wait_for(response, within_s)
        except TimeoutError:
            return None
        finally:
            del self._responses[number]

    def cut(self) -> None:
        """Have it cut its requests, and exit."""
        self.replace = False
        self.state = "draining"
        self._channel.send(Cut())

    def kill(self) -> None:
        if self.state != "ended":
            os.kill(self.pid, signal.SIGKILL)

    def dump_stacks(self) -> None:
        """Have it write the stacks of its threads, which `stacks` reads a moment later."""
        os.kill(self.pid, DUMP_STACKS)

    def stacks(self) -> str:
        return os.pread(self._stacks_fd, _MAX_STACK_BYTES, 0).decode(errors="replace")

    def silent_s(self, now: float) -> float:
        """Return the seconds since its last heartbeat."""
        return now - self.heartbeat.at if self.heartbeat.at else 0.0

    def lag_s(self, now: float, beat_s: float) -> float:
        """Return the recent delay of its event loop, or the present one if that is longer.

        `beat_s` is the interval of heartbeats.
        """
        return max(self.heartbeat.lag_s, self.silent_s(now) - beat_s)

    def reap(self) -> int | None:
        """Return its exit code if it has ended, negative for a signal; None while it runs."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if not pid:
            return None
        code = os.waitstatus_to_exitcode(status)
        self.state = "ended"
        # Messages that it sent before its end are still to be read.
        self._channel.drain()
        self._channel.close()
        os.close(self._stacks_fd)
        if not self.ready.done():
            self.ready.set_exception(WorkerStartError(f"a worker ended with {code} before it was ready"))
        for response in self._responses.values():
            if not response.done():
                response.set_result(None)
        self.exited.set_result(code)
        return code

    def _retire(self, timeout_s: float, *, successor: bool, last: Sequence[int] = ()) -> None:
        self.replace = False
        self.state = "draining"
        self._channel.send(Retire(timeout_s, successor, [*last]))

    def _on_message(self, message: Message, fds: list[int]) -> None:
        if isinstance(message, Ready) and not self.ready.done():
            self.state = "ready"
            self.limiter = message.limiter
            self.ready.set_result(None)
        elif isinstance(message, Failed) and not self.ready.done():
            self.ready.set_exception(WorkerStartError(message.text, message.errno))
        elif isinstance(message, StateHandedOver) and fds and not self._handed_over.done():
            self._handed_over.set_result(fds.pop())
        elif isinstance(message, QueryResult) and fds:
            response = self._responses.get(message.number)
            if response is not None and not response.done():
                response.set_result(QueryResponse(message.status, content_of(fds.pop())))
        for fd in fds:
            os.close(fd)
