"""A client connection: answers its requests in order, with one reply each.

Law: no connection occupies the event loop. After a few requests that had arrived already, or a part of a stream, other
connections are served.
"""

import asyncio
import socket
import struct
from enum import Enum
from functools import partial
from typing import Any

from aiohttp import StreamReader
from aiohttp.streams import EMPTY_PAYLOAD

from gateway.edge.request_body import ClientBody
from gateway.edge.request_head import body_length
from gateway.edge.request_reader import RequestReader
from gateway.edge.response_head import head_bytes
from gateway.edge.upgrade import TunnelBytes, switching_head
from gateway.exchange import Exchange, Reply
from gateway.kernel.faults import MALFORMED_REQUEST, SHUTTING_DOWN, GatewayError
from gateway.kernel.http.status_rules import UNFRAMED
from gateway.upstream.call import Stream
from gateway.upstream.tunnel import Tunnel, TunnelState

LINGER_S = 1.0
"""The seconds for which a connection is read and discarded after its last reply.

Closing at once may reset the connection before the reply has arrived.
"""
TURN_REQUESTS, TURN_S = 4, 0.001
"""The most requests of one connection that are answered in a row when they have arrived already, and the most seconds.
"""
TURN_BYTES = 256 * 1024
"""The most bytes of a stream that are sent in a row when they are available already."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with a time of 0: closing sends RST."""
_TLS_REQUIRED = partial(
    GatewayError,
    MALFORMED_REQUEST,
    developer_message="This address speaks https only. Write https:// at the beginning of the URL.",
)
_PIECE_BYTES = 256 * 1024
"""A larger reply is given to the transport in pieces."""
_SMALL_BYTES = 32 * 1024
"""A reply up to this size may be sent together with others, at the end of the loop's iteration."""


class ConnectionState(Enum):
    """The states of a client connection."""

    CLOSED = "closed"
    IDLE = "idle"
    READING_HEAD = "reading a head"
    ANSWERING = "answering"
    LINGERING = "lingering"
    """The last reply was sent, and the rest of what the client sends is discarded."""


