"""Receives most of a large body into one block of memory, without the copies that pieces of it would cost."""

import asyncio
from typing import Protocol

from gateway.upstream.http1.body_buffer import BodyBuffer

_LARGE_BYTES = 64 * 1024
_END_BYTES = 4096


class ReceivingConnection(Protocol):
    """The connection whose reply is received."""

    def body_received(self, size: int) -> None:
        """Note that the next `size` bytes of the body are in the buffer."""
        ...

    def eof_received(self) -> None: ...
    def connection_lost(self, exc: Exception | None) -> None: ...
    def pause_writing(self) -> None: ...
    def resume_writing(self) -> None: ...


def receive_in_one_block(
    connection: ReceivingConnection, transport: asyncio.Transport, buffer: BodyBuffer, missing: int
) -> None:
    """Receive what is `missing` of the body in `buffer` into one block with it, if it is large.

    Not over TLS, where the bytes are decrypted in pieces anyway.
    """
    if missing >= _LARGE_BYTES and transport.get_extra_info("ssl_object") is None:
        BodyReceiver(connection, transport, buffer, buffer.size + missing)


class BodyReceiver(asyncio.BufferedProtocol):
    """Stands between the socket and its `connection`, which gets the last bytes of the body itself.

    So the connection also sees what follows the body, and the socket holds no part of the block any more when the
    body is complete.
    `buffer` holds what has arrived of a body of `length` bytes.
    """

    def __init__(
        self, connection: ReceivingConnection, transport: asyncio.Transport, buffer: BodyBuffer, length: int
    ) -> None:
        self._connection = connection
        self._transport = transport
        self._buffer = buffer
        self._block = buffer.allocate(length)
        self._end = length - _END_BYTES
        self._hand_to(self)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the block has room for the body, and no more
        return self._block[self._buffer.size : self._end]

    def buffer_updated(self, nbytes: int) -> None:
        self._buffer.size += nbytes
        if self._buffer.size == self._end:
            self._hand_to(self._connection)  # type: ignore[arg-type]  # it is one
        self._connection.body_received(nbytes)

    def eof_received(self) -> None:
        self._connection.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connection.connection_lost(exc)

    def pause_writing(self) -> None:
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        self._connection.resume_writing()

    def _hand_to(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand the socket to `protocol`. Its transport learns how that receives only when it begins to read."""
        transport = self._transport
        if transport.is_reading():
            transport.pause_reading()
            transport.set_protocol(protocol)
            transport.resume_reading()
        else:
            transport.set_protocol(protocol)
