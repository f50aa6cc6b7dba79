"""One Redis server: keeps a connection to it, loads the scripts, and knows when not to ask.

A call never waits for a server that is known to be away: it fails at once, and a task tries to reach the server outside
of any request. Only when an open connection was lost do calls wait for the next one, each within its own budget,
because a server that closed an idle connection is still there. A call that was sent is not sent again, because it may
have been done; unless the server replied that it was not: it has forgotten the script, or is a replica now.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from gateway.net.waiter import Waiter
from gateway.redis_client.address import RedisConnectionError, RedisEndpoint
from gateway.redis_client.availability import Availability
from gateway.redis_client.connection import (
    LOST,
    TIMEOUT,
    PendingReply,
    RedisConnection,
    RedisReply,
    SentCommand,
    answered,
    pack,
)
from gateway.redis_client.scripts import ServerScripts
from gateway.redis_client.status import RedisServerStatus, StateListener

SETUP_TIMEOUT_S = 1.0
"""The time-out of connections that no request waits for, in seconds. A TLS handshake may take longer than a call."""
CANCEL_AGAIN_S = 0.05
ELSEWHERE = frozenset({"ASK", "MOVED", "TRYAGAIN"})
"""A healthy cluster node's error codes for a key that it does not have, or not all of: the call was not done."""
AWAY = RedisConnectionError("away")
ASKING = pack(b"ASKING")

Redirect: TypeAlias = Callable[[SentCommand, RedisConnectionError], None]
"""Completes the waiter of a command to which a node has replied that the key is elsewhere."""


