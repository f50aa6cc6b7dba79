"""What comes before HTTP on a connection: TLS.

The listener accepts such connections here, one task each until HTTP begins, so that every failure is seen and counted.
aiohttp and asyncio would drop them without a word.
"""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from typing import Any, Protocol

import structlog

from gateway.edge.tls import Certificates
from gateway.settings.schema.addresses import UNIX

SHUTDOWN_S = 1.0
"""How long a client may take to confirm that a TLS connection ends."""
_BATCH = 64
_BREATH_S = 0.5
"""A pause in accepting when there are no file descriptors left."""
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


MakeProtocol = Callable[[str, bool], asyncio.Protocol]
"""A connection for the address of a client, and whether it has sent plain HTTP where TLS was due."""


class Porch:
    """Accepts on the sockets it is given. `certificates` None: no TLS. `timeout_s` is for a whole handshake."""

    def __init__(self, make: MakeProtocol, certificates: Certificates, timeout_s: float, counts: Counts) -> None:
        self._make = make
        self._certificates = certificates
        self._timeout_s = timeout_s
        self._counts = counts
        self._loop = asyncio.get_running_loop()
        self._sockets: list[socket.socket] = []
        self._arriving: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<Porch {len(self._arriving)} arriving>"

    @property
    def arriving(self) -> int:
        """Connections on which HTTP has not begun yet."""
        return len(self._arriving)

    def open(self, sock: socket.socket) -> None:
        """Begin to accept on `sock`, which is bound."""
        sock.setblocking(False)
        sock.listen(1024)
        self._sockets.append(sock)
        self._loop.add_reader(sock.fileno(), self._accept, sock)

    def close(self) -> None:
        """Accept no more. What has arrived goes on."""
        for sock in self._sockets:
            self._loop.remove_reader(sock.fileno())
            sock.close()
        self._sockets.clear()

    def cut(self) -> None:
        """End what is on its way."""
        for task in self._arriving:
            task.cancel()

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_BATCH):
            try:
                sock, address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._breathe(listening, error)
                return
            sock.setblocking(False)
            task = self._loop.create_task(self._welcome(sock, address))
            self._arriving.add(task)
            task.add_done_callback(self._arriving.discard)

    def _breathe(self, listening: socket.socket, error: OSError) -> None:
        if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
            raise error
        structlog.get_logger().error("cannot accept connections", reason=error.strerror)
        self._loop.remove_reader(listening.fileno())
        self._loop.call_later(_BREATH_S, self._resume, listening)

    def _resume(self, listening: socket.socket) -> None:
        if listening in self._sockets:
            self._loop.add_reader(listening.fileno(), self._accept, listening)

    async def _welcome(self, sock: socket.socket, address: Any) -> None:
        """As far as HTTP, or not."""
        told = address[0] if isinstance(address, tuple) else UNIX
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._secure(sock, told)
        except TimeoutError:
            self._counts.handshake_failed("timeout")
        except ssl.SSLError as error:
            self._counts.handshake_failed(_reason(error))
        except OSError:
            self._counts.handshake_failed("closed")
        except BaseException:
            sock.close()
            raise
        else:
            return
        sock.close()

    async def _secure(self, sock: socket.socket, told: str) -> None:
        first = await self._first_byte(sock)
        if first == _HANDSHAKE:
            await self._loop.connect_accepted_socket(
                lambda: self._make(told, False),
                sock,
                ssl=self._certificates.context,
                ssl_handshake_timeout=self._timeout_s,
                ssl_shutdown_timeout=SHUTDOWN_S,
            )
        elif first:
            self._counts.handshake_failed("not_tls")
            await self._loop.connect_accepted_socket(lambda: self._make(told, True), sock)
        else:  # somebody asks whether the port is open
            sock.close()

    async def _first_byte(self, sock: socket.socket) -> bytes:
        """Left where it is; b"" when the client has closed. Raises OSError."""
        while True:
            try:
                return sock.recv(1, socket.MSG_PEEK)
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
