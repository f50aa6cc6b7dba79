"""One worker as its supervisor sees it."""

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

from gateway.limiter.outage_memory import OutageMemory
from gateway.observe.recent_errors import ErrorRing
from gateway.observe.shared_memory import Region
from gateway.settings.schema.server import ListenerSettings
from gateway.supervisor.fork import fork
from gateway.table.snapshot import Snapshot
from gateway.worker.channel import (
    Ask,
    Bequest,
    Channel,
    Cut,
    Failed,
    Go,
    HandoverState,
    Legacy,
    Lend,
    Message,
    Part,
    Ready,
    Retire,
    TakeBack,
    Told,
    content_of,
)
from gateway.worker.heartbeat import Heartbeat
from gateway.worker.worker import SYSTEM, TELL_WHERE, Post, work

State: TypeAlias = Literal["starting", "ready", "serving", "draining", "ended"]

LEGACY_WITHIN_S = 5.0
ANSWER_WITHIN_S = 2.0
_LONGEST_STACK_BYTES = 64 << 10


class WorkerStartError(Exception):
    """A worker that never came to serve. `errno` is 0 when no system call was at fault."""

    def __init__(self, text: str, errno: int = 0) -> None:
        super().__init__(text)
        self.errno = errno


class Answer(NamedTuple):
    """What a worker said to a question: JSON, and what it is worth, as in HTTP."""

    status: int
    body: bytes


class WorkerProcess:
    """A child, from its fork on. `slot` numbers the workers of one generation, from 0.

    `snapshot` is what it serves, `region` where it counts, `errors` where it keeps its last ones. It is one of `workers`.
    `outage` is where the one before it wrote down what it knew while Redis was away, if there was one. Times are the monotonic
    clock's, in seconds. Raises OSError when it cannot be started.
    """

    def __init__(
        self,
        slot: int,
        generation: int,
        snapshot: Snapshot,
        region: Region,
        errors: ErrorRing,
        sockets: list[tuple[ListenerSettings, list[socket.socket]]],
        workers: int = 1,
        outage: OutageMemory | None = None,
    ) -> None:
        self.slot = slot
        self.generation = generation
        self.snapshot = snapshot
        self.region = region
        self.errors = errors
        self.outage = outage or OutageMemory.shared()
        self.heartbeat = Heartbeat()
        self.started_at = SYSTEM.monotonic()
        self.serving_since: float | None = None
        self.state: State = "starting"
        self.replace = True
        """Whether somebody is to take its place when it ends."""
        self.stuck = False
        self.limiter = ""
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = loop.create_future()
        self.exited: asyncio.Future[int] = loop.create_future()
        self._legacy: asyncio.Future[int | None] = loop.create_future()
        self._numbers = count()
        self._asked: dict[int, asyncio.Future[Answer | None]] = {}
        listening = [sock.fileno() for _, sharing in sockets for sock in sharing]
        with contextlib.ExitStack() as failed:
            self._where = os.memfd_create("stacks", os.MFD_CLOEXEC)
            failed.callback(os.close, self._where)
            ours, theirs = Channel.pair()
            failed.callback(ours.close)
            post = Post(sockets, region, errors, self.heartbeat, theirs, self._where, slot == 0, workers, self.outage)
            with theirs:
                self.pid = fork(partial(work, snapshot, post), (theirs.fileno(), self._where, *listening))
            failed.pop_all()
        self._channel = Channel(ours)
        self._channel.start(self._on_message, lambda: None)
        self.ready.add_done_callback(lambda done: done.cancelled() or done.exception())  # asked for or not

    def __repr__(self) -> str:
        return f"<WorkerProcess {self.generation}.{self.slot} pid {self.pid} {self.state}>"

    def go(self, legacy: int | None = None) -> None:
        """Accept connections; `legacy` is what a predecessor bequeathed, and is closed here."""
        if self.state == "ready":
            self.state = "serving"
            self.serving_since = SYSTEM.monotonic()
        self._channel.send(Go(), *(() if legacy is None else (legacy,)))
        if legacy is not None:
            os.close(legacy)

    def hand(self, estate: HandoverState) -> None:
        """Have it know what another one left."""
        self._channel.send_file(Bequest(), msgspec.msgpack.encode(estate))

    def part(self) -> None:
        """End connections with their next reply."""
        self._channel.send(Part())

    def seed_share(self, slot: int, listener: int, sockets: list[socket.socket]) -> None:
        """Accept from `sockets` too, of the worker in `slot`, until `take_back`. `listener` is a number."""
        for sock in sockets:
            self._channel.send(Lend(slot, listener), sock.fileno())

    def take_back(self, slot: int) -> None:
        self._channel.send(TakeBack(slot))

    def retire(self, timeout_s: float, last: Sequence[int] = ()) -> None:
        """Accept no more, finish what there is within `timeout_s`, end. `last` are listeners on which nobody accepts after it."""
        self._retire(timeout_s, successor=False, last=last)

    async def hand_over(self, timeout_s: float) -> int | None:
        """As `retire`; the file with what its limiter knew, None if it did not live to tell."""
        self._retire(timeout_s, successor=True)
        waited: set[asyncio.Future[Any]] = {self._legacy, self.exited}
        await asyncio.wait(waited, timeout=LEGACY_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
        return self._legacy.result() if self._legacy.done() else None

    async def ask(self, question: str, about: dict[str, str]) -> Answer | None:
        """None if it does not answer in time, or ends."""
        number = next(self._numbers)
        told = self._asked[number] = asyncio.get_running_loop().create_future()
        self._channel.send(Ask(number, question, about))
        try:
            return await asyncio.wait_for(told, ANSWER_WITHIN_S)
        except TimeoutError:
            return None
        finally:
            del self._asked[number]

    def cut(self) -> None:
        """End at once."""
        self.replace = False
        self.state = "draining"
        self._channel.send(Cut())

    def kill(self) -> None:
        if self.state != "ended":
            os.kill(self.pid, signal.SIGKILL)

    def ask_where(self) -> None:
        """Have it write where it stands; `stacks` reads it a moment later."""
        os.kill(self.pid, TELL_WHERE)

    def stacks(self) -> str:
        return os.pread(self._where, _LONGEST_STACK_BYTES, 0).decode(errors="replace")

    def silent_s(self, now: float) -> float:
        """How long since its loop last turned."""
        return now - self.heartbeat.at if self.heartbeat.at else 0.0

    def lag_s(self, now: float, beat_s: float) -> float:
        """How late its loop has been lately, or is."""
        return max(self.heartbeat.lag_s, self.silent_s(now) - beat_s)

    def reap(self) -> int | None:
        """The exit code, negative for a signal, if it has ended now; None while it lives."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if not pid:
            return None
        code = os.waitstatus_to_exitcode(status)
        self.state = "ended"
        # What it said last is still to be read.
        self._channel.drain()
        self._channel.close()
        os.close(self._where)
        if not self.ready.done():
            self.ready.set_exception(WorkerStartError(f"a worker ended with {code} before it was ready"))
        for told in self._asked.values():
            if not told.done():
                told.set_result(None)
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
        elif isinstance(message, Legacy) and fds and not self._legacy.done():
            self._legacy.set_result(fds.pop())
        elif isinstance(message, Told) and fds and (told := self._asked.get(message.number)) is not None and not told.done():
            told.set_result(Answer(message.status, content_of(fds.pop())))
        for fd in fds:
            os.close(fd)