class RedisServer:
    """`start` before the first call, `close` after the last.

    `scripts` are loaded into every server that is reached; where SCRIPT is refused, calls carry theirs. `probe` returns
    a command that uses one as calls will: only a server that does it within `timeout_s`, the budget of a call, is up.
    `on_state` is called when the server is reached or found away for the first time, and at each change after that.
    `reason` is the text of a RedisConnectionError, "" when up. For a node `in_cluster` ELSEWHERE is no failure.
    """

    def __init__(
        self,
        address: RedisEndpoint,
        timeout_s: float,
        scripts: tuple[bytes, ...],
        probe: Callable[[], bytes],
        on_state: StateListener,
        *,
        in_cluster: bool = False,
    ) -> None:
        self.address = address
        self._timeout_s = timeout_s
        self._scripts = ServerScripts(scripts)
        self._probe = probe
        self._on_state = on_state
        self._elsewhere = ELSEWHERE if in_cluster else frozenset()
        self._reported: bool | None = None
        self._availability = Availability()
        self._connection: RedisConnection | None = None
        self._arrival = asyncio.Event()
        self._connecting: asyncio.Task[None] | None = None
        self._waiting: set[asyncio.Task[None]] = set()

    @property
    def up(self) -> bool | None:
        """The state that was last reported; None before that."""
        return self._reported

    @property
    def in_flight(self) -> int:
        """Replies that are still to come."""
        return self._connection.in_flight if self._connection else 0

    def servers(self) -> list[RedisServerStatus]:
        """Return the status of this server; see `RedisStore.servers`."""
        known = self._availability
        return [
            RedisServerStatus(
                str(self.address), self._reported, "open" if known.is_away else "closed", known.failures, self.in_flight
            )
        ]

    def __repr__(self) -> str:
        return f"{self.address} {'down' if self._connection is None else 'up'}, {self.in_flight} in flight"

    async def start(self) -> None:
        """Return when the server was reached, or was found away for the first time: after a few seconds at most."""
        self.begin()
        await self._arrival.wait()

    def begin(self) -> None:
        """Start to connect. Until it is known whether the server is there, calls wait for it within their budget."""
        self._loop = asyncio.get_running_loop()
        self._availability.reached()
        self._connect(at_once=True)

    async def close(self) -> None:
        """Cut the connection. Calls in flight and later ones fail."""
        self._availability.lost()
        self._arrival.set()
        while self._connecting is not None and not self._connecting.done():
            # Repeated, because redis-py's set-up can swallow one (asyncio.wait_for before Python 3.12).
            self._connecting.cancel()
            await asyncio.wait([self._connecting], timeout=CANCEL_AGAIN_S)
        self._availability.lost()
        self._give_up()

    async def call(self, command: bytes, tag: str = "") -> RedisReply:
        """See `RedisStore.call`. Raises nothing."""
        return await self.send(command, tag)

    def send(self, command: bytes, _tag: str = "", waiter: PendingReply | None = None, /) -> PendingReply:
        """See `RedisStore.send`. The time-out begins now. The tag chooses a node where there are several."""
        connection = self._connection
        if connection is not None:
            return connection.send(command, self._loop.time() + self._timeout_s, self._handle, waiter)
        if self._availability.is_away:
            return answered(AWAY, waiter)
        return self.send_by(command, self._loop.time() + self._timeout_s, waiter)

    def send_by(
        self,
        command: bytes,
        deadline: float,
        waiter: PendingReply | None = None,
        *,
        after_ask: bool = False,
        redirect: Redirect | None = None,
    ) -> PendingReply:
        """Do what `send` does within a `deadline` of the loop's clock.

        `after_ask` is for a node that is about to get the key, and was named by the one that still has it. `redirect`
        completes the waiter of a command that gets a reply of ELSEWHERE.
        """
        connection = self._connection
        if connection is None and self._availability.is_away:
            return answered(AWAY, waiter)
        handler = self._handle if redirect is None else partial(self._handle, redirect=redirect)
        if connection is None:
            pending: PendingReply = Waiter() if waiter is None else waiter
            self._send_on_next((deadline, pending, command, handler), LOST, after_ask=after_ask)
            return pending
        if after_ask:
            connection.send(ASKING, deadline)
        return connection.send(command, deadline, handler, waiter)

    def _handle(
        self, connection: RedisConnection, sent: SentCommand, reply: RedisReply, *, redirect: Redirect | None = None
    ) -> None:
        """Send a command again whose first reply says that it was not done; other replies are the last ones."""
        deadline, waiter, command, _ = sent
        last = partial(self._handle_last, redirect=redirect)
        failure = reply if isinstance(reply, RedisConnectionError) else None
        if failure is not None and failure.reason == "READONLY":
            self._reconnect(connection, failure)
            self._send_on_next((deadline, waiter, command, last), failure)
        elif failure is not None and failure.reason == "NOSCRIPT" and connection is self._connection:
            command = self._scripts.once_more(command, connection, deadline)
            if self._elsewhere:  # no harm where the first one was not needed
                connection.send(ASKING, deadline)
            connection.send(command, deadline, last, waiter)
        else:
            last(connection, sent, reply)

    def _handle_last(
        self, connection: RedisConnection, sent: SentCommand, reply: RedisReply, *, redirect: Redirect | None
    ) -> None:
        if not isinstance(reply, RedisConnectionError):
            self._availability.reached()
            connection.doubted = False
        elif reply.reason in self._elsewhere:
            if redirect is not None:
                redirect(sent, reply)
                return
        elif connection is self._connection:
            self._failed(connection, reply)
        sent[1].set_result(reply)

    def _send_on_next(self, sent: SentCommand, otherwise: RedisConnectionError, *, after_ask: bool = False) -> None:
        """Send a command when there is a connection again; if that is too late, its reply is `otherwise`."""
        task = self._loop.create_task(self._wait_and_send(sent, otherwise, after_ask=after_ask))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def _wait_and_send(self, sent: SentCommand, otherwise: RedisConnectionError, *, after_ask: bool) -> None:
        deadline, waiter, command, handler = sent
        try:
            async with asyncio.timeout_at(deadline):
                await self._arrival.wait()
        except TimeoutError:
            if not waiter.done:
                self._away(TIMEOUT)
        connection = self._connection
        if connection is not None and not waiter.done:
            if after_ask:
                connection.send(ASKING, deadline)
            connection.send(command, deadline, handler, waiter)
        elif not waiter.done:
            waiter.set_result(otherwise)

    def _reconnect(self, connection: RedisConnection, readonly: RedisConnectionError) -> None:
        """Find the present primary, for which calls wait, because the server is a replica now.

        Replies come in order, so what was still to come was not done either.
        """
        if connection is self._connection:
            self._connection = None
            self._arrival.clear()
            self._connect(at_once=True)
            connection.close(readonly)

    def _failed(self, connection: RedisConnection, failure: RedisConnectionError) -> None:
        connection.doubted = True
        self._availability.failed(failure.reason)
        if self._availability.is_away:
            self._give_up()
            self._away(failure)
            self._connect(at_once=False)

    def _ended(self, connection: RedisConnection, failure: RedisConnectionError) -> None:
        """Note that `connection` was lost.

        A time-out means a server that hangs, anything else one that may take the next connection.
        """
        if connection is not self._connection:
            return
        self._connection = None
        if failure is TIMEOUT:
            self._away(failure)
            self._connect(at_once=False)
        else:
            self._arrival.clear()
            self._connect(at_once=True)

    def _give_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _away(self, failure: RedisConnectionError) -> None:
        self._availability.lost()
        self._arrival.set()
        self._report(str(failure), up=False)

    def _report(self, reason: str = "", *, up: bool) -> None:
        if self._reported is not up:
            self._reported = up
            self._on_state(up=up, reason=reason)

    def _connect(self, *, at_once: bool) -> None:
        """Begin to connect. Only without a connection: the task ends when there is one, so that there are never two."""
        self._connecting = self._loop.create_task(self._connect_until_up(at_once=at_once), name=f"reach {self.address}")

    async def _connect_until_up(self, *, at_once: bool) -> None:
        """Try again and again, until the server is up."""
        while True:
            if not at_once:
                await asyncio.sleep(self._availability.delay_s())
            at_once = False
            try:
                self._connection = await self._open()
            except RedisConnectionError as failure:
                self._away(failure)
            except Exception as bug:  # nothing else would try the server again
                self._away(RedisConnectionError(f"bug: {type(bug).__name__}: {bug}"))
            else:
                self._availability.reached()
                self._arrival.set()
                self._report(up=True)
                return

    async def _open(self) -> RedisConnection:
        setup_s = max(SETUP_TIMEOUT_S, self._timeout_s)
        writer = await self.address.open(setup_s)
        connection = RedisConnection(self._loop, self._timeout_s, self._ended)
        connection.take_over(writer)
        try:
            if (unusable := await self._scripts.load(connection, setup_s)) is not None:
                self._raise_error(unusable)
            probe = self._scripts.carried_by(self._probe())
            self._raise_error(await connection.send(probe, self._loop.time() + self._timeout_s))
        except BaseException:
            connection.close()
            raise
        return connection

    def _raise_error(self, reply: RedisReply) -> None:
        if isinstance(reply, RedisConnectionError) and reply.reason not in self._elsewhere:
            raise RedisConnectionError(str(reply))  # a new one: replies are shared, and would gather tracebacks
