"""Writes the replies of a client connection: small ones at once, large and streamed ones at the pace of the client.

Law: no reply occupies the event loop. After a part of a stream other connections are served.
"""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Iterable, Iterator
from typing import Any

from gateway.edge.request_body import TunnelBytes
from gateway.edge.request_reader import RequestReader
from gateway.edge.response_head import SMALL_BYTES, head_bytes, switching_head
from gateway.exchange import Exchange, Reply
from gateway.kernel.faults import GatewayError
from gateway.kernel.http.status_rules import UNFRAMED
from gateway.upstream.call import Stream
from gateway.upstream.tunnel import Tunnel, TunnelState

TURN_BYTES = 256 * 1024
"""The most bytes of a stream that are sent in a row when they are available already."""
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with a time of 0: closing sends RST."""
_PIECE_BYTES = 256 * 1024
"""A larger reply is given to the transport in pieces."""


class ReplyWriter(RequestReader):
    """The writing half of a client connection.

    `_http10` says that the request was in HTTP/1.0.
    """

    __slots__ = ("_http10",)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._http10 = False

    def _send(self, reply: Reply) -> Awaitable[int]:
        """Do what `ConnectionCore.send` does, for a request of any kind."""
        if self._payload.is_eof() and not self._http10:
            return self._core.send(reply)
        return self.send_in_time(reply)

    async def send_in_time(self, reply: Reply) -> int:
        """Write any reply, and wait until the client has received most of it."""
        x, transport = self._core.exchange, self.transport
        if x is None or transport is None or transport.is_closing():
            raise ConnectionResetError("the client is gone")
        if reply.stream is not None and isinstance(reply.stream, Tunnel):
            return await self._carry(x, reply, reply.stream, transport)
        bodiless = x.method == "HEAD" or reply.status in UNFRAMED
        endless = reply.stream is not None and reply.length is None and not bodiless
        if reply.close or self._listener.state.draining or not self._payload.is_eof() or (endless and self._http10):
            self._core.keep = False
        chunked = endless and not self._http10
        head = head_bytes(
            reply,
            self._listener.state.date,
            keep=self._core.keep,
            http10=self._http10,
            chunked=chunked,
            bodiless=bodiless,
        )
        self._core.written += 1
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
        if self._core.keep and len(data) <= SMALL_BYTES:
            self._listener.write_batch.put(transport, data)
        else:
            self._listener.write_batch.flush()
            transport.write(data)
        return await self.taken(x, len(reply.body))

    async def taken(self, x: Exchange, size: int) -> int:
        """Wait until the client has received most of a body of `size` bytes, and return how much it has."""
        x.sent_bytes = size
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
            for pieces in (parts,) if self._unwritten <= _PIECE_BYTES else _write_lists(parts):
                transport = self.transport
                if transport is None or transport.is_closing():
                    x.sent_bytes = max(0, x.sent_bytes - self._unwritten)
                    raise ConnectionResetError("the client is gone")
                self._unwritten -= sum(map(len, pieces))
                transport.writelines(pieces)
                self._core.written += 1
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
                self._core.written += 1
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
            self._core.keep = False
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
        self._core.keep = False
        self._listener.write_batch.flush()
        transport.write(switching_head(reply, self._listener.state.date))
        self._core.written += 1
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


def _write_lists(parts: Iterable[bytes]) -> Iterator[list[memoryview]]:
    """Return `parts` in lists of views, none of them empty. Each list is one write of `_PIECE_BYTES` at most."""
    pieces: list[memoryview] = []
    left = _PIECE_BYTES
    for part in parts:
        rest = memoryview(part)
        while rest:
            pieces.append(rest[:left])
            rest = rest[left:]
            left -= len(pieces[-1])
            if not left:
                yield pieces
                pieces, left = [], _PIECE_BYTES
    if pieces:
        yield pieces
