"""Accepts connections that begin with the header of a proxy or with TLS.

Each connection has a task until HTTP begins, so that every failure is counted. aiohttp and asyncio would drop such
connections without a message.
"""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import msgspec

from gateway.edge import proxy_protocol
from gateway.edge.certificates import Certificates
from gateway.net.address import UNIX
from gateway.net.listen import BACKLOG, shut
from gateway.net.node_names import unmapped
from gateway.system.malloc import keep_blocks, set_apart

SHUTDOWN_S = 1.0
"""The seconds that a client may take to confirm the end of a TLS connection."""
_BATCH = 64
_PAUSE_S = 0.5
"""The seconds without accepting when the limit of connections or of file descriptors is reached."""
_HANDSHAKE = b"\x16"  # RFC 8446 5.1: the first byte of a TLS connection

_REASONS = {
    "UNSUPPORTED_PROTOCOL": "version",
    "TLSV1_ALERT_PROTOCOL_VERSION": "version",
    "NO_SHARED_CIPHER": "cipher",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "client_certificate_missing",
    "CERTIFICATE_VERIFY_FAILED": "client_certificate_refused",
}


class HandshakeEvents(Protocol):
    """Receives the failures of handshakes."""

    def handshake_failed(self, reason: str) -> None: ...
    def proxy_rejected(self, reason: str) -> None: ...
    def cannot_accept(self, reason: str) -> None: ...


class HandshakeOptions(msgspec.Struct, frozen=True):
    """What a connection has to do before HTTP.

    Time-outs are in seconds, for the whole step. Without `certificates` there is no TLS.
    """

    events: HandshakeEvents
    certificates: Certificates | None = None
    handshake_timeout_s: float = 10.0
    proxy_protocol: bool = False
    proxy_timeout_s: float = 10.0


class MakeProtocol(Protocol):
    """Makes a connection for the address of a client.

    `plain` says that it has sent plain HTTP where TLS was expected.
    """

    def __call__(self, client: str, *, plain: bool) -> asyncio.Protocol: ...


