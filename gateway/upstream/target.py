"""One address of an upstream: a pool of keep-alive connections to it.

Laws:
 - `max_connections` counts all connections: idle, answering and being made. Whoever holds one of these places gives it
   back exactly once, whatever happens.
 - Idle connections and waiting calls never exist at the same time.
 - A connection answers no other call after `max_age_s`, or when its address is none of its name's any more.
 - A call holds a part of its caller's share from before it has a connection until that is free or gone, its reply's body included.
 - A call is sent a second time only if nothing of it can have been processed, or its method says that it may be
   (RFC 9110 9.2.2), and never after a time-out. Both times together take no longer than one may.
"""

import asyncio
import math
import ssl
from collections import deque
from urllib.parse import urlsplit

from gateway.kernel.clock import Clock
from gateway.kernel.faults import UPSTREAM_SATURATED, UPSTREAM_UNREACHABLE, GatewayError
from gateway.net.turns import Turns
from gateway.net.write_batch import Outbox
from gateway.upstream.call import Answer, Call, Observer
from gateway.upstream.connect import address, dial
from gateway.upstream.connection import Connection
from gateway.upstream.connection_age import Ages
from gateway.upstream.connection_shares import Shares, share
from gateway.upstream.framing import Origin
from gateway.upstream.names import Names

_SHORTEST_S = 0.001


