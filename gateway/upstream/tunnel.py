"""A connection on which client and service speak WebSocket: bytes go through untouched in both directions.

Laws:
 - Each direction holds no more than the write buffer of its receiver: whoever does not read makes the other one wait.
 - The gateway ends a tunnel with a Close frame of its own to both sides, put between two frames. Behind that frame
   nothing else follows.
 - The socket to the service, and with it the place in the pool, is given back exactly once, whatever ends the tunnel.
"""

import asyncio
from enum import Enum
from typing import Protocol

from gateway.kernel.faults import TUNNEL_IDLE, UPSTREAM_INCOMPLETE, GatewayError
from gateway.kernel.websocket import GOING_AWAY, close_frame
from gateway.net.waiter import Waiter
from gateway.upstream.tunnel_direction import Direction

GOODBYE_S = 1.0
"""For how many seconds the client is waited for to answer a Close frame, and the service to read the last bytes."""


class TunnelOwner(Protocol):
    """The connection whose socket a tunnel has taken over."""

    def connection_lost(self, exc: Exception | None) -> None: ...
    def abandon(self) -> None: ...


class TunnelState(Enum):
    """What a tunnel does."""

    AGREED = "agreed"
    """The service has switched protocols, and the client does not know yet."""
    OPEN = "open"
    CLOSING = "closing"
    """A Close frame of the gateway is on its way."""
    CLOSED = "closed"


