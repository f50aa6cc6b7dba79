"""One connection to a Redis server that any number of callers share.

redis-py opens it (address, TLS, AUTH, SELECT); then this protocol takes its transport over. The commands of one turn of
the loop are sent in one write, and replies come in the order of the commands (RESP2), so a queue of waiters is enough
to match them: a waiter that gave up stays in the queue, and its reply is dropped.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from enum import Enum
from hashlib import sha1
from itertools import takewhile
from math import inf
from typing import Protocol, TypeAlias

import hiredis

from gateway.net.waiter import Waiter
from gateway.redis_client.address import RedisConnectionError

STUCK_AFTER_TIMEOUTS = 2
"""A connection is given up when its oldest reply is overdue by as many time-outs again."""
GRACE_S = 0.001
TIMEOUT = RedisConnectionError("timeout")
LOST = RedisConnectionError("lost")

RedisReply: TypeAlias = list[int] | bytes | int | RedisConnectionError
PendingReply: TypeAlias = Waiter[RedisReply]


class ReplyHandler(Protocol):
    """Gets a reply in place of the waiter of its command, which it completes, now or later, with this or another one.

    Only while the waiter is not done.
    """

    def __call__(self, connection: "RedisConnection", sent: "SentCommand", reply: RedisReply) -> None:
        """Complete the waiter, or begin what will complete it."""
        ...


SentCommand: TypeAlias = tuple[float, PendingReply, bytes, ReplyHandler | None]
"""The deadline of a command, its waiter, the command itself, and who handles failures. A tuple is made quickest."""


def answered(reply: RedisReply, waiter: PendingReply | None = None) -> PendingReply:
    """Return `waiter`, or a new one, with `reply` already."""
    if waiter is None:
        waiter = Waiter()
    waiter.set_result(reply)
    return waiter


def pack(*parts: bytes) -> bytes:
    """Return a command in Redis's wire format."""
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


def sha_of(script: bytes) -> bytes:
    """Return the name that Redis gives a script."""
    return sha1(script, usedforsecurity=False).hexdigest().encode()


class RedisConnectionState(Enum):
    """The states of a connection."""

    NEW = "new"
    """It has no transport yet and accepts no commands."""
    OPEN = "open"
    """Commands are sent and answered."""
    OVERDUE = "overdue"
    """The oldest reply is late: what lies in the socket is read once more before its caller gives up."""
    CLOSED = "closed"
    """It was lost, given up or closed."""


class RedisConnection(asyncio.Protocol):
    """A connection in one of the states of RedisConnectionState.

    `on_end(connection, failure)` is called once, when it is lost or stuck, and not after `close`. `doubted` is for its
    owner to set: whether handlers get every reply, because a call has failed, and not only failures.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        timeout_s: float,
        on_end: Callable[["RedisConnection", RedisConnectionError], None],
    ) -> None:
        self._loop = loop
        self._timeout_s = timeout_s
        self._on_end: Callable[[RedisConnection, RedisConnectionError], None] | None = on_end
        self._reader = hiredis.Reader(protocolError=RedisConnectionError, replyError=RedisConnectionError)
        self._waiters: deque[SentCommand] = deque()
        self.doubted = False
        self._unsent: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self._expires_at = inf
        self.state = RedisConnectionState.NEW
        self._transport: asyncio.WriteTransport | None = None
        self._owner: object = None

    def __repr__(self) -> str:
        return f"<RedisConnection {self.state.value}, {self.in_flight} in flight>"

    @property
    def in_flight(self) -> int:
        """The number of replies that are still to come, also for callers that gave up."""
        return len(self._waiters)

    def take_over(self, writer: asyncio.StreamWriter) -> None:
        """Go on where the set-up of a connection ended: every reply was read, and no command is under way."""
        self._owner = writer  # newer Pythons close the transport of a writer that nobody holds
        self._transport = writer.transport
        self._transport.set_protocol(self)
        self.state = RedisConnectionState.OPEN

    def send(
        self, command: bytes, deadline: float, handler: ReplyHandler | None = None, waiter: PendingReply | None = None
    ) -> PendingReply:
        """Return what the reply to `command` is awaited by: `waiter`, or a new one.

        It is never an exception; TIMEOUT at `deadline` (of the loop's clock). `handler` is for replies that are
        failures.

        Callers are answered in order, so of two the one that asked first should have the earlier deadline.
        """
        if waiter is None:
            waiter = Waiter()
        if self._transport is None:
            waiter.set_result(LOST)
            return waiter
        self._waiters.append((deadline, waiter, command, handler))
        unsent = self._unsent
        if not unsent:
            self._loop.call_soon(self._flush)
        unsent.append(command)
        if deadline < self._expires_at:
            self._expire_at(deadline)
        return waiter

    def close(self, failure: RedisConnectionError = LOST) -> None:
        """Cut the connection. Every caller that waits gets `failure`."""
        self._on_end = None
        self._end(failure)

    def data_received(self, data: bytes) -> None:
        reader, waiters = self._reader, self._waiters
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not False:
                sent = waiters.popleft()
                waiter = sent[1]
                if type(reply) is RedisConnectionError or self.doubted:
                    self._handle(sent, reply)
                elif not waiter.done:
                    waiter.set_result_in_callback(reply)
        except (RedisConnectionError, IndexError):
            self._end(RedisConnectionError("protocol: not a reply, or one that nobody asked for"))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._end(LOST)

    def _flush(self) -> None:
        if self._transport is not None:
            self._transport.write(b"".join(self._unsent))
        self._unsent.clear()

    def _expire_at(self, when: float) -> None:
        """Set the one timer: it is for the oldest reply that is due, and not moved when that one comes."""
        if self._timer is not None:
            self._timer.cancel()
        self._expires_at = when
        self._timer = self._loop.call_at(when, self._expire)

    def _expire(self) -> None:
        self._timer, self._expires_at = None, inf
        was_overdue, self.state = self.state is RedisConnectionState.OVERDUE, RedisConnectionState.OPEN
        if not self._waiters:
            return
        now = self._loop.time()
        oldest = self._waiters[0][0]
        stuck_at = oldest + STUCK_AFTER_TIMEOUTS * self._timeout_s
        if oldest > now:
            self._expire_at(oldest)
        elif not was_overdue:
            # After a stall of this process the reply may lie in the socket: uvloop runs timers before it reads.
            self.state = RedisConnectionState.OVERDUE
            self._expire_at(now + GRACE_S)
        elif stuck_at <= now:
            self._end(TIMEOUT)
        else:
            due = list(takewhile(lambda each: each[0] <= now, self._waiters))
            next_at = self._waiters[len(due)][0] if len(due) < len(self._waiters) else inf
            self._expire_at(min(stuck_at, next_at))
            for sent in due:  # last, because callers go on at once
                self._handle(sent, TIMEOUT)

    def _end(self, failure: RedisConnectionError) -> None:
        self.state = RedisConnectionState.CLOSED
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._owner = None
        if self._on_end is not None:
            on_end, self._on_end = self._on_end, None
            on_end(self, failure)  # first, so that callers that go on find the connection gone
        while self._waiters:
            self._handle(self._waiters.popleft(), failure)

    def _handle(self, sent: SentCommand, reply: RedisReply) -> None:
        _, waiter, _, handler = sent
        if waiter.done:
            return
        if handler is None:
            waiter.set_result(reply)
        else:
            handler(self, sent, reply)
