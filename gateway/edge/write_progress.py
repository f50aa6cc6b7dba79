"""Tracks what is written to a client connection: how much of it the client has not received, and how fast it reads."""

import asyncio
import fcntl
import math
import sys
import termios
from typing import Any, Protocol, cast

from aiohttp.tcp_helpers import tcp_keepalive
from aiohttp.web_protocol import RequestHandler

from gateway.edge.connection_core import ConnectionCore, ListenerState
from gateway.edge.request_head import RequestHeadChecker
from gateway.edge.unread_replies import UnreadReplies
from gateway.kernel.faults import REPLY_NOT_TAKEN, GatewayError
from gateway.net.write_batch import WriteBatch

PACE_AFTER_S = 1.0
"""The pace of a client is measured when it has been behind for so many seconds."""


class ClientConnectionOwner(Protocol):
    """What a connection needs of its listener.

    `idle_timeout_s` is how long a connection may be idle since its last reply, or since
    `stopped_at`, the time at which the listener stopped to accept. `rejected` counts open connections beyond the limit.
    """

    SWEEP_S: float
    head_checker: RequestHeadChecker
    state: ListenerState
    write_batch: WriteBatch
    unread: UnreadReplies
    idle_timeout_s: float
    stopped_at: float
    rejected: int

    def rejects(self) -> bool:
        """Return whether a connection that has just begun exceeds the limit. It is counted then."""
        ...


class WriteProgress(RequestHandler):
    """The sending half of a connection. `options` are those of aiohttp's RequestHandler.

    `_core` serves plain requests. `_unwritten` counts the bytes of a large reply that
    the transport has not received yet. `_stalled_since` is when the client first fell behind, None while it keeps up;
    at that time it had not acknowledged `_stalled_bytes`. `_unacknowledged` is the same number when it was last
    checked, for a client that is waited for. `_unread` is the number of bytes that is counted in `UnreadReplies`.
    """

    __slots__ = (
        "_core",
        "_listener",
        "_stalled_bytes",
        "_stalled_since",
        "_unacknowledged",
        "_unread",
        "_unwritten",
    )

    def __init__(self, listener: ClientConnectionOwner, **options: Any) -> None:
        super().__init__(**options)
        self._listener = listener
        self._core = ConnectionCore(listener.state, self._loop)
        self._unwritten = 0
        self._stalled_since: float | None = None
        self._stalled_bytes = 0
        self._unread = self._unacknowledged = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not that of aiohttp's RequestHandler, which starts a task for each connection.
        super(RequestHandler, self).connection_made(transport)
        tcp_keepalive(cast(asyncio.Transport, transport))
        assert self._manager is not None
        self._manager.connection_made(self, cast(asyncio.Transport, transport))

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._unwritten = 0
        self._caught_up()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._core.behind = True
        if self._stalled_since is None:
            self._stalled_since = self._listener.head_checker.monotonic()
            self._stalled_bytes = self._unacknowledged = self._unacknowledged_bytes()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._core.behind = False
        if not self._unwritten:
            self._caught_up()

    def _caught_up(self) -> None:
        """Note that the client has received all that was written, except for what is in flight."""
        self._stalled_since = None
        if self._unread:
            self._unread = 0
            self._listener.unread.update(self, 0)

    async def _wait_until_drained(self) -> None:
        """Wait until the client has received most of what was written."""
        self._update_unread()
        if self._listener.unread.over_limit:
            self._listener.unread.enforce(self._listener.head_checker.monotonic())
        await self._drain_helper()

    def _update_unread(self) -> None:
        """Count what the client has not read of the reply under way and of those before."""
        x, transport = self._core.exchange, self.transport
        size = 0 if transport is None else transport.get_write_buffer_size() + self._unwritten
        if x is not None and x.reply is not None and x.reply.stream is not None:
            size += x.reply.stream.unread
        if size != self._unread:
            self._unread = size
            self._listener.unread.update(self, size)

    def owner(self) -> str:
        x = self._core.exchange
        return self._core.peer.address if x is None or x.caller is None else x.caller.bucket

    def pace(self, now: float) -> float:
        since = self._stalled_since
        if since is None or now - since < PACE_AFTER_S:
            return math.inf
        return (self._stalled_bytes - self._unacknowledged_bytes()) / (now - since)

    def cut_unread(self) -> None:
        if self._core.exchange is not None and self._core.exchange.ended is None:
            self._core.exchange.ended = GatewayError(REPLY_NOT_TAKEN, cause="too much of all replies is unread")
        if self.transport is not None:
            self.transport.abort()

    def _unacknowledged_bytes(self) -> int:
        """Return how many bytes the client has not acknowledged: those in our buffer and in the kernel's."""
        if self.transport is None:
            return 0
        queued = fcntl.ioctl(self.transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
        return self._unwritten + self.transport.get_write_buffer_size() + int.from_bytes(queued, sys.byteorder)
