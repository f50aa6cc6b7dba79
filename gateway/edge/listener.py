"""One address to listen on, and its connections."""

import asyncio
import math
import socket
from collections.abc import Callable
from email.utils import formatdate

from aiohttp.web import BaseRequest, StreamResponse
from aiohttp.web_server import Server

from gateway.edge.connection import ClientConnection
from gateway.edge.connection_core import ListenerState
from gateway.edge.connection_limits import REJECTED
from gateway.edge.handshake import HandshakeAcceptor, HandshakeOptions
from gateway.edge.request_head import RequestHeadChecker
from gateway.edge.unread_replies import UnreadReplies
from gateway.exchange import ServeExchange
from gateway.net.listen import BACKLOG, shut
from gateway.net.write_batch import WriteBatch
from gateway.upstream.call import BODY_PIECE_BYTES

ACCEPTS_AT_ONCE = 16
"""The most connections that are accepted in one iteration of the event loop.

A server of uvloop accepts one. An iteration serves a request of every connection that is ready, so the last of 64
clients that came at once had its first reply after 100 ms.
"""


class Listener(Server):
    """Accepts connections on sockets that are already bound, and serves their requests.

    `serve` answers one Exchange through the `Send` that it is given. `wall` reads Unix time in seconds. `unread` counts
    the bytes that the clients of all listeners have not read. `on_rejected` is called with the limit for each
    connection that exceeds it; the request on such a connection is answered with an error. Beyond REJECTED such
    connections, further ones wait in the queue of the operating system.
    """

    SWEEP_S = 0.25
    IDLE_AFTER_STOP_S = 1.0
    """The seconds that a connection may be idle after `stop_accepting`.

    Closing it at once would break a request that is on its way.
    """
    CERTIFICATES_S = 2.0
    """The seconds between checks of the files of certificates."""

    def __init__(
        self,
        head_checker: RequestHeadChecker,
        serve: ServeExchange,
        wall: Callable[[], float],
        write_batch: WriteBatch,
        on_rejected: Callable[[int], None],
        options: HandshakeOptions | None = None,
        unread: UnreadReplies | None = None,
    ) -> None:
        super().__init__(_unused, handler_cancellation=True)
        self.head_checker = head_checker
        self.state = ListenerState(head_checker, serve, write_batch)
        self.write_batch = write_batch
        self.unread = UnreadReplies() if unread is None else unread
        self.closed = False
        """Whether the listener has stopped to accept."""
        self.idle_timeout_s = head_checker.limits.idle_timeout_s
        self.stopped_at = -math.inf
        """When the listener stopped to accept, by the head checker's clock; None before."""
        self._wall = wall
        self._dating: asyncio.TimerHandle | None = None
        self._on_rejected = on_rejected
        self._sockets: list[socket.socket] = []
        self._accepting: set[socket.socket] = set()
        """Those of `_sockets` that are watched for connections: all of them, unless accepting has paused."""
        self._arriving: set[asyncio.Task[object]] = set()
        self.rejected = 0
        """Open connections beyond the limit. They do not count towards it."""
        self._timer: asyncio.TimerHandle | None = None
        self._certificates = None if options is None else options.certificates
        self._certificates_checked = head_checker.monotonic()
        self._acceptor: HandshakeAcceptor | None = None
        if options is not None:
            self._acceptor = HandshakeAcceptor(self._connection, options, head_checker.trusts, self._has_capacity)

    def __call__(self) -> ClientConnection:
        return self._connection(None, plain=False)

    def _connection(self, client: str | None, *, plain: bool) -> ClientConnection:
        limits = self.head_checker.limits
        return ClientConnection(
            self,
            client,
            plain=plain,
            manager=self,
            loop=self._loop,
            keepalive_timeout=0,
            access_log=None,
            auto_decompress=False,
            # Up to twice as much of a body is buffered, and what one more read of the socket brings.
            read_bufsize=BODY_PIECE_BYTES,
            max_line_size=self.head_checker.line_limit,
            max_field_size=limits.header_bytes,
        )

    async def start(self, sock: socket.socket) -> None:
        """Start to accept on `sock`, which is bound."""
        self.borrow(sock)
        if self._timer is None:
            self._sweep()
            self._renew_date()

    def borrow(self, sock: socket.socket) -> None:
        """Accept also on `sock`, the socket of another worker, until `leave`."""
        if self._acceptor is not None:
            self._acceptor.open(sock)
        else:
            sock.settimeout(0)
            sock.listen(BACKLOG)
            self._sockets.append(sock)
            self._resume()

    def leave(self, sock: socket.socket) -> None:
        """Stop to accept on a borrowed `sock`, and close it."""
        if self._acceptor is not None:
            self._acceptor.leave(sock)
        elif sock in self._sockets:
            self._sockets.remove(sock)
            self._unwatch(sock)
            sock.close()

    def rejects(self) -> bool:
        """Return whether a connection that has just begun exceeds the limit. It is counted then."""
        most = self.head_checker.limits.connections
        if len(self._connections) - self.rejected <= most:
            return False
        self.rejected += 1
        self._on_rejected(most)
        if not self._has_capacity(0):
            self._pause()
        return True

    def _has_capacity(self, arriving: int) -> bool:
        """Return whether another connection can be accepted, beside `arriving` ones on which HTTP has not begun."""
        return len(self._connections) + arriving < self.head_checker.limits.connections + REJECTED

    def _resume(self) -> None:
        for sock in self._sockets:
            if sock not in self._accepting:
                self._loop.add_reader(sock.fileno(), self._accept, sock, ACCEPTS_AT_ONCE)
                self._accepting.add(sock)

    def _pause(self) -> None:
        for sock in [*self._accepting]:
            self._unwatch(sock)

    def _unwatch(self, sock: socket.socket) -> None:
        if sock in self._accepting:
            self._accepting.discard(sock)
            self._loop.remove_reader(sock.fileno())

    def _accept(self, sock: socket.socket, most: int) -> None:
        """Accept at most `most` of the connections that wait. Without capacity for them, pause until a sweep."""
        for _ in range(most):
            if not self._has_capacity(len(self._arriving)):
                self._pause()
                return
            try:
                accepted, _ = sock.accept()
            except ConnectionAbortedError:
                continue
            except (BlockingIOError, InterruptedError):
                return
            except OSError:  # no file descriptor is free
                self._pause()
                return
            accepted.settimeout(0)
            task: asyncio.Task[object] = self._loop.create_task(self._loop.connect_accepted_socket(self, accepted))
            self._arriving.add(task)
            task.add_done_callback(self._arriving.discard)

    def _renew_date(self) -> None:
        """Make the Date line of replies, and do so again when the next second begins."""
        now = self._wall()
        self.state.date = f"Date: {formatdate(int(now), usegmt=True)}\r\n"
        self._dating = self._loop.call_later(1.0 - now % 1.0, self._renew_date)

    def stop_accepting(self, *, last: bool = False) -> None:
        """Accept no new connections. Open ones end with their next reply, or soon if no request arrives.

        `last` says that no other process accepts from the sockets. Then what waits in their queues is still accepted,
        and later connections are refused at once, although other processes have the sockets open.
        """
        self.state.draining = self.closed = True
        self.idle_timeout_s = min(self.idle_timeout_s, self.IDLE_AFTER_STOP_S)
        self.stopped_at = self.head_checker.monotonic()
        if self._acceptor is not None:
            self._acceptor.close(last=last)
        self._pause()
        for sock in self._sockets:
            if last:
                self._accept(sock, BACKLOG)
                shut(sock)
            sock.close()
        self._sockets.clear()

    @property
    def busy(self) -> bool:
        """Whether there are connections to serve."""
        return bool(self._connections or self._arriving) or (self._acceptor is not None and self._acceptor.arriving > 0)

    def cut(self) -> int:
        """End all connections, and return how many requests were in flight."""
        for timer in (self._timer, self._dating):
            if timer is not None:
                timer.cancel()
        if self._acceptor is not None:
            self._acceptor.cut()
        return sum(connection.cut() for connection in self._open())

    def _open(self) -> list[ClientConnection]:
        return [connection for connection in self._connections if isinstance(connection, ClientConnection)]

    def _sweep(self) -> None:
        now = self.head_checker.monotonic()
        for connection in self._open():
            connection.sweep(now)
        self.unread.enforce(now)
        if self._certificates is not None and now - self._certificates_checked >= self.CERTIFICATES_S:
            self._certificates_checked = now
            self._certificates.refresh()
        if self._has_capacity(0):
            self._resume()
        self._timer = self._loop.call_later(self.SWEEP_S, self._sweep)

    def __repr__(self) -> str:
        return f"<Listener {len(self._connections)} connections{', draining' if self.state.draining else ''}>"


async def _unused(_: BaseRequest) -> StreamResponse:  # aiohttp requires a handler; ClientConnection never calls it
    raise AssertionError
