"""What leaves on a client connection: how much of it the client has not taken, and at what pace it does."""

import fcntl
import math
import sys
import termios
from typing import TYPE_CHECKING, Any

from aiohttp.web_protocol import RequestHandler

from gateway.edge.request_head import Peer
from gateway.exchange import Exchange
from gateway.kernel.faults import REPLY_NOT_TAKEN, GatewayError

if TYPE_CHECKING:
    from gateway.edge.listener import Listener

PACE_AFTER_S = 1.0
"""A client that has not taken something for less than this has no pace yet."""


class WriteProgress(RequestHandler):
    """The sending half of a connection. `_exchange` is the one that is served, None for none.

    `_unwritten` are the bytes of a large reply that the transport was not given yet. `_stalled_since` is when the client first fell behind,
    None while it does not; `_stalled_bytes` were untaken then. `_unacknowledged`
    is how many bytes a client that is waited for had not acknowledged when that was last checked. `_written` counts writes.
    """

    _peer: Peer
    __slots__ = (
        "_exchange",
        "_listener",
        "_peer",
        "_stalled_bytes",
        "_stalled_since",
        "_unacknowledged",
        "_unread",
        "_unwritten",
        "_written",
    )

    def __init__(self, listener: "Listener", **options: Any) -> None:
        super().__init__(listener, **options)
        self._listener = listener
        self._exchange: Exchange | None = None
        self._unwritten = 0
        self._stalled_since: float | None = None
        self._stalled_bytes = 0
        self._unread = self._unacknowledged = 0
        self._written = 0

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._unwritten = 0
        self._caught_up()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stalled_since is None:
            self._stalled_since = self._listener.head_checker.monotonic()
            self._stalled_bytes = self._unacknowledged = self._unacknowledged_bytes()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self._unwritten:
            self._caught_up()

    def _caught_up(self) -> None:
        """The client has as much as there is for it, but for what is in flight."""
        self._stalled_since = None
        if self._unread:
            self._unread = 0
            self._listener.unread.update(self, 0)

    async def _wait_until_drained(self) -> None:
        """The client takes what was written."""
        self._update_unread()
        if self._listener.unread.over_limit:
            self._listener.unread.enforce(self._listener.head_checker.monotonic())
        await self._drain_helper()

    def _update_unread(self) -> None:
        """Count what the client leaves: of the reply under way, and of those before."""
        x, transport = self._exchange, self.transport
        size = 0 if transport is None else transport.get_write_buffer_size() + self._unwritten
        if x is not None and x.reply is not None and x.reply.stream is not None:
            size += x.reply.stream.unread
        if size != self._unread:
            self._unread = size
            self._listener.unread.update(self, size)

    def owner(self) -> str:
        x = self._exchange
        return self._peer.address if x is None or x.caller is None else x.caller.bucket

    def pace(self, now: float) -> float:
        since = self._stalled_since
        if since is None or now - since < PACE_AFTER_S:
            return math.inf
        return (self._stalled_bytes - self._unacknowledged_bytes()) / (now - since)

    def cut_unread(self) -> None:
        if self._exchange is not None and self._exchange.ended is None:
            self._exchange.ended = GatewayError(REPLY_NOT_TAKEN, cause="too much of all replies is unread")
        if self.transport is not None:
            self.transport.abort()

    def _unacknowledged_bytes(self) -> int:
        """What was written and the client has not acknowledged: in our buffer and in the kernel's."""
        if self.transport is None:
            return 0
        queued = fcntl.ioctl(self.transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
        return self._unwritten + self.transport.get_write_buffer_size() + int.from_bytes(queued, sys.byteorder)
