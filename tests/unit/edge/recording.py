"""A client connection without a network: what it writes is recorded, and the test calls it as an event loop would."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from gateway.edge import Listener
from gateway.edge.connection import ClientConnection
from gateway.edge.request_head import RequestHeadChecker
from gateway.exchange import ServeExchange
from gateway.kernel.ids import Ids
from gateway.net.coroutine_driver import CoroutineDriver
from gateway.net.write_batch import WriteBatch
from gateway.upstream.tunnel import Tunnel
from tests.unit.edge.listening import LIMITS, echo

HANDSHAKE = b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
HELLO = b"\x81\x05hello"


class NoCertificate:
    """The TLS of a client that has shown no certificate."""

    def getpeercert(self, *, binary_form: bool) -> bytes | None:
        return None


class RecordingTransport(asyncio.Transport):
    """Keeps what is written in `writes`. `on_write` is called after each write. `secure`: it is TLS, without an end."""

    def __init__(self, sock: socket.socket | None, *, secure: bool) -> None:
        tls: dict[str, Any] = {"sslcontext": self, "ssl_object": NoCertificate()}
        super().__init__({"peername": ("203.0.113.1", 1), "socket": sock} | (tls if secure else {}))
        self._secure = secure
        self.writes: list[bytes] = []
        self.on_write: Callable[[], None] = lambda: None
        self.buffered = 0
        self.reading = True
        self.state = "open"

    @property
    def written(self) -> bytes:
        return b"".join(self.writes)

    @property
    def statuses(self) -> list[int]:
        """Of the replies that were written, provided that each was one write."""
        return [int(head[9:12]) for head in self.writes]

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert self.state == "open"
        self.writes.append(bytes(data))
        self.on_write()

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def can_write_eof(self) -> bool:
        return not self._secure

    def write_eof(self) -> None:
        self.state = "half closed"

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.state in ("closed", "aborted")

    def close(self) -> None:
        if self.state != "aborted":
            self.state = "closed"

    def abort(self) -> None:
        self.state = "aborted"


@contextmanager
def connected(
    serve: ServeExchange = echo, *, secure: bool = False, plain: bool = False
) -> Iterator[tuple[ClientConnection, RecordingTransport]]:
    """Yield a connection of a listener that has no socket and whose clock stands still, and its transport.

    Exchanges run at once, also where all others run in tasks.
    """
    near, far = socket.socketpair()
    head_checker = RequestHeadChecker(LIMITS, [], Ids(lambda n: bytes(range(256)) * (n // 256)), lambda: 7.0)
    listener = Listener(head_checker, serve, lambda: 784111777.0, WriteBatch(), list[int]().append)
    with near, far:
        connection = listener._connection(None, plain=plain)
        connection._core.driver = CoroutineDriver(asyncio.get_running_loop(), always_in_task=False)
        transport = RecordingTransport(near, secure=secure)
        connection.connection_made(transport)
        yield connection, transport
        connection.connection_lost(None)


@contextmanager
def failures() -> Iterator[list[BaseException]]:
    """Yield the errors that are told to the event loop instead of printed."""
    loop, found = asyncio.get_running_loop(), list[BaseException]()
    loop.set_exception_handler(lambda _, context: found.append(context["exception"]))
    try:
        yield found
    finally:
        loop.set_exception_handler(None)


class ServiceConnection:
    """A TunnelOwner that has nothing to give back."""

    def connection_lost(self, exc: Exception | None) -> None: ...

    def abandon(self) -> None: ...


def tunnel(early: bytes = b"") -> tuple[Tunnel, RecordingTransport]:
    """Return a tunnel whose service has sent `early` already, and the transport to that service."""
    service = RecordingTransport(None, secure=False)
    loop = asyncio.get_running_loop()
    return Tunnel(ServiceConnection(), service, loop, early=early, idle_s=60.0, mask=b"abcd"), service