class HandshakeAcceptor:
    """Accepts on the sockets that it is given.

    `has_capacity` says whether another connection may be accepted, beside so many that are arriving. `trusts` says
    whether the peer at an address may send the header of a proxy.
    """

    def __init__(
        self,
        make: MakeProtocol,
        options: HandshakeOptions,
        trusts: Callable[[str], bool],
        has_capacity: Callable[[int], bool],
    ) -> None:
        self._make = make
        self._has_capacity = has_capacity
        self._options = options
        self._events = options.events
        self._trusts = trusts
        self._loop = asyncio.get_running_loop()
        self._sockets: list[socket.socket] = []
        self._arriving: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<HandshakeAcceptor {len(self._arriving)} arriving>"

    @property
    def arriving(self) -> int:
        """The number of connections on which HTTP has not begun."""
        return len(self._arriving)

    def open(self, sock: socket.socket) -> None:
        """Start to accept on `sock`, which is bound."""
        sock.settimeout(0)
        sock.listen(BACKLOG)
        self._sockets.append(sock)
        self._loop.add_reader(sock.fileno(), self._accept, sock)

    def leave(self, sock: socket.socket) -> None:
        """Stop to accept on `sock`, and close it."""
        if sock in self._sockets:
            self._sockets.remove(sock)
            self._loop.remove_reader(sock.fileno())
            sock.close()

    def close(self, *, last: bool = False) -> None:
        """Accept no more, except for connections that wait in the queue of the operating system. Handshakes go on.

        `last` says that no other process accepts from the sockets. Later connections are refused at once then.
        """
        for sock in [*self._sockets]:
            arrived = -1
            while arrived < len(self._arriving):
                arrived = len(self._arriving)
                self._accept(sock)
            if last:
                shut(sock)
            self.leave(sock)

    def cut(self) -> None:
        """Cancel the handshakes under way."""
        for task in self._arriving:
            task.cancel()

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_BATCH):
            if not self._has_capacity(len(self._arriving)):
                self._pause(listening)
                return
            try:
                sock, address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    raise
                self._events.cannot_accept(error.strerror or "")
                self._pause(listening)
                return
            sock.settimeout(0)
            task = self._loop.create_task(self._handshake(sock, address))
            self._arriving.add(task)
            task.add_done_callback(partial(self._arrived, sock))

    def _arrived(self, sock: socket.socket, task: "asyncio.Task[None]") -> None:
        self._arriving.discard(task)
        if task.cancelled():  # possibly before the task has started
            sock.close()

    def _pause(self, listening: socket.socket) -> None:
        self._loop.remove_reader(listening.fileno())
        self._loop.call_later(_PAUSE_S, self._resume, listening)

    def _resume(self, listening: socket.socket) -> None:
        if listening in self._sockets:
            self._loop.add_reader(listening.fileno(), self._accept, listening)

    async def _handshake(self, sock: socket.socket, address: Any) -> None:
        """Read the header of the proxy, do the TLS handshake and start HTTP. Close the socket when that fails."""
        client: str | None = unmapped(address[0]) if isinstance(address, tuple) else UNIX
        try:
            if self._options.proxy_protocol:
                client = await self._proxied_address(sock, client or UNIX)
            if client is None or not await self._start_http(sock, client):
                sock.close()
        except BaseException:
            sock.close()
            raise

    async def _proxied_address(self, sock: socket.socket, peer: str) -> str | None:
        """Return the address of the client that the proxy names, or None when the connection is to be rejected."""
        if not self._trusts(peer):
            self._events.proxy_rejected("untrusted")
            return None
        try:
            async with asyncio.timeout(self._options.proxy_timeout_s):
                header = await self._header(sock)
            return (proxy_protocol.client_address(header) or peer) if header else None
        except TimeoutError:
            self._events.proxy_rejected("timeout")
        except proxy_protocol.ProxyHeaderError:
            self._events.proxy_rejected("malformed")
        except OSError:
            self._events.proxy_rejected("closed")
        return None

    async def _header(self, sock: socket.socket) -> bytes:
        """Read the header and no further, because TLS may follow.

        Return b"" for a connection that is closed without a byte.
        """
        header, size = b"", None
        while len(header) != size:
            piece = await self._peek(sock, proxy_protocol.MOST_BYTES - len(header))
            if not piece:
                if header:
                    raise proxy_protocol.ProxyHeaderError
                return b""
            size = proxy_protocol.size(header + piece)
            header += sock.recv(len(piece) if size is None else min(len(piece), size - len(header)))
        return header

    async def _start_http(self, sock: socket.socket, client: str) -> bool:
        """Do the TLS handshake, if there is TLS, and return whether HTTP has begun."""
        certificates, timeout_s = self._options.certificates, self._options.handshake_timeout_s
        if certificates is None:
            await self._loop.connect_accepted_socket(lambda: self._make(client, plain=False), sock)
            return True
        try:
            async with asyncio.timeout(timeout_s):
                first = await self._peek(sock, 1)
                if first == _HANDSHAKE:
                    await self._loop.connect_accepted_socket(
                        partial(self._make_secure, client),
                        sock,
                        ssl=certificates.context,
                        ssl_handshake_timeout=timeout_s,
                        ssl_shutdown_timeout=SHUTDOWN_S,
                    )
                elif first:
                    self._events.handshake_failed("not_tls")
                    await self._loop.connect_accepted_socket(lambda: self._make(client, plain=True), sock)
                return bool(first)  # nothing arrives when a client only checks that the port is open
        except TimeoutError:
            self._events.handshake_failed("timeout")
        except ssl.SSLError as error:
            self._events.handshake_failed(_reason(error))
        except OSError:
            self._events.handshake_failed("closed")
        return False

    def _make_secure(self, client: str) -> asyncio.Protocol:
        """Make a connection that speaks TLS.

        uvloop makes a buffer of 256 KiB for it next, and uses few pages of that. Within the heap it would lie on what
        the handshake before has freed, and nobody would use that again: 20 KiB for each connection.
        """
        set_apart()
        self._loop.call_soon(keep_blocks)
        return self._make(client, plain=False)

    async def _peek(self, sock: socket.socket, most: int) -> bytes:
        """Return what has arrived without removing it, or b"" when the client has closed. Raises OSError."""
        while True:
            try:
                return sock.recv(most, socket.MSG_PEEK)
            except (BlockingIOError, InterruptedError):
                await self._readable(sock)

    async def _readable(self, sock: socket.socket) -> None:
        ready = self._loop.create_future()
        self._loop.add_reader(sock.fileno(), _set_ready, ready)
        try:
            await ready
        finally:
            self._loop.remove_reader(sock.fileno())


def _set_ready(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)


def _reason(error: ssl.SSLError) -> str:
    """Return the label of `error` in the metrics."""
    if isinstance(error, ssl.SSLEOFError):
        return "closed"
    reason = error.reason or ""
    return _REASONS.get(reason) or ("refused_by_client" if "_ALERT_" in reason else "protocol")
