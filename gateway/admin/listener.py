"""The HTTP server of the admin listener: health, readiness, metrics, pages and changes.

Laws:
 - A connection on which the client is due to act and does nothing for `silent_s` is closed: a head or a body that does
   not go on, a reply that is not read. A connection may be idle for longer after a reply.
 - There are at most `most_connections`. A further one takes the place of the one that has been idle longest, so that a
   probe is answered whatever other clients do.
"""

import asyncio
import hmac
import socket
import zlib
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from ipaddress import ip_address
from typing import Protocol, TypeAlias

from aiohttp import web

from gateway.admin.connection import SERVER, AdminServer, json_reply
from gateway.kernel.addresses import AddressRules
from gateway.kernel.fault_types import UNAUTHORIZED
from gateway.kernel.http.accept import quality
from gateway.net.address import UNIX
from gateway.net.listen import spelled
from gateway.system.acceptor import Acceptor, connection_limit

Readiness: TypeAlias = Callable[[], tuple[bool, list[str]]]
"""Whether the platform should send clients here, and the reasons if not: "starting", "draining" …"""


class MetricsSource(Protocol):
    """The source of /metrics."""

    def pieces(self, accept: str) -> tuple[Generator[bytes, None, None], str]:
        """Return the body in pieces that each take little time to create, and its content type."""
        ...


View: TypeAlias = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

ANY_SEGMENT = "{id}"
_GZIP = 31
"""The value of wbits with which zlib writes the gzip format."""
_SHUTDOWN_TIMEOUT_S = 1.0
_IDLE_TIMEOUT_S = 75.0
SILENT_S = 10.0
SWEEP_S = 0.5
MOST_CONNECTIONS = 128


