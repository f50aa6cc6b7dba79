"""The second listener: health, readiness, metrics and changes, for the platform and operators and never for clients.

Laws:
 - Whoever does nothing for `silent_s` although it is its turn is cut off: a head or a body that does not go on, a reply that is
   not taken. A connection that has had its reply may be idle for longer.
 - There are at most `most_connections`. Whoever comes then takes the place of the one that has been idle longest, so that a
   probe is answered whatever others do.
"""

import asyncio
import hmac
import socket
from collections.abc import Awaitable, Callable, Generator
from typing import Protocol, TypeAlias

import msgspec
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from gateway.system.acceptor import Acceptor, room

Readiness: TypeAlias = Callable[[], tuple[bool, list[str]]]
"""Whether clients should be sent here, and if not, why: "starting", "draining" …"""


class Scraped(Protocol):
    """What /metrics shows."""

    def pieces(self, accept: str) -> tuple[Generator[bytes, None, None], str]:
        """The body in pieces that each take little time, and its content type."""
        ...


View: TypeAlias = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

_SERVER = "gateway"
"""Or aiohttp names itself, its version and Python's."""
_SHUTDOWN_TIMEOUT_S = 1.0
_IDLE_TIMEOUT_S = 75.0
SILENT_S = 10.0
SWEEP_S = 0.5
MOST_CONNECTIONS = 128
_HEAD_END = b"\r\n\r\n"


def json_reply(status: int, body: dict[str, object], **fields: str) -> web.Response:
    headers = {"Server": _SERVER, "Cache-Control": "no-store", **{name.replace("_", "-"): value for name, value in fields.items()}}
    return web.Response(status=status, body=msgspec.json.encode(body) + b"\n", content_type="application/json", headers=headers)


def lines_reply(body: bytes) -> web.Response:
    """JSON, a value a line."""
    headers = {"Server": _SERVER, "Cache-Control": "no-store"}
    return web.Response(body=body, content_type="application/x-ndjson", headers=headers)


class _Connection(RequestHandler):
    """aiohttp answers malformed requests, and failures of views, in plain text that shows what went wrong inside.

    It gives everybody all the time in the world, too.
    """

    __slots__ = ("_owes_since", "_stalled_since", "_tail", "last_at")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.last_at = self._loop.time()
        """When something last arrived."""
        self._owes_since: float | None = self.last_at  # the rest of a head, or of a body
        self._stalled_since: float | None = None
        self._tail = b""
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self.last_at = self._loop.time()
        self._tail = (self._tail + data)[-len(_HEAD_END) :]
        if self._tail == _HEAD_END:
            self._owes_since = None
        elif self._owes_since is None:
            self._owes_since = self.last_at
        super().data_received(data)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled_since = self._loop.time()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stalled_since = None

    @property
    def idle(self) -> bool:
        """Whether it has no request that is being answered."""
        here = self.transport is not None and not self.transport.is_closing()
        return here and self._current_request is None and not self._messages

    def sweep(self, now: float, silent_s: float) -> None:
        """End it if it has been silent for too long. `now` is the loop's time."""
        request = self._current_request
        owes = self.idle or (request is not None and not request.content.is_eof())
        since = self._stalled_since if self._stalled_since is not None else self._owes_since if owes else None
        if since is not None and now - since > silent_s:
            self.cut()

    def cut(self) -> None:
        """End it at once, whatever is unsent."""
        if self.transport is not None:
            self.transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002  it repeats the malformed request
    ) -> web.StreamResponse:
        if request.writer.output_size > 0:
            raise ConnectionError("A reply has begun: it cannot become an error")
        if exc is not None and status >= 500:
            self.log_exception("The admin listener failed", exc_info=exc)
        reply = json_reply(status, {"error": "malformed request" if status < 500 else "internal error"})
        reply.force_close()
        return reply


class _Server(web.Server):
    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)

    def __len__(self) -> int:
        return len(self._connections)

    def open(self) -> list[_Connection]:
        return [connection for connection in self._connections if isinstance(connection, _Connection)]

    def clear_one(self) -> bool:
        """End the connection that has been idle longest; False when none is idle."""
        idle = [connection for connection in self.open() if connection.idle]
        if idle:
            min(idle, key=lambda connection: connection.last_at).cut()
        return bool(idle)


