"""One target of an upstream: a pool of keep-alive connections to it.

Laws:
 - `max_connections` counts all connections: idle, in use and being made. Each of them occupies one slot, which is
   released exactly once, whatever happens.
 - Idle connections and waiting calls never exist at the same time.
 - A connection serves no other call after `max_age_s`, or when its host name no longer has its address.
 - A call counts towards its caller's share from before it has a connection until that connection is released or
   discarded, which includes the body of its reply.
 - A call is sent a second time only if nothing of it can have been processed, or its method allows it (RFC 9110 9.2.2),
   and never after a time-out. Both attempts together take no longer than one may.
"""

import asyncio
import math
import ssl
from collections.abc import Awaitable
from urllib.parse import urlsplit

from gateway.kernel.clock import Clock
from gateway.kernel.faults import UPSTREAM_SATURATED, UPSTREAM_UNREACHABLE, GatewayError
from gateway.net.coroutine_driver import in_task
from gateway.net.loop_budget import LoopBudget
from gateway.net.name_resolver import NameResolver
from gateway.net.write_batch import WriteBatch
from gateway.upstream.call import Answer, Call, RetryObserver
from gateway.upstream.call_queue import CallQueue, Freed
from gateway.upstream.connect import connect, endpoint_of
from gateway.upstream.connection_shares import ConnectionOwner, ConnectionShares, share
from gateway.upstream.http1.connection import UpstreamConnection
from gateway.upstream.http1.connection_socket import ConnectionAges
from gateway.upstream.http1.framing import Origin
from gateway.upstream.http1.pending_answer import PendingAnswer
from gateway.upstream.idle_connections import IdleConnections

_SHORTEST_S = 0.001


