"""One Redis server: keeps a connection to it, loads the scripts, and knows when not to ask.

A call never waits for a server that is known to be away: it fails at once, and a task tries to reach the server outside
of any request. Only when an open connection was lost do calls wait for the next one, each within its own budget,
because a server that closed an idle connection is still there. A call that was sent is not sent again, because it may
have been done; unless the server replied that it was not: it has forgotten the script, or is a replica now.
"""

import asyncio
from collections.abc import Callable

from gateway.net.coroutine_driver import in_task
from gateway.redis_client.address import RedisConnectionError, RedisEndpoint
from gateway.redis_client.availability import Availability
from gateway.redis_client.connection import LOST, TIMEOUT, RedisConnection, RedisReply, by_eval, pack, sha_of
from gateway.redis_client.status import RedisServerStatus, StateListener

SETUP_TIMEOUT_S = 1.0
"""The time-out of connections that no request waits for, in seconds. A TLS handshake may take longer than a decision.
"""
CANCEL_AGAIN_S = 0.05
FOR_ALL = frozenset({
    "BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "MOVED", "NOAUTH", "NOPERM", "NOREPLICAS", "NOSCRIPT",
    "OOM", "READONLY",
})  # fmt: skip
"""Redis's error codes for what every other call would have met as well."""
ELSEWHERE = frozenset({"ASK", "MOVED", "TRYAGAIN"})
"""A cluster node's error codes for a key that it does not have, or not all of.

It is healthy, and the call was not done.
"""
AWAY = RedisConnectionError("away")
ASKING = pack(b"ASKING")
_NO_SUCH_COMMAND = frozenset({"ERR", "NOPERM"})
"""Error codes of SCRIPT where it is not known, or not allowed."""


class RedisServer:
    """`start` before the first call, `close` after the last.

    `scripts` are loaded into every server that is reached; where SCRIPT is refused, calls carry theirs. `probe` returns
    a command that uses one as calls will: only a server that does it within `timeout_s`, the budget of a call, is up.
    `on_state` is called when the server is reached or found away for the first time, and at each change
    after that. `reason` is the text of a RedisConnectionError, "" when up. For a node `in_cluster` ELSEWHERE is a reply
    like others.
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
        self._scripts = {sha_of(script): script for script in scripts}
        self._loads = [pack(b"SCRIPT", b"LOAD", script) for script in scripts]
        self._by_eval = False
        self._probe = probe
        self._on_state = on_state
        self._elsewhere = ELSEWHERE if in_cluster else frozenset()
        self._reported: bool | None = None
        self._availability = Availability()
        self._connection: RedisConnection | None = None
        self._arrival = asyncio.Event()
        self._connecting: asyncio.Task[None] | None = None
        self._reloading = False

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

    async def call(
        self,
        command: bytes,
        tag: str = "",  # noqa: ARG002 - chooses a node where there are several
        *,
        deadline: float | None = None,
        after_ask: bool = False,
    ) -> RedisReply:
        """Return the server's reply, or a RedisConnectionError for why there is none. Raises nothing.

        `tag` chooses the node where there are several. `deadline` is of the loop's clock, None for a whole budget from
        now on. `after_ask` is for a node that is about to get the key, and was named by the one that still has it.
        """
        if self._availability.is_away:
            return AWAY
        if deadline is None:
            deadline = self._loop.time() + self._timeout_s
        connection = self._connection or await self._next_connection(deadline)
        if connection is None:
            return LOST
        if after_ask:
            connection.send(ASKING, deadline)
        reply = await connection.send(command, deadline)
        if not isinstance(reply, RedisConnectionError):
            if self._availability.failures:
                self._availability.reached()
            return reply
        if reply.reason in self._elsewhere:
            return reply
        if reply.reason == "NOSCRIPT" and connection is self._connection:
            if self._by_eval:
                command = by_eval(command, self._scripts)
            else:
                self._reload(connection, deadline)
            if after_ask:
                connection.send(ASKING, deadline)
            reply = await connection.send(command, deadline)
        elif reply.reason == "READONLY":
            self._reconnect(connection, reply)
            connection = await self._next_connection(deadline)
            if connection is None:
                return reply
            reply = await connection.send(command, deadline)
        if (
            isinstance(reply, RedisConnectionError)
            and connection is self._connection
            and reply.reason not in self._elsewhere
        ):
            self._failed(reply)
        return reply

    def _reload(self, connection: RedisConnection, deadline: float) -> None:
        """Load the scripts that Redis has forgotten.

        Replies come in order, so one loading serves all commands after it.
        """
        if not self._reloading:
            self._reloading = True
            last = [connection.send(load, deadline) for load in self._loads][-1]
            last.resume = self._reloaded
            if last.done:
                self._reloaded()

    def _reloaded(self) -> None:
        self._reloading = False

    def _reconnect(self, connection: RedisConnection, readonly: RedisConnectionError) -> None:
        """Find the present primary, for which calls wait, because the server is a replica now.

        Replies come in order, so what was still to come was not done either.
        """
        if connection is self._connection:
            self._connection = None
            self._arrival.clear()
            self._connect(at_once=True)
            connection.close(readonly)

    async def _next_connection(self, deadline: float) -> RedisConnection | None:
        await in_task()
        try:
            async with asyncio.timeout_at(deadline):
                await self._arrival.wait()
        except TimeoutError:
            self._away(TIMEOUT)
        return self._connection

    def _failed(self, failure: RedisConnectionError) -> None:
        if failure.reason in FOR_ALL:
            self._availability.lost()
        else:
            self._availability.failed()
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
            await self._load(connection, setup_s)
            probe = by_eval(self._probe(), self._scripts) if self._by_eval else self._probe()
            self._raise_error(await connection.send(probe, self._loop.time() + self._timeout_s))
        except BaseException:
            connection.close()
            raise
        return connection

    async def _load(self, connection: RedisConnection, setup_s: float) -> None:
        """Load the scripts.

        A proxy before Redis may know EVAL and not SCRIPT: some reply so, others cut the connection.
        """
        for load in () if self._by_eval else self._loads:
            reply = await connection.send(load, self._loop.time() + setup_s)
            if isinstance(reply, RedisConnectionError) and (reply is LOST or reply.reason in _NO_SUCH_COMMAND):
                self._by_eval = True
                if reply is not LOST:
                    return
            self._raise_error(reply)

    def _raise_error(self, reply: RedisReply) -> None:
        if isinstance(reply, RedisConnectionError) and reply.reason not in self._elsewhere:
            raise RedisConnectionError(str(reply))  # a new one: replies are shared, and would gather tracebacks