class AdminListener:
    """Serves `metrics` and health at `address`: host:port, [v6]:port or unix:/path. Port 0 is any free port.

    `token` is required for a change; None refuses every change. `hosts` are the names that requests may have in Host,
    besides localhost and its own: otherwise a page in a browser could read it by a name whose owner lets it resolve to
    this address (DNS rebinding). IP addresses are always accepted.
    """

    def __init__(
        self,
        address: str,
        metrics: MetricsSource,
        readiness: Readiness,
        token: str | None = None,
        hosts: Iterable[str] = (),
        *,
        silent_s: float = SILENT_S,
        most_connections: int = MOST_CONNECTIONS,
    ) -> None:
        self._configured = address
        self.token = token
        self.hosts = hosts
        self.addresses: AddressRules | None = None
        """Which clients may ask, None for all."""
        self._metrics = metrics
        self._readiness = readiness
        self.views: dict[str, View] = {"/healthz": self._healthz, "/readyz": self._readyz, "/metrics": self._scrape}
        """The pages by path; one that ends with a slash is for all paths below it. Others are added before the start.
        """
        self.changes: dict[str, View] = {}
        """The handlers of POST requests with the token, by path."""
        self.resources: dict[str, dict[str, View]] = {}
        """Handlers of requests with the token, by path and method. `{id}` stands for any segment of a path."""
        self._silent_s = silent_s
        self._most_connections = most_connections
        self._scraping = asyncio.Lock()
        self._runner: web.ServerRunner | None = None
        self._acceptor: Acceptor | None = None
        self._sweeping: asyncio.TimerHandle | None = None
        self.address = address
        """The address on which it listens, once started."""

    def __repr__(self) -> str:
        return f"<AdminListener {self.address} {'listening' if self._runner else 'closed'}>"

    @property
    def is_open(self) -> bool:
        """Whether it has been started and nobody has begun to close it."""
        return self._runner is not None

    async def start(self, sock: socket.socket | None = None) -> None:
        """Listen on `sock`, or on a new socket.

        Raises OSError if the address is not available, ValueError if it is malformed.
        """
        sock = sock or await _bound(self._configured)
        server = AdminServer(self._serve, access_log=None, keepalive_timeout=_IDLE_TIMEOUT_S, auto_decompress=False)
        self._runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_TIMEOUT_S)
        await self._runner.setup()
        self.address = spelled(sock)
        self._acceptor = Acceptor(sock, server, server, connection_limit(self._most_connections))
        self._sweep(server)

    async def close(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            assert self._acceptor is not None
            assert self._sweeping is not None
            self._acceptor.close()
            self._sweeping.cancel()
            await runner.cleanup()

    def _sweep(self, server: AdminServer) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in server.open():
            connection.sweep(now, self._silent_s)
        self._sweeping = loop.call_later(SWEEP_S, self._sweep, server)

    def restrict(self, token: str | None, hosts: Iterable[str], addresses: AddressRules | None) -> None:
        """Set who may ask, and for what: from now on the token, the names and the addresses are these."""
        self.token, self.hosts, self.addresses = token, hosts, addresses

    @property
    def hosts(self) -> frozenset[str]:
        """The accepted names, in lower case."""
        return self._hosts

    @hosts.setter
    def hosts(self, hosts: Iterable[str]) -> None:
        own = self._configured.rpartition(":")[0].strip("[]")
        self._hosts = frozenset(name.lower() for name in (*hosts, "localhost", own))

    def _is_host_accepted(self, request: web.BaseRequest) -> bool:
        """Return whether the host may be asked for.

        It may where there is no Host field (HTTP/1.0), and on unix sockets, because browsers send neither.
        """
        names = map(_name, request.headers.getall("Host", []))
        return self._configured.startswith("unix:") or all(name in self._hosts or _is_address(name) for name in names)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        if self.addresses is not None and not self.addresses.permits(request.remote or UNIX):
            return json_reply(403, {"error": "requests from your address are not allowed here", "code": UNAUTHORIZED})
        if not self._is_host_accepted(request):
            return json_reply(
                421,
                {"error": "the admin listener does not go by this name; write it into admin.hosts, or ask by address"},
            )
        path = request.path
        change = self.changes.get(path)
        handlers = {"POST": change} if change is not None else self._resource(path)
        if handlers is not None:
            return self._refusal(request, handlers) or await handlers[request.method](request)
        view = self.views.get(path) or self.views.get(path[: path.rfind("/") + 1])
        if view is None:
            paths = sorted([*self.views, *self.changes, *self.resources])
            return json_reply(404, {"error": "not found", "paths": paths})
        if request.method not in ("GET", "HEAD"):
            return json_reply(405, {"error": "method not allowed"}, Allow="GET, HEAD")
        return await view(request)

    def _resource(self, path: str) -> dict[str, View] | None:
        segments = path.split("/")
        for template, handlers in self.resources.items():
            wanted = template.split("/")
            if len(wanted) == len(segments) and all(
                one == other or (one == ANY_SEGMENT and other) for one, other in zip(wanted, segments, strict=True)
            ):
                return handlers
        return None

    def _refusal(self, request: web.BaseRequest, handlers: Mapping[str, View]) -> web.Response | None:
        """Return the error reply for a request that may not change anything; None if it may."""
        if request.method not in handlers:
            return json_reply(405, {"error": "method not allowed"}, Allow=", ".join(handlers))
        if self.token is None:
            return json_reply(
                403,
                {
                    "error": "no change is allowed: the configuration has no admin.token; "
                    "give it one, and reload it with SIGHUP"
                },
            )
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return json_reply(
                401, {"error": "this asks for the token, as Authorization: Bearer"}, WWW_Authenticate="Bearer"
            )
        if not hmac.compare_digest(token.strip().encode(errors="replace"), self.token.encode()):
            return json_reply(
                401, {"error": "that is not the admin.token of the configuration in force"}, WWW_Authenticate="Bearer"
            )
        return None

    async def _healthz(self, _: web.BaseRequest) -> web.Response:
        return json_reply(200, {"status": "alive"})

    async def _readyz(self, _: web.BaseRequest) -> web.Response:
        ready, reasons = self._readiness()
        return json_reply(200 if ready else 503, {"status": "ready" if ready else "not ready", "reasons": reasons})

    async def _scrape(self, request: web.BaseRequest) -> web.Response:
        body = bytearray()
        headers = {"Server": SERVER, "Vary": "Accept, Accept-Encoding"}
        compressor = (
            zlib.compressobj(1, wbits=_GZIP)
            if quality(",".join(request.headers.getall("Accept-Encoding", [])), "gzip")
            else None
        )
        async with self._scraping:
            pieces, headers["Content-Type"] = self._metrics.pieces(",".join(request.headers.getall("Accept", [])))
            for piece in pieces:
                body += piece if compressor is None else compressor.compress(piece)
                # Other tasks run between pieces: a scrape of many series must not block the event loop.
                await asyncio.sleep(0)
        if compressor is not None:
            body += compressor.flush()
            headers["Content-Encoding"] = "gzip"
        return web.Response(body=bytes(body), headers=headers)


def _name(host: str) -> str:
    """Return a Host field without its port and brackets, in lower case."""
    name, colon, port = host.strip().lower().rpartition(":")
    return (name if colon and (port.isdecimal() or not port) else host.strip().lower()).strip("[]").removesuffix(".")


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


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
    family, _, _, _, position = found[0]
    return socket.create_server((str(position[0]), int(position[1])), family=family)
