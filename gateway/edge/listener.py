"""One listening address and its connections."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from email.utils import formatdate

from aiohttp.web import BaseRequest, StreamResponse
from aiohttp.web_server import Server

from gateway.edge.connection import Connection
from gateway.edge.door import Door
from gateway.edge.porch import Porch, Threshold
from gateway.exchange import Exchange, Send
from gateway.remote.outbox import Outbox


class Listener(Server):
    """Accepts on sockets that somebody else has bound, and serves what comes.

    `serve` answers one Exchange through the `Send` it is given. `wall` reads Unix time in seconds.
    """

    SWEEP_S = 0.25
    PARTING_S = 1.0
    """After `stop_accepting`, how long a connection may be idle. Closed at once it would meet the next request on its way."""
    CERTIFICATES_S = 2.0
    """How often the files of certificates are looked at."""

    def __init__(
        self,
        door: Door,
        serve: Callable[[Exchange, Send], Awaitable[None]],
        wall: Callable[[], float],
        outbox: Outbox,
        threshold: Threshold | None = None,
    ) -> None:
        super().__init__(_unused, handler_cancellation=True)
        self.door = door
        self.serve = serve
        self.outbox = outbox
        self.draining = False
        self.idle_timeout_s = door.limits.idle_timeout_s
        self._wall = wall
        self._date = ""
        self._date_for = 0
        self._servers: list[asyncio.Server] = []
        self._timer: asyncio.TimerHandle | None = None
        self._certificates = None if threshold is None else threshold.certificates
        self._looked = door.monotonic()
        self._porch: Porch | None = None
        if threshold is not None:
            self._porch = Porch(self._connection, threshold, door.trusts)

    def __call__(self) -> Connection:
        return self._connection(None, False)

    def _connection(self, told: str | None, plain: bool) -> Connection:
        limits = self.door.limits
        return Connection(
            self,
            told,
            plain=plain,
            loop=self._loop,
            keepalive_timeout=0,
            access_log=None,
            auto_decompress=False,
            max_line_size=self.door.line_limit,
            max_field_size=limits.header_bytes,
        )

    async def start(self, sock: socket.socket) -> None:
        """Begin to accept on `sock`, which is bound."""
        if self._porch is not None:
            self._porch.open(sock)
        else:
            serve = self._loop.create_unix_server if sock.family is socket.AF_UNIX else self._loop.create_server
            self._servers.append(await serve(self, sock=sock, backlog=1024))
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
        """No new connections. Those that there are end with their next reply, or soon if nothing comes."""
        self.draining = True
        self.idle_timeout_s = min(self.idle_timeout_s, self.PARTING_S)
        if self._porch is not None:
            self._porch.close()
        for server in self._servers:
            server.close()

    @property
    def busy(self) -> bool:
        """Whether there is anybody left to serve."""
        return bool(self._connections) or (self._porch is not None and self._porch.arriving > 0)

    def cut(self) -> int:
        """End what is left, in flight or not; returns how many requests were in flight."""
        if self._timer is not None:
            self._timer.cancel()
        if self._porch is not None:
            self._porch.cut()
        return sum(connection.cut() for connection in self._open())

    def _open(self) -> list[Connection]:
        return [connection for connection in self._connections if isinstance(connection, Connection)]

    def _sweep(self) -> None:
        now = self.door.monotonic()
        for connection in self._open():
            connection.sweep(now)
        if self._certificates is not None and now - self._looked >= self.CERTIFICATES_S:
            self._looked = now
            self._certificates.refresh()
        self._timer = self._loop.call_later(self.SWEEP_S, self._sweep)

    def __repr__(self) -> str:
        return f"<Listener {len(self._connections)} connections{', draining' if self.draining else ''}>"


async def _unused(_: BaseRequest) -> StreamResponse:  # aiohttp wants a handler; Connection never calls it
    raise AssertionError
