"""One listening address and its connections."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from email.utils import formatdate

from aiohttp.web import BaseRequest, StreamResponse
from aiohttp.web_server import Server

from gateway.edge.connection import Connection
from gateway.edge.door import Door
from gateway.exchange import Exchange, Send
from gateway.remote.outbox import Outbox


class Listener(Server):
    """Accepts on sockets that somebody else has bound, and serves what comes.

    `serve` answers one Exchange through the `Send` it is given. `wall` reads Unix time in seconds.
    """

    SWEEP_S = 0.25

    def __init__(self, door: Door, serve: Callable[[Exchange, Send], Awaitable[None]], wall: Callable[[], float], outbox: Outbox) -> None:
        super().__init__(_unused, handler_cancellation=True)
        self.door = door
        self.serve = serve
        self.outbox = outbox
        self.draining = False
        self._wall = wall
        self._date = ""
        self._date_for = 0
        self._servers: list[asyncio.Server] = []
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self) -> Connection:
        limits = self.door.limits
        return Connection(
            self,
            loop=self._loop,
            keepalive_timeout=0,
            access_log=None,
            auto_decompress=False,
            max_line_size=self.door.line_limit,
            max_field_size=limits.header_bytes,
        )

    async def start(self, sock: socket.socket) -> None:
        """Begin to accept on `sock`, which is bound."""
        self._servers.append(await self._loop.create_server(self, sock=sock, backlog=1024))
        if self._timer is None:
            self._sweep()

    def date(self) -> str:
        """The Date line, made once a second."""
        now = int(self._wall())
        if now != self._date_for:
            self._date_for = now
            self._date = f"Date: {formatdate(now, usegmt=True)}\r\n"
        return self._date

    def stop_accepting(self) -> None:
        """No new connections, and no idle ones."""
        self.draining = True
        for server in self._servers:
            server.close()
        for connection in self._open():
            connection.drain()

    def cut(self) -> int:
        """End what is left, in flight or not; returns how many requests were in flight."""
        if self._timer is not None:
            self._timer.cancel()
        return sum(connection.cut() for connection in self._open())

    def _open(self) -> list[Connection]:
        return [connection for connection in self._connections if isinstance(connection, Connection)]

    def _sweep(self) -> None:
        now = self._loop.time()
        for connection in self._open():
            connection.sweep(now)
        self._timer = self._loop.call_later(self.SWEEP_S, self._sweep)

    def __repr__(self) -> str:
        return f"<Listener {len(self._connections)} connections{', draining' if self.draining else ''}>"


async def _unused(_: BaseRequest) -> StreamResponse:  # aiohttp wants a handler; Connection never calls it
    raise AssertionError