class Admin:
    """Serves `metrics` and health at `address`: host:port, [v6]:port or unix:/path. Port 0 takes any free one.

    `token` is asked for before a change; None refuses every change.
    """

    def __init__(
        self,
        address: str,
        metrics: Scraped,
        readiness: Readiness,
        token: str | None = None,
        *,
        silent_s: float = SILENT_S,
        most_connections: int = MOST_CONNECTIONS,
    ) -> None:
        self._configured = address
        self.token = token
        self._metrics = metrics
        self._readiness = readiness
        self.views: dict[str, View] = {"/healthz": self._healthz, "/readyz": self._readyz, "/metrics": self._scrape}
        """By path. Whoever has more to show adds it before the start."""
        self.changes: dict[str, View] = {}
        """By path: what a POST with the token does."""
        self._silent_s = silent_s
        self._most_connections = most_connections
        self._scraping = asyncio.Lock()
        self._runner: web.ServerRunner | None = None
        self._acceptor: Acceptor | None = None
        self._sweeping: asyncio.TimerHandle | None = None
        self.address = address
        """Where it listens, once started."""

    def __repr__(self) -> str:
        return f"<Admin {self.address} {'listening' if self._runner else 'closed'}>"

    async def start(self, sock: socket.socket | None = None) -> None:
        """Listen, on `sock` if somebody has bound it. Raises OSError when the address cannot be had, ValueError when it is none."""
        sock = sock or await _bound(self._configured)
        server = _Server(self._serve, access_log=None, keepalive_timeout=_IDLE_TIMEOUT_S, auto_decompress=False)
        self._runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_TIMEOUT_S)
        await self._runner.setup()
        self.address = _spelled(sock)
        self._acceptor = Acceptor(sock, server, server, room(self._most_connections))
        self._sweep(server)

    async def close(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            assert self._acceptor is not None
            assert self._sweeping is not None
            self._acceptor.close()
            self._sweeping.cancel()
            await runner.cleanup()

    def _sweep(self, server: _Server) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in server.open():
            connection.sweep(now, self._silent_s)
        self._sweeping = loop.call_later(SWEEP_S, self._sweep, server)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        change = self.changes.get(request.path)
        if change is not None:
            return self._refusal(request) or await change(request)
        view = self.views.get(request.path)
        if view is None:
            return json_reply(404, {"error": "not found", "paths": sorted([*self.views, *self.changes])})
        if request.method not in ("GET", "HEAD"):
            return json_reply(405, {"error": "method not allowed"}, Allow="GET, HEAD")
        return await view(request)

    def _refusal(self, request: web.BaseRequest) -> web.Response | None:
        """Why this request may not change anything, None if it may."""
        if request.method != "POST":
            return json_reply(405, {"error": "method not allowed"}, Allow="POST")
        if self.token is None:
            return json_reply(
                403, {"error": "no change is allowed: the configuration has no admin.token; give it one, and reload it with SIGHUP"}
            )
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return json_reply(401, {"error": "this asks for the token, as Authorization: Bearer"}, WWW_Authenticate="Bearer")
        if not hmac.compare_digest(token.strip().encode(errors="replace"), self.token.encode()):
            return json_reply(401, {"error": "that is not the admin.token of the configuration in force"}, WWW_Authenticate="Bearer")
        return None

    async def _healthz(self, _: web.BaseRequest) -> web.Response:
        return json_reply(200, {"status": "alive"})

    async def _readyz(self, _: web.BaseRequest) -> web.Response:
        ready, reasons = self._readiness()
        return json_reply(200 if ready else 503, {"status": "ready" if ready else "not ready", "reasons": reasons})

    async def _scrape(self, request: web.BaseRequest) -> web.Response:
        body = bytearray()
        async with self._scraping:
            pieces, content_type = self._metrics.pieces(request.headers.get("Accept", ""))
            for piece in pieces:
                body += piece
                # Requests go first: a scrape of many series must not hold up the loop.
                await asyncio.sleep(0)
        return web.Response(body=bytes(body), headers={"Server": _SERVER, "Content-Type": content_type})


async def _bound(address: str) -> socket.socket:
    if address.startswith("unix:"):
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(address.removeprefix("unix:"))
        return sock
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal():
        raise ValueError(f"not an address: {address}")
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise socket.gaierror(error.errno, f"{error.strerror}: {address}") from error
    family, _, _, _, place = found[0]
    return socket.create_server((str(place[0]), int(place[1])), family=family)


def _spelled(sock: socket.socket) -> str:
    address = sock.getsockname()
    if isinstance(address, tuple):
        host, port = address[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"unix:{address}"