class Target:
    """What listens at an http or https `url`, whose path is put before that of every call. `id` is the upstream's.

    `max_pending` calls may wait for a connection when all are busy. The percentages are of `max_connections`: what one caller may
    hold at most, and bodies that are passed on while they arrive. An idle connection is closed after `idle_timeout_s`, or earlier
    if the target announces less; none answers another call after `max_age_s`. `names` knows the addresses of the URL's host.
    `context` is for https, where the certificate must be for `server_name`, None for the host of the URL. Calls leave through
    `outbox`, which the event loop's other writers should share. Raises ValueError for a bad URL.
    """

    def __init__(
        self,
        id: str,  # noqa: A002 - what the configuration calls it
        url: str,
        *,
        max_connections: int,
        max_pending: int,
        max_caller_percent: int = 100,
        max_stream_percent: int = 100,
        idle_timeout_s: float,
        context: ssl.SSLContext | None,
        server_name: str | None,
        clock: Clock,
        observer: Observer | None = None,
        outbox: Outbox | None = None,
        names: Names | None = None,
        max_age_s: float = math.inf,
    ) -> None:
        self.id = id
        self.address = address(url, context, server_name)
        self.names = names or Names(clock)
        self.names.watch(self.address.host, self._addresses_vanished)
        self._ages = Ages(max_age_s)
        self.origin = Origin(urlsplit(url).path.rstrip("/").encode(), f"Host: {self.address.authority}\r\n".encode())
        self.target = str(self.address)
        self._max_connections = max_connections
        self._max_pending = max_pending
        self._idle_timeout_s = idle_timeout_s
        self._clock = clock
        self._observer = observer
        self._outbox, self._turns = outbox or Outbox(), Turns()
        of_a_caller, streams = share(max_connections, max_caller_percent), share(max_connections, max_stream_percent)
        self._shares = Shares(self.target, of_a_caller, streams, max_pending)
        self._idle: list[Connection] = []
        self._all: set[Connection] = set()
        self._places = 0
        self._queue: deque[asyncio.Future[Connection | None]] = deque()
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    def __repr__(self) -> str:
        return f"<Target {self.id} {self.target}, {self.idle} idle, {self.active} active, {self.pending} pending>"

    @property
    def idle(self) -> int:
        return len(self._idle)

    @property
    def active(self) -> int:
        """Connections that answer a call or are being made."""
        return self._places - len(self._idle)

    @property
    def pending(self) -> int:
        """Calls that wait for a connection."""
        return len(self._queue) + self._shares.waiting

    @property
    def targets(self) -> "tuple[Target, ...]":
        """As an upstream of one."""
        return (self,)

    @property
    def load(self) -> int:
        """Calls that it has, or that wait for it."""
        return self._places - len(self._idle) + self.pending

    async def send(self, call: Call, first: bytes | None = None) -> Answer:
        """Send `call` and wait for its answer. Cancelling this closes the connection.

        `first` is what was already read of the call's Body, None for nothing.
        Raises GatewayError: any UPSTREAM_* row but those about contents, and whatever the call's Body raises.
        """
        body = call.body
        # A slow client's first bytes are waited for without a connection
        if first is None:
            first = b"" if isinstance(body, bytes) else await body.read()
        now = self._clock.monotonic()
        connection, waiter, pooled = await self._begin(call, first, now, fresh=False)
        try:
            return await connection.answer(call, waiter)
        except GatewayError:
            call.total_timeout_s -= self._clock.monotonic() - now
            again = pooled and connection.died_unanswered and call.idempotent and isinstance(body, bytes)
            if not again or call.total_timeout_s <= 0:
                raise
        if self._observer is not None:
            self._observer.retried()
        connection, waiter, _ = await self._begin(call, first, self._clock.monotonic(), fresh=True)
        return await connection.answer(call, waiter)

    async def close(self) -> None:
        """Close every connection and wait until they are gone. Calls under way, waiting and to come fail with
        UPSTREAM_UNREACHABLE: let them finish before."""
        self._closed = True
        why = self._gone()
        while self._queue:
            waiting = self._queue.popleft()
            if not waiting.done():
                waiting.set_exception(why)
        gone = list(self._all)
        for connection in gone:
            connection.fail(why)
        for connection in gone:
            await connection.lost
        self.names.close()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None

    # For connections

    def may_stream(self, connection: Connection) -> bool:
        return self._shares.may_stream(connection)

    def release(self, connection: Connection, idle_hint_s: float | None) -> None:
        self._shares.ended(connection)
        timeout_s = self._idle_timeout_s
        if idle_hint_s is not None and idle_hint_s < timeout_s:
            timeout_s = idle_hint_s
        now = self._clock.monotonic()
        if now >= connection.ends_at:
            connection.abandon()
            return
        connection.expires_at = min(now + timeout_s, connection.ends_at)
        if self._queue and self._hand_over(connection):
            return
        self._idle.append(connection)
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(self._idle_timeout_s, self._sweep)

    def discarded(self, connection: Connection) -> None:
        self._shares.ended(connection)
        # One that ended while it was being made has no place yet
        if connection in self._all:
            self._all.discard(connection)
            if connection in self._idle:
                self._idle.remove(connection)
            self._free_place()

    # Calls

    async def _begin(self, call: Call, first: bytes, now: float, *, fresh: bool) -> tuple[Connection, asyncio.Future[Answer], bool]:
        """Write `call` to a connection, and say whether that served before; `fresh` asks for one that did not."""
        if not self._shares.take(call.caller):
            await self._shares.wait(call.caller, call.connect_timeout_s)
            later = self._clock.monotonic()
            call.connect_timeout_s, now = max(_SHORTEST_S, call.connect_timeout_s - (later - now)), later
        try:
            connection = None if fresh else self._take(now)
            pooled = connection is not None
            if connection is None:
                connection, pooled = await self._connect(call, fresh=fresh)
                now = self._clock.monotonic()
            if not isinstance(call.body, bytes) and connection.closed is None and not self.may_stream(connection):
                self.release(connection, None)
                raise GatewayError(UPSTREAM_SATURATED, cause=f"{self.target}: bodies that stream have their share of connections")
            waiter = connection.begin(call, first, now)
        except BaseException:
            self._shares.give_back(call.caller)
            raise
        connection.caller = call.caller
        return connection, waiter, pooled

    # Places

    def _take(self, now: float) -> Connection | None:
        """The idle connection that was used last: the others may then expire."""
        while self._idle:
            connection = self._idle.pop()
            if connection.usable(now):
                return connection
            connection.abandon()
        return None

    async def _connect(self, call: Call, *, fresh: bool) -> tuple[Connection, bool]:
        """A connection to write `call` to, and whether it served before; `fresh` asks for one that did not.

        Raises GatewayError when the target cannot be reached, or no place becomes free, within the connect time-out.
        """
        if self._closed:
            raise self._gone()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + call.connect_timeout_s
        if fresh and self._idle and self._places >= self._max_connections:
            self._idle[0].abandon()
        turn_kept = fresh
        while self._places >= self._max_connections:
            handed = await self._wait(loop, deadline, turn_kept)
            if handed is None:
                break
            if not fresh and handed.usable(self._clock.monotonic()):
                return handed, True
            handed.abandon()
            turn_kept = True
        else:
            self._places += 1
        try:
            connection = await dial(loop, self.address, lambda: self._connection(loop), deadline, self.names)
            if self._closed:
                connection.abandon()
                raise self._gone()
        except BaseException:
            self._free_place()
            raise
        self._all.add(connection)
        connection.ends_at = self._ages.ends_at(self._clock.monotonic())
        if connection.closed is not None:
            self.discarded(connection)
        if self._observer is not None:
            self._observer.connected()
        return connection, False

    def _addresses_vanished(self, present: frozenset[str]) -> None:
        for connection in [*self._all]:
            if connection.closed is None and connection.peer not in present:
                connection.ends_at = -math.inf
                if connection in self._idle:
                    connection.abandon()

    def _connection(self, loop: asyncio.AbstractEventLoop) -> Connection:
        return Connection(self, self.target, self.origin, self._clock, loop, self._outbox, self._turns)

    async def _wait(self, loop: asyncio.AbstractEventLoop, deadline: float, turn_kept: bool) -> Connection | None:
        """A connection that became free, or None for its place."""
        if len(self._queue) >= self._max_pending and not turn_kept:
            raise GatewayError(UPSTREAM_SATURATED, cause=f"{self.target}: all connections and the queue are full")
        waiting: asyncio.Future[Connection | None] = loop.create_future()
        if turn_kept:
            self._queue.appendleft(waiting)
        else:
            self._queue.append(waiting)
        try:
            async with asyncio.timeout_at(deadline):
                return await waiting
        except BaseException as error:
            if waiting in self._queue:
                self._queue.remove(waiting)
            elif waiting.done() and not waiting.cancelled() and waiting.exception() is None:
                self._give_back(waiting.result())
            if isinstance(error, TimeoutError):
                raise GatewayError(UPSTREAM_SATURATED, cause=f"{self.target}: no connection became free in time") from None
            raise

    def _give_back(self, handed: Connection | None) -> None:
        if handed is None:
            self._free_place()
        elif handed.closed is None:
            self.release(handed, None)

    def _free_place(self) -> None:
        if not self._hand_over(None):
            self._places -= 1

    def _hand_over(self, freed: Connection | None) -> bool:
        """Give a connection, or a place for one, to the call that has waited longest."""
        while self._queue:
            waiting = self._queue.popleft()
            if not waiting.done():
                waiting.set_result(freed)
                return True
        return False

    def _sweep(self) -> None:
        now = self._clock.monotonic()
        for connection in [idle for idle in self._idle if idle.expires_at <= now]:
            connection.abandon()
        self._sweeper = None
        if self._idle:
            soonest = min(idle.expires_at for idle in self._idle) - now
            # Not for every one of them its own ring
            delay_s = max(soonest, self._idle_timeout_s / 10)
            self._sweeper = asyncio.get_running_loop().call_later(delay_s, self._sweep)

    def _gone(self) -> GatewayError:
        return GatewayError(UPSTREAM_UNREACHABLE, cause=f"{self.target}: the upstream is closed")
