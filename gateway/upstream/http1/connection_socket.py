"""The socket of one upstream connection, and how long it may be used.

This module knows nothing of calls and replies; `connection.UpstreamConnection` adds them.
"""

import asyncio
import math
import select
from enum import Enum
from typing import cast

from gateway.kernel.faults import GatewayError
from gateway.net.loop_budget import LARGE_BYTES, LoopBudget
from gateway.upstream.connection_shares import CallerShare
from gateway.upstream.http1.deadlines import Deadlines


class UpstreamConnectionState(Enum):
    """The states of a connection to an upstream."""

    CONNECTING = "connecting"
    IDLE = "idle"
    """The connection is kept between two calls."""
    SENDING = "sending"
    """The body of a request is being sent; the reply may have begun."""
    RECEIVING = "receiving"
    """The request was sent, and the reply is buffered."""
    STREAMING = "streaming"
    """The reply is passed on while it arrives."""
    TUNNEL = "tunnel"
    """The service has switched protocols, and a tunnel owns the socket."""
    CLOSED = "closed"


class ConnectionSocket(asyncio.Protocol):
    """The transport of a connection, its flow control, and the bounds of its use.

    `peer` is the address of the other end, None until it is connected. `closed` is the reason why it can serve no
    other call, None while it can. `lost` is done when the socket is closed. The pool sets the others: `expires_at` is
    when it was idle for too long and `ends_at` when it is too old, both readings of the pool's clock; `share` is that
    of the caller whose call it serves, as long as that counts; `streams` means that it passes on a body while that
    arrives.
    """

    _transport: asyncio.Transport
    _deadline: Deadlines
    """The deadline of the call in flight; set when the connection is made."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._poll = select.poll()
        self._drained: asyncio.Future[None] | None = None
        self.peer: str | None = None
        self.closed: GatewayError | None = None
        self.lost: asyncio.Future[None] = loop.create_future()
        self.expires_at = self.ends_at = math.inf
        self.share: CallerShare | None = None
        self.streams = self.tunnelled = False

    @property
    def has_served(self) -> bool:
        """Whether it has served a call before, after which it may have been closed by the other end."""
        return self.expires_at < math.inf

    def usable(self, now: float) -> bool:
        """Return whether a call may be sent.

        It may not when bytes, or the end of the connection, wait unread in the kernel. One that is `closed` has a
        transport that is.
        """
        # The last is `input_waits`, for every call.
        return now < self.expires_at and not self._transport.is_closing() and not self._poll.poll(0)

    def input_waits(self) -> bool:
        """Return whether received bytes, or the end of the connection, wait unread in the kernel."""
        return bool(self._poll.poll(0))

    def hand_over(self) -> None:
        """Hand the socket to a tunnel. The place in the pool is kept until the socket is closed."""
        self.tunnelled = True
        self._deadline.cancel()

    def pause(self) -> None:
        self._transport.pause_reading()
        self._deadline.unread(waiting=True)

    def resume(self) -> None:
        if self.closed is None:
            self._transport.resume_reading()
            self._deadline.unread(waiting=False)

    def _receive_within(self, budget: LoopBudget, size: int, more: int) -> None:
        """Note that `more` bytes have arrived of a reply, which has `size` by now.

        The rest is received in a later iteration of the event loop if the `budget` of this one is spent.
        """
        if size > LARGE_BYTES and budget.spent(more):
            self._transport.pause_reading()
            budget.later(self._read_on)

    def _read_on(self) -> None:
        if self.closed is None:
            self._transport.resume_reading()

    async def write(self, data: bytes) -> None:
        if self.input_waits():
            await asyncio.sleep(0)  # read the reply, or the end, first: a write to a closed socket would lose it
        self._transport.write(data)
        if self._drained is not None:
            self._deadline.blocked()
            await self._drained
            self._deadline.unblocked()

    # Called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.peer = (transport.get_extra_info("peername") or ("",))[0]
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN | select.POLLRDHUP)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the reason makes no difference here
        if not self.lost.done():
            self.lost.set_result(None)

    def pause_writing(self) -> None:
        self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)


class ConnectionAges:
    """The ages of one target's connections.

    `longest_s` may be infinity. Times are readings of one clock, in seconds.
    """

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._at = 0.0

    def ends_at(self, now: float) -> float:
        """Return when a connection that is made `now` becomes too old.

        Each call returns a different part of the spread.
        """
        self._at = (self._at + _GOLDEN) % 1
        return now + self._longest_s * (1 - SPREAD * self._at)


SPREAD = 0.1
"""The part of the greatest age by which a connection may end earlier, so that not all end together."""


_GOLDEN = 0.618034
"""The fractional parts of its multiples are spread evenly, however many there are."""
