"""What comes before HTTP on a connection: the header of a proxy, and TLS.

The listener accepts such connections here, one task each until HTTP begins, so that every failure is seen and counted.
aiohttp and asyncio would drop them without a word.
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

SHUTDOWN_S = 1.0
"""How long a client may take to confirm that a TLS connection ends."""
_BATCH = 64
_BREATH_S = 0.5
"""A pause in accepting when there is no room, or no file descriptor left."""
_HANDSHAKE = b"\x16"  # RFC 8446 5.1: the first byte of whatever begins TLS

_REASONS = {
    "UNSUPPORTED_PROTOCOL": "version",
    "TLSV1_ALERT_PROTOCOL_VERSION": "version",
    "NO_SHARED_CIPHER": "cipher",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "client_certificate_missing",
    "CERTIFICATE_VERIFY_FAILED": "client_certificate_refused",
}


class Counts(Protocol):
    """Is told what came to nothing."""

    def handshake_failed(self, reason: str) -> None: ...
    def proxy_refused(self, reason: str) -> None: ...
    def cannot_accept(self, reason: str) -> None: ...


class HandshakeOptions(msgspec.Struct, frozen=True):
    """What a connection has to do before HTTP. `certificates` None: no TLS. Times are for the whole of each, in seconds."""

    counts: Counts
    certificates: Certificates | None = None
    handshake_timeout_s: float = 10.0
    proxy_protocol: bool = False
    proxy_timeout_s: float = 10.0


MakeProtocol = Callable[[str, bool], asyncio.Protocol]
"""A connection for the address of a client, and whether it has sent plain HTTP where TLS was due."""


class HandshakeAcceptor:
    """Accepts on the sockets it is given while `has_room`. `trusts` says whether a peer may speak for others."""

    def __init__(
        self, make: MakeProtocol, options: HandshakeOptions, trusts: Callable[[str], bool], has_room: Callable[[int], bool]
    ) -> None:
        self._make = make
        self._has_room = has_room
        self._threshold = options
        self._counts = options.counts
        self._trusts = trusts
        self._loop = asyncio.get_running_loop()
        self._sockets: list[socket.socket] = []
        self._arriving: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<HandshakeAcceptor {len(self._arriving)} arriving>"

    @property
    def arriving(self) -> int:
        """Connections on which HTTP has not begun yet."""
        return len(self._arriving)

    def open(self, sock: socket.socket) -> None:
        """Begin to accept on `sock`, which is bound."""
        sock.setblocking(False)
        sock.listen(BACKLOG)
        self._sockets.append(sock)
        self._loop.add_reader(sock.fileno(), self._accept, sock)

    def leave(self, sock: socket.socket) -> None:
        """Accept on `sock` no longer."""
        if sock in self._sockets:
            self._sockets.remove(sock)
            self._loop.remove_reader(sock.fileno())
            sock.close()

    def close(self, *, last: bool = False) -> None:
        """Accept no more. What has arrived goes on, what the system has accepted for us already included.

        `last`: nobody else accepts from the sockets, and whoever comes later is refused at once.
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
        """End what is on its way."""
        for task in self._arriving:
            task.cancel()

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_BATCH):
            if not self._has_room(len(self._arriving)):
                self._breathe(listening)
                return
            try:
                sock, address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    raise
                self._counts.cannot_accept(error.strerror or "")
                self._breathe(listening)
                return
            sock.setblocking(False)
            task = self._loop.create_task(self._welcome(sock, address))
            self._arriving.add(task)
            task.add_done_callback(partial(self._arrived, sock))

    def _arrived(self, sock: socket.socket, task: "asyncio.Task[None]") -> None:
        self._arriving.discard(task)
        if task.cancelled():  # perhaps before it began
            sock.close()

    def _breathe(self, listening: socket.socket) -> None:
        self._loop.remove_reader(listening.fileno())
        self._loop.call_later(_BREATH_S, self._resume, listening)

    def _resume(self, listening: socket.socket) -> None:
        if listening in self._sockets:
            self._loop.add_reader(listening.fileno(), self._accept, listening)

    async def _welcome(self, sock: socket.socket, address: Any) -> None:
        """As far as HTTP, or not."""
        told: str | None = unmapped(address[0]) if isinstance(address, tuple) else UNIX
        try:
            if self._threshold.proxy_protocol:
                told = await self._introduced(sock, told or UNIX)
            if told is None or not await self._secured(sock, told):
                sock.close()
        except BaseException:
            sock.close()
            raise

    async def _introduced(self, sock: socket.socket, peer: str) -> str | None:
        """For whom the proxy speaks, None when it is to be refused."""
        if not self._trusts(peer):
            self._counts.proxy_refused("untrusted")
            return None
        try:
            async with asyncio.timeout(self._threshold.proxy_timeout_s):
                header = await self._header(sock)
            return (proxy_protocol.client_address(header) or peer) if header else None
        except TimeoutError:
            self._counts.proxy_refused("timeout")
        except proxy_protocol.ProxyHeaderError:
            self._counts.proxy_refused("malformed")
        except OSError:
            self._counts.proxy_refused("closed")
        return None

    async def _header(self, sock: socket.socket) -> bytes:
        """The header and not a byte more: TLS may follow in the same piece. b"" when the proxy only looks whether the port is open."""
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

    async def _secured(self, sock: socket.socket, told: str) -> bool:
        """Whether HTTP begins."""
        certificates, timeout_s = self._threshold.certificates, self._threshold.handshake_timeout_s
        if certificates is None:
            await self._loop.connect_accepted_socket(lambda: self._make(told, False), sock)
            return True
        try:
            async with asyncio.timeout(timeout_s):
                first = await self._peek(sock, 1)
                if first == _HANDSHAKE:
                    await self._loop.connect_accepted_socket(
                        lambda: self._make(told, False),
                        sock,
                        ssl=certificates.context,
                        ssl_handshake_timeout=timeout_s,
                        ssl_shutdown_timeout=SHUTDOWN_S,
                    )
                elif first:
                    self._counts.handshake_failed("not_tls")
                    await self._loop.connect_accepted_socket(lambda: self._make(told, True), sock)
                return bool(first)  # nothing: somebody looks whether the port is open
        except TimeoutError:
            self._counts.handshake_failed("timeout")
        except ssl.SSLError as error:
            self._counts.handshake_failed(_reason(error))
        except OSError:
            self._counts.handshake_failed("closed")
        return False

    async def _peek(self, sock: socket.socket, most: int) -> bytes:
        """What has arrived, left where it is; b"" when the client has closed. Raises OSError."""
        while True:
            try:
                return sock.recv(most, socket.MSG_PEEK)
            except (BlockingIOError, InterruptedError):
                await self._readable(sock)

    async def _readable(self, sock: socket.socket) -> None:
        ready = self._loop.create_future()
        self._loop.add_reader(sock.fileno(), _settle, ready)
        try:
            await ready
        finally:
            self._loop.remove_reader(sock.fileno())


def _settle(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)


def _reason(error: ssl.SSLError) -> str:
    """One of a few words."""
    if isinstance(error, ssl.SSLEOFError):
        return "closed"
    reason = error.reason or ""
    return _REASONS.get(reason) or ("refused_by_client" if "_ALERT_" in reason else "protocol")
