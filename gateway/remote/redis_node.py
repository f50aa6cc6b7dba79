"""A Redis server that is there or not: keeps a link to it, loads the script, and knows when not to ask.

A call never waits for a server that is known to be away: it is told so at once, and a task looks for the server outside
of any request. Only when an open connection was lost do calls wait for the next one, each within its own budget, because
a server that closed an idle connection is still there. A call that was sent is not sent again: it may have been done.
"""

import asyncio
from collections.abc import Callable

from gateway.remote.breaker import Breaker
from gateway.remote.redis_address import LinkError, RedisAddress
from gateway.remote.redis_link import LOST, TIMEOUT, RedisLink, Reply, pack

SETUP_TIMEOUT_S = 1.0
"""For connections that no request waits for: a TLS handshake may take longer than a decision."""
CANCEL_AGAIN_S = 0.05
FOR_ALL = frozenset(
    {"BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "MOVED", "NOAUTH", "NOPERM", "NOREPLICAS", "NOSCRIPT", "OOM", "READONLY"}
)
"""Redis's words for what would have met every other call as well."""
AWAY = LinkError("away")


class RedisNode:
    """`start` before the first call, `close` after the last.

    `script` is loaded into every server that is reached, and `probe` is a command that uses it as calls will: only a
    server that does it within `timeout_s`, the budget of a call, is up. `on_state(up, reason)` is called when the
    server is reached or found away for the first time, and at each change after that. `reason` is the text of a
    LinkError, "" when up.
    """

    def __init__(self, address: RedisAddress, timeout_s: float, script: bytes, probe: bytes, on_state: Callable[[bool, str], None]) -> None:
        self.address = address
        self._timeout_s = timeout_s
        self._load = pack(b"SCRIPT", b"LOAD", script)
        self._probe = probe
        self._on_state = on_state
        self._reported: bool | None = None
        self._breaker = Breaker()
        self._link: RedisLink | None = None
        self._arrival = asyncio.Event()
        self._seeker: asyncio.Task[None] | None = None
        self._reloading = False

    def __repr__(self) -> str:
        return f"{self.address} {'down' if self._link is None else 'up'}, {self._link.in_flight if self._link else 0} in flight"

    async def start(self) -> None:
        """Returns when the server was reached, or was found away for the first time: after a few seconds at most."""
        self._loop = asyncio.get_running_loop()
        self._seek(at_once=True)
        await self._arrival.wait()

    async def close(self) -> None:
        """Cut the connection. Calls in flight and later ones fail."""
        self._breaker.open()
        self._arrival.set()
        while self._seeker is not None and not self._seeker.done():
            self._seeker.cancel()  # again and again: redis-py's set-up can swallow one (asyncio.wait_for before Python 3.12)
            await asyncio.wait([self._seeker], timeout=CANCEL_AGAIN_S)
        self._breaker.open()
        self._give_up()

    async def call(self, command: bytes) -> Reply:
        """The server's reply, or the LinkError that it or the way to it is. Raises nothing."""
        if self._breaker.is_open:
            return AWAY
        deadline = self._loop.time() + self._timeout_s
        link = self._link or await self._next_link(deadline)
        if link is None:
            return LOST
        reply = await link.send(command, deadline)
        if not isinstance(reply, LinkError):
            if self._breaker.failures:
                self._breaker.close()
            return reply
        if reply.reason == "NOSCRIPT" and link is self._link:
            self._reload(link, deadline)
            reply = await link.send(command, deadline)
        if isinstance(reply, LinkError) and link is self._link:
            self._failed(reply)
        return reply

    def _reload(self, link: RedisLink, deadline: float) -> None:
        """Redis has forgotten the script. Its replies come in order, so one loading serves all that follows it."""
        if not self._reloading:
            self._reloading = True
            link.send(self._load, deadline).add_done_callback(self._reloaded)

    def _reloaded(self, _: object) -> None:
        self._reloading = False

    async def _next_link(self, deadline: float) -> RedisLink | None:
        try:
            async with asyncio.timeout_at(deadline):
                await self._arrival.wait()
        except TimeoutError:
            self._away(TIMEOUT)
        return self._link

    def _failed(self, failure: LinkError) -> None:
        if failure.reason in FOR_ALL:
            self._breaker.open()
        else:
            self._breaker.failed()
        if self._breaker.is_open:
            self._give_up()
            self._away(failure)
            self._seek(at_once=False)

    def _ended(self, link: RedisLink, failure: LinkError) -> None:
        """`link` is gone. A time-out means a server that hangs, anything else one that may take the next connection."""
        if link is not self._link:
            return
        self._link = None
        if failure is TIMEOUT:
            self._away(failure)
            self._seek(at_once=False)
        else:
            self._arrival.clear()
            self._seek(at_once=True)

    def _give_up(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def _away(self, failure: LinkError) -> None:
        self._breaker.open()
        self._arrival.set()
        self._report(False, str(failure))

    def _report(self, up: bool, reason: str) -> None:
        if self._reported is not up:
            self._reported = up
            self._on_state(up, reason)

    def _seek(self, *, at_once: bool) -> None:
        """Only without a link: the task ends when there is one, so that there are never two."""
        self._seeker = self._loop.create_task(self._reach(at_once), name=f"reach {self.address}")

    async def _reach(self, at_once: bool) -> None:
        """Until the server is up."""
        while True:
            if not at_once:
                await asyncio.sleep(self._breaker.delay_s())
            at_once = False
            try:
                self._link = await self._try_once()
            except LinkError as failure:
                self._away(failure)
            except Exception as bug:  # nobody would look for the server again
                self._away(LinkError(f"bug: {bug!r}"))
            else:
                self._breaker.close()
                self._arrival.set()
                self._report(True, "")
                return

    async def _try_once(self) -> RedisLink:
        setup_s = max(SETUP_TIMEOUT_S, self._timeout_s)
        writer = await self.address.open(setup_s)
        link = RedisLink(self._loop, self._timeout_s, self._ended)
        link.take_over(writer)
        try:
            for command, limit_s in ((self._load, setup_s), (self._probe, self._timeout_s)):
                reply = await link.send(command, self._loop.time() + limit_s)
                if isinstance(reply, LinkError):
                    raise LinkError(str(reply))  # a new one: replies are shared, and would gather tracebacks
        except BaseException:
            link.close()
            raise
        return link