class ClientConnection(RequestReader):
    """aiohttp's connection with our own loop. `_keep` says whether it stays open after the exchange under way.

    `plain` is set for a client that sends http where https is required: each of its requests is answered with an error.
    `_serving` says that requests are taken from the queue at present, or will be in a later iteration of the loop.
    """

    __slots__ = ("_http10", "_keep", "_serving")

    def __init__(self, *arguments: Any, plain: bool = False, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._rejection = _TLS_REQUIRED if plain else None
        self._keep = True
        self._http10 = False
        self._serving = False

    @property
    def state(self) -> ConnectionState:
        """The present state."""
        if self.transport is None:
            return ConnectionState.CLOSED
        if self._lingering is not None:
            return ConnectionState.LINGERING
        if self._exchange is not None:
            return ConnectionState.ANSWERING
        return ConnectionState.IDLE if self._head_since is None else ConnectionState.READING_HEAD

    def __repr__(self) -> str:
        return f"<ClientConnection {self.state.value}{', closing' if self._close or not self._keep else ''}>"

    def _serve(self) -> None:
        """Answer the requests of the queue in order, until one has to wait or the queue is empty."""
        if self._serving or self._exchange is not None or self._lingering is not None:
            return
        self._serving = True
        monotonic = self._listener.head_checker.monotonic
        began, answered = 0.0, 0  # of the requests that are answered in a row
        while self._keep and not self._force_close:
            if not self._messages:
                if self._eof and not self._close and self._head_since is not None:
                    self._reject_incomplete_head()
                    continue
                if self._close or self._eof:
                    break
                self._idle_since = monotonic()
                self._serving = False
                return
            if not answered:
                began = monotonic()
            elif answered >= TURN_REQUESTS or monotonic() - began > TURN_S:
                self._loop.call_soon(self._serve_on)
                return
            message, payload = self._messages.popleft()
            if self._parser is not None:
                self._parser.message_consumed()
            if self._buffer_paused and len(self._messages) <= self._msg_queue_resume_size:
                self._resume_reading_if_drained()
            if not self._answer(message, payload):
                self._serving = False
                return
            answered += 1
        self._serving = False
        if self._lingering is None:
            self.force_close()

    def _serve_on(self) -> None:
        self._serving = False
        self._serve()

    def _answer(self, message: Any, payload: StreamReader) -> bool:
        """Begin to serve one request, and return whether it is served already.

        `_keep` says afterwards whether the connection stays open.
        """
        listener = self._listener
        if isinstance(message, GatewayError):
            x = listener.head_checker.error_exchange(message, self._peer)
            self._keep = self._http10 = False
        else:
            x = listener.head_checker.to_exchange(message, self._peer)
            if self._rejection is not None:
                x.head_error = self._rejection()
            self._keep = not (message.should_close or message.chunked or message.upgrade) and x.head_error is None
            self._http10 = message.version == (1, 0)
            if payload is not EMPTY_PAYLOAD:
                self._body_since = x.started
                confirm = self._confirm if "Expect" in message.headers and not self._http10 else None
                head_checker = listener.head_checker
                x.body = ClientBody(
                    payload,
                    body_length(message.headers),
                    head_checker.limits.body_bytes,
                    confirm,
                    head_checker.monotonic,
                )
        self._exchange, self._payload = x, payload
        ended = self._driver.run(listener.serve(x, self._send), self._exchange_ended)
        if ended:
            self._conclude()
        return ended

    def _conclude(self) -> None:
        """The exchange has ended."""
        self._exchange = self._body_since = None
        if not self._keep and not self._eof:
            self._linger()

    def _exchange_ended(self, error: BaseException | None) -> None:
        """The exchange has ended after a wait, or with an error, after which the connection is not used any more."""
        if error is None:
            self._conclude()
        else:
            self._exchange = self._body_since = None
            self.force_close()
        self._serve()

    async def _send(self, reply: Reply) -> int:
        """Write `reply`, and return the bytes of its body that were sent.

        Raises ConnectionError and what its stream raises.
        """
        x, transport = self._exchange, self.transport
        if x is None or transport is None or transport.is_closing():
            raise ConnectionResetError("the client is gone")
        if reply.stream is not None and isinstance(reply.stream, Tunnel):
            return await self._carry(x, reply, reply.stream, transport)
        bodiless = x.method == "HEAD" or reply.status in UNFRAMED
        endless = reply.stream is not None and reply.length is None and not bodiless
        if reply.close or self._listener.draining or not self._payload.is_eof() or (endless and self._http10):
            self._keep = False
        chunked = endless and not self._http10
        head = head_bytes(
            reply, self._listener.date(), keep=self._keep, http10=self._http10, chunked=chunked, bodiless=bodiless
        )
        self._written += 1
        if bodiless:
            if reply.stream is not None:
                reply.stream.close()
            self._listener.write_batch.flush()
            transport.write(head)
            return 0
        if reply.stream is not None:
            return await self._stream(x, reply, reply.stream, head, chunked=chunked)
        if len(reply.body) > _PIECE_BYTES or reply.content:
            return await self._send_large(x, reply, head)
        data = head + reply.body
        if self._keep and len(data) <= _SMALL_BYTES:
            self._listener.write_batch.put(transport, data)
        else:
            self._listener.write_batch.flush()
            transport.write(data)
        x.sent_bytes = len(reply.body)
        if self._paused:
            await self._wait_for_client(x)
        return x.sent_bytes

    async def _send_large(self, x: Exchange, reply: Reply, head: bytes) -> int:
        """Write a large reply in pieces as the client reads them, so that unread bytes are held by the reply alone."""
        self._listener.write_batch.flush()
        parts = (head, reply.body, reply.content, reply.tail)
        self._unwritten = sum(map(len, parts))
        x.sent_bytes = self._unwritten - len(head)
        try:
            for part in parts:
                view = memoryview(part)
                for at in range(0, len(view), _PIECE_BYTES):
                    transport = self.transport
                    if transport is None or transport.is_closing():
                        x.sent_bytes = max(0, x.sent_bytes - self._unwritten)
                        raise ConnectionResetError("the client is gone")
                    piece = view[at : at + _PIECE_BYTES]
                    self._unwritten -= len(piece)
                    transport.write(piece)
                    self._written += 1
                    if self._paused:
                        await self._wait_for_client(x)
        finally:
            self._unwritten = 0
            self._caught_up()
        return x.sent_bytes

    async def _stream(self, x: Exchange, reply: Reply, stream: Stream, head: bytes, *, chunked: bool) -> int:
        """Write the head with the first part of the body, then further pieces as the client reads them."""
        piece, last, ahead = reply.body, False, 0
        self._listener.write_batch.flush()
        try:
            while True:
                transport = self.transport
                if transport is None or transport.is_closing():
                    raise ConnectionResetError("the client is gone")
                x.sent_bytes += len(piece)
                framed = b"%x\r\n%b\r\n" % (len(piece), piece) if chunked and piece else piece
                transport.write(head + framed + (b"0\r\n\r\n" if chunked and last else b""))
                self._written += 1
                ahead += len(piece)
                if self._paused:
                    await self._wait_for_client(x)
                elif ahead > TURN_BYTES:
                    ahead = 0
                    await asyncio.sleep(0)
                if last:
                    return x.sent_bytes
                head = b""
                piece = await stream.read()
                if not piece:
                    piece, last = reply.tail, True
        except GatewayError:  # the client must see that the reply is not complete
            self._keep = False
            if self.transport is not None:
                if self._http10:  # such a reply ends with the connection: only a reset shows that it is not complete
                    self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    self.transport.abort()
                else:
                    self.transport.close()
            raise
        finally:
            stream.close()

    async def _carry(self, x: Exchange, reply: Reply, tunnel: Tunnel, transport: asyncio.Transport) -> int:
        """Agree to a handshake, and pass bytes on until the end of `tunnel`. Raises its error."""
        self._keep = False
        self._listener.write_batch.flush()
        transport.write(switching_head(reply, self._listener.date()))
        self._written += 1
        transport.resume_reading()
        self._tunnel = tunnel
        try:
            tunnel.open(transport, self._splitter.take_rest())
            await tunnel.ended
        except asyncio.CancelledError:
            if x.ended is not None or tunnel.state is not TunnelState.CLOSED:
                raise
        finally:
            self._tunnel = None
            x.sent_bytes, x.body = tunnel.sent_bytes, TunnelBytes(tunnel.received_bytes)
        if tunnel.error is not None:
            raise tunnel.error
        return x.sent_bytes

    async def _wait_for_client(self, x: Exchange) -> None:
        """Wait until the client has received most of what was written.

        The time is added to `client_s` of `x`. When the client leaves, `sent_bytes` is reduced by what it has not
        received.
        """
        began = self._listener.head_checker.monotonic()
        try:
            await self._wait_until_drained()
        except BaseException:
            x.sent_bytes = max(0, x.sent_bytes - self._unacknowledged)
            raise
        finally:
            x.client_s += self._listener.head_checker.monotonic() - began

    def _confirm(self) -> None:
        """Ask the client for the body of its request."""
        if self.transport is not None:
            self._listener.write_batch.flush()
            self.transport.write(_CONTINUE)

    def _linger(self) -> None:
        """Discard what the client still sends, until it has closed or LINGER_S has passed. Then close."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        if not transport.can_write_eof() and self._payload.is_eof() and not self._close:
            return  # TLS has an end of its own, and nothing is unread that could reset the connection
        self._close = True
        self._listener.write_batch.flush()
        if transport.can_write_eof():
            transport.write_eof()
        transport.resume_reading()
        self._lingering = self._loop.call_later(LINGER_S, self._end_lingering)

    def cut(self) -> bool:
        """End the connection. A request in flight is answered with SHUTTING_DOWN, or its reply is broken off.

        Return whether a request was in flight.
        """
        if self._tunnel is not None:
            self._tunnel.go_away(GatewayError(SHUTTING_DOWN))
            return True
        x = self._exchange
        if x is None:
            self.force_close()
        elif x.ended is None:
            x.ended = GatewayError(SHUTTING_DOWN)
            self._driver.cancel()
        return x is not None
