"""The second listener: health, readiness, metrics and changes, for the platform and operators and never for clients."""

import asyncio
import hmac
import socket
import zlib
from collections.abc import Awaitable, Callable, Generator, Iterable
from ipaddress import ip_address
from typing import Any, Protocol, TypeAlias

import msgspec
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from gateway.kernel.accept import quality

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
_GZIP = 31
"""zlib's window, with the frame of gzip."""
_SHUTDOWN_TIMEOUT_S = 1.0
_IDLE_TIMEOUT_S = 75.0


def json_reply(status: int, body: dict[str, object], **fields: str) -> web.Response:
    headers = {"Server": _SERVER, "Cache-Control": "no-store", **{name.replace("_", "-"): value for name, value in fields.items()}}
    return web.Response(status=status, body=msgspec.json.encode(body) + b"\n", content_type="application/json", headers=headers)


def lines_reply(body: bytes) -> web.Response:
    """JSON, a value a line."""
    headers = {"Server": _SERVER, "Cache-Control": "no-store"}
    return web.Response(body=body, content_type="application/x-ndjson", headers=headers)


class _Connection(RequestHandler):
    """aiohttp answers malformed requests, and failures of views, in plain text that shows what went wrong inside."""

    __slots__ = ()

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


class Admin:
    """Serves `metrics` and health at `address`: host:port, [v6]:port or unix:/path. Port 0 takes any free one.

    `token` is asked for before a change; None refuses every change. `hosts` are the names by which it may be asked, besides
    localhost and its own: otherwise a page in a browser could read it by a name that its owner points here (DNS rebinding).
    IP addresses cannot be pointed anywhere.
    """

    def __init__(self, address: str, metrics: Scraped, readiness: Readiness, token: str | None = None, hosts: Iterable[str] = ()) -> None:
        self._configured = address
        self.token = token
        self.hosts = hosts
        self._metrics = metrics
        self._readiness = readiness
        self.views: dict[str, View] = {"/healthz": self._healthz, "/readyz": self._readyz, "/metrics": self._scrape}
        """By path. Whoever has more to show adds it before the start."""
        self.changes: dict[str, View] = {}
        """By path: what a POST with the token does."""
        self._scraping = asyncio.Lock()
        self._runner: web.ServerRunner | None = None
        self.address = address
        """Where it listens, once started."""

    def __repr__(self) -> str:
        return f"<Admin {self.address} {'listening' if self._runner else 'closed'}>"

    async def start(self, sock: socket.socket | None = None) -> None:
        """Listen, on `sock` if somebody has bound it. Raises OSError when the address cannot be had, ValueError when it is none."""
        runner = web.ServerRunner(
            _Server(self._serve, access_log=None, keepalive_timeout=_IDLE_TIMEOUT_S, auto_decompress=False),
            shutdown_timeout=_SHUTDOWN_TIMEOUT_S,
        )
        await runner.setup()
        try:
            if sock is not None:
                await web.SockSite(runner, sock).start()
            elif self._configured.startswith("unix:"):
                await web.UnixSite(runner, self._configured.removeprefix("unix:")).start()
            else:
                host, colon, port = self._configured.rpartition(":")
                if not colon or not port.isdecimal():
                    raise ValueError(f"not an address: {self._configured}")
                await web.TCPSite(runner, host.strip("[]"), int(port)).start()
        except socket.gaierror as error:
            await runner.cleanup()
            raise socket.gaierror(error.errno, f"{error.strerror}: {self._configured}") from error
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        self.address = _spelled(runner.addresses[0])

    async def close(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    @property
    def hosts(self) -> frozenset[str]:
        """In lower case."""
        return self._hosts

    @hosts.setter
    def hosts(self, hosts: Iterable[str]) -> None:
        own = self._configured.rpartition(":")[0].strip("[]")
        self._hosts = frozenset(name.lower() for name in (*hosts, "localhost", own))

    def _is_for_us(self, request: web.BaseRequest) -> bool:
        """Whether whoever sent it knows where. HTTP/1.0 has no Host, and browsers speak neither that nor to unix sockets."""
        names = map(_name, request.headers.getall("Host", []))
        return self._configured.startswith("unix:") or all(name in self._hosts or _is_address(name) for name in names)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        if not self._is_for_us(request):
            return json_reply(421, {"error": "the admin listener does not go by this name; write it into admin.hosts, or ask by address"})
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
        headers = {"Server": _SERVER, "Vary": "Accept, Accept-Encoding"}
        packer = zlib.compressobj(1, wbits=_GZIP) if quality(",".join(request.headers.getall("Accept-Encoding", [])), "gzip") else None
        async with self._scraping:
            pieces, headers["Content-Type"] = self._metrics.pieces(",".join(request.headers.getall("Accept", [])))
            for piece in pieces:
                body += piece if packer is None else packer.compress(piece)
                # Requests go first: a scrape of many series must not hold up the loop.
                await asyncio.sleep(0)
        if packer is not None:
            body += packer.flush()
            headers["Content-Encoding"] = "gzip"
        return web.Response(body=bytes(body), headers=headers)


def _name(host: str) -> str:
    """A Host field without its port and brackets, in lower case."""
    name, colon, port = host.strip().lower().rpartition(":")
    return (name if colon and (port.isdecimal() or not port) else host.strip().lower()).strip("[]").removesuffix(".")


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _spelled(address: Any) -> str:
    if isinstance(address, tuple):
        host, port = address[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"unix:{address}"
