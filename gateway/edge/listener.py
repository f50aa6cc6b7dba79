"""One listening address and its connections."""

import asyncio
import math
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from email.utils import formatdate

from aiohttp.web import BaseRequest, StreamResponse
from aiohttp.web_server import Server

from gateway.edge.connection import Connection
from gateway.edge.connection_limits import REJECTED
from gateway.edge.handshake import HandshakeAcceptor, HandshakeOptions
from gateway.edge.request_head import RequestHeadChecker
from gateway.edge.unread_replies import Unread
from gateway.exchange import Exchange, Send
from gateway.net.listen import BACKLOG, shut
from gateway.net.write_batch import WriteBatch
from gateway.upstream.call import BODY_PIECE_BYTES


class Listener(Server):
    """Accepts on sockets that somebody else has bound, and serves what comes.

    `serve` answers one Exchange through the `Send` it is given. `unread` counts what clients leave unread, those of all
    listeners. `wall` reads Unix time in seconds. `on_rejected` is called for
    each connection beyond as many as there may be, with that number: its request is refused. Beyond a few of those,
    connections wait in the queue of the system.
    """

    SWEEP_S = 0.25
    PARTING_S = 1.0
    """After `stop_accepting`, how long a connection may be idle. Closed at once it would meet the next request on its way."""
    CERTIFICATES_S = 2.0
    """How often the files of certificates are looked at."""

    def __init__(
        self,
        door: RequestHeadChecker,
        serve: Callable[[Exchange, Send], Awaitable[None]],
        wall: Callable[[], float],
        outbox: WriteBatch,
        on_rejected: Callable[[int], None],
        options: HandshakeOptions | None = None,
        unread: Unread | None = None,
    ) -> None:
        super().__init__(_unused, handler_cancellation=True)
        self.door = door
        self.serve = serve
        self.outbox = outbox
        self.unread = Unread() if unread is None else unread
        self.draining = False
        self.closed = False
        """Whether it accepts no more."""
        self.idle_timeout_s = door.limits.idle_timeout_s
        self.parted_at = -math.inf
        """When the last connections were accepted, a reading of the door's clock."""
        self._wall = wall
        self._date = ""
        self._date_for = 0
        self._on_rejected = on_rejected
        self._sockets: list[socket.socket] = []
        self._servers: dict[socket.socket, asyncio.Server] = {}
        """By the socket that each accepts from."""
        self._arriving: set[asyncio.Task[object]] = set()
        self._resuming: asyncio.Task[None] | None = None
        self.rejected = 0
        """Connections that are still there although they were too many: nobody else is turned away because of them."""
        self._timer: asyncio.TimerHandle | None = None
        self._certificates = None if options is None else options.certificates
        self._looked = door.monotonic()
        self._acceptor: HandshakeAcceptor | None = None
        if options is not None:
            self._acceptor = HandshakeAcceptor(self._connection, options, door.trusts, self._has_room)

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
            read_bufsize=BODY_PIECE_BYTES,  # twice as much of a body waits unread, and what one more read of the socket brings
            max_line_size=self.door.line_limit,
            max_field_size=limits.header_bytes,
        )

    async def start(self, sock: socket.socket) -> None:
        """Begin to accept on `sock`, which is bound."""
        if self._acceptor is not None:
            self._acceptor.open(sock)
        else:
            self._sockets.append(sock)
            await self._accept_on(sock)
        if self._timer is None:
            self._sweep()

    def borrow(self, sock: socket.socket) -> None:
        """Accept on `sock` too, which is another worker's, until `leave`."""
        if self._acceptor is not None:
            self._acceptor.open(sock)
        else:
            self._sockets.append(sock)
            self._resume_soon()

    def leave(self, sock: socket.socket) -> None:
        """Accept on a borrowed `sock` no longer. It is closed, if it was not before."""
        if self._acceptor is not None:
            self._acceptor.leave(sock)
        elif sock in self._sockets:
            self._sockets.remove(sock)
            if sock in self._servers:
                self._servers.pop(sock).close()
            sock.close()

    async def _accept_on(self, sock: socket.socket) -> None:
        serve = self._loop.create_unix_server if sock.family is socket.AF_UNIX else self._loop.create_server
        server = await serve(self, sock=sock.dup(), backlog=BACKLOG)  # the server closes its own
        if sock in self._sockets and sock not in self._servers:
            self._servers[sock] = server
        else:  # it was taken back meanwhile
            server.close()

    def rejects(self) -> bool:
        """Whether a connection that has just begun is one too many."""
        most = self.door.limits.connections
        if len(self._connections) - self.rejected <= most:
            return False
        self.rejected += 1
        self._on_rejected(most)
        if self._servers and not self._has_room(0):
            self._pause()
        return True

    def _has_room(self, arriving: int) -> bool:
        """Whether more connections can be told that they are too many, beside so many that have not begun."""
        return len(self._connections) + arriving < self.door.limits.connections + REJECTED

    def _pause(self) -> None:
        for server in self._servers.values():
            server.close()
        self._servers.clear()

    def _resume_soon(self) -> None:
        if self._resuming is None or self._resuming.done():
            self._resuming = self._loop.create_task(self._resume())

    async def _resume(self) -> None:
        try:
            while waiting := [sock for sock in self._sockets if sock not in self._servers]:
                await self._accept_on(waiting[0])
        except OSError:  # no descriptor: the next sweep tries again
            self._pause()

    def date(self) -> str:
        """The Date line, made once a second."""
        now = int(self._wall())
        if now != self._date_for:
            self._date_for = now
            self._date = f"Date: {formatdate(now, usegmt=True)}\r\n"
        return self._date

    def stop_accepting(self, *, last: bool = False) -> None:
        """No new connections. Those that there are end with their next reply, or soon if nothing comes.

        `last`: nobody else accepts from the sockets. Then what waits in their queues is accepted still, and whoever comes
        later is refused at once, although others hold the sockets, too.
        """
        self.draining = self.closed = True
        self.idle_timeout_s = min(self.idle_timeout_s, self.PARTING_S)
        self.parted_at = self.door.monotonic()
        if self._acceptor is not None:
            self._acceptor.close(last=last)
        if self._resuming is not None:
            self._resuming.cancel()
        self._pause()
        for sock in self._sockets:
            if last:
                self._accept_rest(sock)
                shut(sock)
            sock.close()
        self._sockets.clear()

    def _accept_rest(self, sock: socket.socket) -> None:
        with suppress(BlockingIOError):
            for _ in range(BACKLOG):
                if not self._has_room(len(self._arriving)):
                    return
                with suppress(ConnectionAbortedError):
                    accepted, _ = sock.accept()
                    accepted.setblocking(False)
                    task: asyncio.Task[object] = self._loop.create_task(self._loop.connect_accepted_socket(self, accepted))
                    self._arriving.add(task)
                    task.add_done_callback(self._arriving.discard)

    @property
    def busy(self) -> bool:
        """Whether there is anybody left to serve."""
        return bool(self._connections or self._arriving) or (self._acceptor is not None and self._acceptor.arriving > 0)

    def cut(self) -> int:
        """End what is left, in flight or not; returns how many requests were in flight."""
        if self._timer is not None:
            self._timer.cancel()
        if self._acceptor is not None:
            self._acceptor.cut()
        return sum(connection.cut() for connection in self._open())

    def _open(self) -> list[Connection]:
        return [connection for connection in self._connections if isinstance(connection, Connection)]

    def _sweep(self) -> None:
        now = self.door.monotonic()
        for connection in self._open():
            connection.sweep(now)
        self.unread.relieve(now)
        if self._certificates is not None and now - self._looked >= self.CERTIFICATES_S:
            self._looked = now
            self._certificates.refresh()
        if len(self._servers) < len(self._sockets) and self._has_room(0):
            self._resume_soon()
        self._timer = self._loop.call_later(self.SWEEP_S, self._sweep)

    def __repr__(self) -> str:
        return f"<Listener {len(self._connections)} connections{', draining' if self.draining else ''}>"


async def _unused(_: BaseRequest) -> StreamResponse:  # aiohttp wants a handler; Connection never calls it
    raise AssertionError