class Target(ConnectionOwner[UpstreamConnection]):
    """The pool of an http or https `url`, whose path is put before that of every call. `id` is that of the upstream.

    `max_pending` calls may wait for a connection when all are in use. The percentages are of `max_connections`: the
    most that one caller may use, and the most for bodies that are passed on while they arrive. An idle connection is
    closed after `idle_timeout_s`, or earlier if the target announces less; no connection serves another call after
    `max_age_s`. `names` resolves the host of the URL. `context` is for https, where the certificate must be for
    `server_name`, None for the host of the URL. Calls are sent through `write_batch`, which the other writers of the
    event loop should share. Raises ValueError for a bad URL.
    """

    most_tries = 1
    """The most attempts of a call when the target cannot be reached."""

    def __init__(
        self,
        id: str,  # noqa: A002 - what the configuration calls it
        url: str,
        *,
        max_connections: int,
        max_pending: int,
        idle_timeout_s: float,
        context: ssl.SSLContext | None,
        server_name: str | None,
        clock: Clock,
        max_caller_percent: int = 100,
        max_stream_percent: int = 100,
        observer: RetryObserver | None = None,
        write_batch: WriteBatch | None = None,
        names: NameResolver | None = None,
        max_age_s: float = math.inf,
    ) -> None:
        self.id = id
        self.endpoint = endpoint_of(url, context, server_name)
        self.names = names or NameResolver(clock)
        self.names.watch(self.endpoint.host, self._addresses_vanished)
        self._ages = ConnectionAges(max_age_s)
        self.origin = Origin(urlsplit(url).path.rstrip("/").encode(), f"Host: {self.endpoint.authority}\r\n".encode())
        self.target = str(self.endpoint)
        self._max_connections = max_connections
        self._idle_timeout_s = idle_timeout_s
        self._clock = clock
        self._observer = observer
        self._write_batch = write_batch or WriteBatch()
        self._loop_budget = LoopBudget()
        of_a_caller, streams = share(max_connections, max_caller_percent), share(max_connections, max_stream_percent)
        self._shares = ConnectionShares(self.target, of_a_caller, streams, max_pending)
        self._idle = IdleConnections(idle_timeout_s, clock)
        self._all: set[UpstreamConnection] = set()
        self._slots, self._closed = 0, False
        self._queue = CallQueue(self.target, max_pending, self._give_back)

    def __repr__(self) -> str:
        return f"<Target {self.id} {self.target}, {self.idle} idle, {self.active} active, {self.pending} pending>"

    @property
    def idle(self) -> int:
        return len(self._idle)

    @property
    def active(self) -> int:
        """The number of connections that serve a call or are being made."""
        return self._slots - len(self._idle)

    @property
    def pending(self) -> int:
        """The number of calls that wait for a connection."""
        return len(self._queue) + self._shares.waiting

    @property
    def targets(self) -> "tuple[Target, ...]":
        """All targets of an upstream that has only this one."""
        return (self,)

    @property
    def load(self) -> int:
        """The number of calls that it serves, or that wait for it."""
        return self._slots - len(self._idle) + len(self._queue) + self._shares.waiting

    def send(self, call: Call, first: bytes | None = None) -> Awaitable[Answer]:
        """Send `call`. Its answer is what this returns once it is awaited, which has to be done at once.

        `first` is the piece that was already read of the call's Body, None if none was.
        Raises GatewayError when awaited: any UPSTREAM_* fault that does not concern the contents, and those of the
        call's Body. Cancelling that closes the connection.
        """
        if self._idle and isinstance(call.body, bytes):  # nearly always
            shares = self._shares
            share = shares.by_caller.get(call.caller)
            if share is None or share.used < shares.most_of_a_caller:
                now, (connection, _) = self._clock.monotonic(), self._idle.popitem()
                if connection.usable(now):
                    if share is None:
                        share = shares.take_first(call.caller)
                    else:
                        share.used += 1
                    connection.share = share
                    return connection.begin(call, b"", now)
                connection.abandon()
        return self._send(call, first)

    async def _send(self, call: Call, first: bytes | None) -> Answer:
        if isinstance(call.body, bytes):
            first = b""
        elif first is None:
            first = await call.body.read()  # wait for the first bytes of a slow client without a connection
        return await (await self._begin(call, first, fresh=False))

    async def _send_again(self, call: Call) -> Answer:
        if self._observer is not None:
            self._observer.retried()
        return await (await self._begin(call, b"", fresh=True))

    async def close(self) -> None:
        """Close all connections and wait until they are closed.

        Calls that are under way or waiting, and later ones, fail with UPSTREAM_UNREACHABLE: let them finish before.
        """
        self._closed = True
        why = self._closed_error()
        self._queue.fail(why)
        for connection in (closing := [*self._all]):
            connection.fail(why)
        for connection in closing:
            await connection.lost
        self.names.close()
        self._idle.stop()

    # Called by connections: a ConnectionOwner

    def may_stream(self, connection: UpstreamConnection) -> bool:
        return self._shares.may_stream(connection)

    def release(self, connection: UpstreamConnection, idle_hint_s: float | None) -> None:
        share = connection.share
        if share is None or share.waiting or connection.streams:
            self._shares.ended(connection)
        else:  # the same, for nearly every call
            connection.share = None
            share.used -= 1
            if not share.used:
                del self._shares.by_caller[share.caller]
        now, timeout_s = self._clock.monotonic(), self._idle_timeout_s
        expires_at = now + (timeout_s if idle_hint_s is None else min(idle_hint_s, timeout_s))
        if expires_at > connection.ends_at:
            expires_at = connection.ends_at
            if now >= expires_at:
                connection.abandon()
                return
        connection.expires_at = expires_at
        if not self._queue or not self._queue.give(connection):
            self._idle[connection] = None

    def discarded(self, connection: UpstreamConnection) -> None:
        self._shares.ended(connection)
        # A connection that ended while it was being made is not in the set yet.
        if connection in self._all:
            self._all.discard(connection)
            self._idle.discard(connection)
            self._free_slot()

    def send_again(self, connection: UpstreamConnection, call: Call, sent_at: float) -> Awaitable[Answer] | None:
        call.total_timeout_s -= self._clock.monotonic() - sent_at
        stale = connection.has_served and connection.died_unanswered
        may_be_repeated = call.idempotent and isinstance(call.body, bytes) and call.total_timeout_s > 0
        return self._send_again(call) if stale and may_be_repeated and call.take_resend() else None

    async def _begin(self, call: Call, first: bytes, *, fresh: bool) -> PendingAnswer:
        """Send `call` on a connection, as soon as there is one. `fresh` asks for one that served no other call."""
        now, share = self._clock.monotonic(), self._shares.take(call.caller)
        if share is None:
            share = await self._shares.wait(call.caller, call.connect_timeout_s)
            later = self._clock.monotonic()
            call.connect_timeout_s, now = max(_SHORTEST_S, call.connect_timeout_s - (later - now)), later
        try:
            connection = None if fresh else self._idle.take(now)
            if connection is None:
                connection = await self._connect(call, fresh=fresh)
                now = self._clock.monotonic()
            if not isinstance(call.body, bytes) and connection.closed is None and not self.may_stream(connection):
                self.release(connection, None)
                why = f"{self.target}: bodies that stream have their share of connections"
                raise GatewayError(UPSTREAM_SATURATED, cause=why)
            pending = connection.begin(call, first, now)
        except BaseException:
            self._shares.give_back(share)
            raise
        connection.share = share
        return pending

    async def _connect(self, call: Call, *, fresh: bool) -> UpstreamConnection:
        """Return a connection for `call`. `fresh` asks for one that served no other call.

        Raises GatewayError when the target cannot be reached, or no slot becomes free, within the connect time-out.
        """
        if self._closed:
            raise self._closed_error()
        await in_task()
        if not fresh and (idle := self._idle.take(self._clock.monotonic())) is not None:
            return idle  # it was released meanwhile
        loop = asyncio.get_running_loop()
        deadline = loop.time() + call.connect_timeout_s
        if fresh and self._idle and self._slots >= self._max_connections:
            self._idle.abandon_oldest()
        at_head = fresh
        while self._slots >= self._max_connections:
            handed = await self._queue.wait(deadline, at_head=at_head)
            if handed is None:
                break
            if not fresh and handed.usable(self._clock.monotonic()):
                return handed
            handed.abandon()
            at_head = True
        else:
            self._slots += 1
        try:
            connection = await connect(loop, self.endpoint, lambda: self._connection(loop), deadline, self.names)
            if self._closed:
                connection.abandon()
                raise self._closed_error()
        except BaseException:
            self._free_slot()
            raise
        self._all.add(connection)
        self._idle.watch()
        connection.ends_at = self._ages.ends_at(self._clock.monotonic())
        if connection.closed is not None:
            self.discarded(connection)
        return connection

    def _addresses_vanished(self, present: frozenset[str]) -> None:
        for connection in [*self._all]:
            if connection.closed is None and connection.peer not in present:
                connection.ends_at = -math.inf
                if self._idle.discard(connection):
                    connection.abandon()

    def _connection(self, loop: asyncio.AbstractEventLoop) -> UpstreamConnection:
        about = (self.target, self.origin, self._clock)
        return UpstreamConnection(self, *about, loop, self._write_batch, self._loop_budget)

    def _give_back(self, handed: Freed) -> None:
        if handed is None:
            self._free_slot()
        elif handed.closed is None:
            self.release(handed, None)

    def _free_slot(self) -> None:
        if not self._queue.give(None):
            self._slots -= 1

    def _closed_error(self) -> GatewayError:
        return GatewayError(UPSTREAM_UNREACHABLE, cause=f"{self.target}: the upstream is closed")