class Tunnel(asyncio.Protocol):
    """The service's end of a tunnel, which the client's end is joined to by `open`.

    It is the `UpstreamStream` of the answer that has switched protocols. `mask` are four unpredictable bytes. A tunnel
    in which nothing was heard for `idle_s` seconds is closed. `error` is why the gateway, or a broken connection to the
    service, has ended it; None when one of the peers did.
    """

    unread = 0
    held_s = 0.0

    def __init__(
        self,
        owner: TunnelOwner,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        *,
        early: bytes,
        idle_s: float,
        mask: bytes,
    ) -> None:
        self._owner = owner
        self._transport = transport
        self._loop = loop
        self._early = early
        self._idle_s = idle_s
        self._client: asyncio.Transport | None = None
        self._client_full = self._service_full = False
        self._to_client = Direction(self._write_to_client, close_frame(GOING_AWAY))
        self._to_service = Direction(self._write_to_service, close_frame(GOING_AWAY, mask))
        self._began_at = self._heard_at = loop.time()
        self._timer = loop.call_later(idle_s, self._check_idle)
        self.state = TunnelState.AGREED
        self.error: GatewayError | None = None
        self.ended: Waiter[None] = Waiter()
        self.waited_s = 0.0
        transport.pause_reading()

    def __repr__(self) -> str:
        return f"<Tunnel {self.state.value}, {self.sent_bytes} bytes to the client, {self.received_bytes} from it>"

    @property
    def sent_bytes(self) -> int:
        """The bytes of the service that were passed on to the client."""
        return self._to_client.passed_bytes

    @property
    def received_bytes(self) -> int:
        """The bytes of the client that were passed on to the service."""
        return self._to_service.passed_bytes

    # For the client's end

    def open(self, client: asyncio.Transport, early: bytes) -> None:
        """Join the client's end. `early` is what the client has sent behind its handshake."""
        if self.state is TunnelState.CLOSED:
            return
        self._client = client
        self.state = TunnelState.OPEN
        if self._early:
            early_reply, self._early = self._early, b""
            self._from_service(early_reply)
        if early:
            self.from_client(early)
        self.client_drained()

    def from_client(self, data: bytes) -> None:
        """Pass on what the client has sent."""
        self._heard_at = self._loop.time()
        if self._to_service.pass_on(data):
            self._pause_client()
            self._loop.call_soon(self._client_again)
        if self.state is TunnelState.CLOSING and self._to_service.frames.closed:
            self._end()

    def client_full(self) -> None:
        """Make the service wait, because the client does not read."""
        self._client_full = True
        self._pause_service()

    def client_drained(self) -> None:
        """Note that the client reads again."""
        self._client_full = False
        self._resume_service()

    def client_left(self) -> None:
        """Note that the client has closed its connection."""
        self._end()

    def go_away(self, error: GatewayError) -> None:
        """Close the tunnel in the way of WebSockets, within GOODBYE_S, for the reason `error`."""
        if self.state is TunnelState.OPEN:
            self.state = TunnelState.CLOSING
            self.error = error
            self._timer.cancel()
            self._timer = self._loop.call_later(GOODBYE_S, self._end)
            self.client_drained()  # the service may be held back within a frame
            self._to_client.close()
            self._to_service.close()

    # An UpstreamStream

    async def read(self) -> bytes:
        """Return b"": what a tunnel carries is no body."""
        return b""

    def close(self) -> None:
        """End the tunnel at once."""
        if self.state is not TunnelState.CLOSED:
            self._end()
            self._transport.abort()

    # Called by the event loop, for the connection to the service

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        self._from_service(data)

    def pause_writing(self) -> None:
        self._service_full = True
        self._pause_client()

    def resume_writing(self) -> None:
        self._service_full = False
        self._resume_client()

    def eof_received(self) -> None:
        self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        self._owner.connection_lost(exc)
        if self.state is not TunnelState.CLOSED:
            text = getattr(exc, "strerror", None) or exc or "cut off"
            self.error = self.error or GatewayError(UPSTREAM_INCOMPLETE, cause=f"the connection broke: {text}")
            self._end()

    # Inside

    def _from_service(self, data: bytes) -> None:
        if self._to_client.pass_on(data):
            self._pause_service()
            self._loop.call_soon(self._service_again)

    def _pause_client(self) -> None:
        if self._client is not None and not self._client.is_closing():
            self._client.pause_reading()

    def _resume_client(self) -> None:
        if (
            self._client is not None
            and not self._client.is_closing()
            and not (self._service_full or self._to_service.held)
        ):
            self._client.resume_reading()

    def _client_again(self) -> None:
        """Give the client its next turn, after one with many frames."""
        if self.state is not TunnelState.CLOSED and self._to_service.go_on():
            self._loop.call_soon(self._client_again)
        else:
            self._resume_client()

    def _service_again(self) -> None:
        """Give the service its next turn, after one with many frames."""
        if self.state is not TunnelState.CLOSED and self._to_client.go_on():
            self._loop.call_soon(self._service_again)
        else:
            self._resume_service()

    def _pause_service(self) -> None:
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def _resume_service(self) -> None:
        if not self._transport.is_closing() and not (self._client_full or self._to_client.held):
            self._transport.resume_reading()

    def _write_to_client(self, data: bytes) -> None:
        if self._client is not None and not self._client.is_closing():
            self._client.write(data)

    def _write_to_service(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    def _check_idle(self) -> None:
        silent_s = self._loop.time() - self._heard_at
        if silent_s < self._idle_s:
            self._timer = self._loop.call_later(self._idle_s - silent_s, self._check_idle)
            return
        error = GatewayError(TUNNEL_IDLE, cause=f"the tunnel was silent for {self._idle_s:g} s")
        if self.state is TunnelState.AGREED:  # nobody has asked for the answer of the service
            self.error = error
            self._end()
        else:
            self.go_away(error)

    def _end(self) -> None:
        """Give back the socket, after what was written, and resume the coroutine that waits for the end. Runs once."""
        if self.state is TunnelState.CLOSED:
            return
        self.state = TunnelState.CLOSED
        self._timer.cancel()
        self.waited_s = self._loop.time() - self._began_at
        self._to_client.end()
        self._to_service.end()
        if not self._transport.is_closing():
            self._transport.close()
            self._timer = self._loop.call_later(GOODBYE_S, self._transport.abort)
        self._client = None
        self.ended.set_result(None)
