"""Sends a request body to an upstream, as fast as the upstream accepts it."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from gateway.kernel.faults import CLIENT_CLOSED, MALFORMED_REQUEST, GatewayError

PIECE_BYTES = 64 * 1024
"""Bodies in memory are sent together with the head up to this size, larger ones in pieces of this size."""


class BodySource(Protocol):
    """The part of a Body (gateway.upstream.call) that is needed here."""

    @property
    def length(self) -> int | None: ...

    async def read(self) -> bytes: ...


class BodySink(Protocol):
    """The connection that a body is written to."""

    async def write(self, data: bytes) -> None:
        """Return when the connection accepts more."""
        ...


class BodyPieces:
    """A BodySource that is in memory. Its first piece counts as read."""

    def __init__(self, data: bytes) -> None:
        self.length: int | None = len(data)
        self._data = memoryview(data)
        self._at = PIECE_BYTES

    async def read(self) -> bytes:
        start, self._at = self._at, self._at + PIECE_BYTES
        return bytes(self._data[start : self._at])


async def send_body(head: bytes, first: bytes, body: BodySource, sink: BodySink) -> None:
    """Write `head`, then `first` and the rest of `body`, in chunks if its length is unknown.

    Raises GatewayError: those of `body.read`, or MALFORMED_REQUEST when the body is not as long as announced.
    """
    length, sent, piece = body.length, 0, first
    while piece:
        sent += len(piece)
        if length is None:
            await sink.write(b"%b%x\r\n%b\r\n" % (head, len(piece), piece))
        elif sent > length:
            raise GatewayError(MALFORMED_REQUEST, cause=f"the body is longer than its announced {length} bytes")
        else:
            await sink.write(head + piece)
        if sent == length:
            # The reply may arrive at any moment now, and must not find this task waiting for the end of the body.
            return
        head = b""
        piece = await body.read()
    if length is None:
        await sink.write(head + b"0\r\n\r\n")
    elif sent < length:
        raise GatewayError(MALFORMED_REQUEST, cause=f"the body ended after {sent} of its announced {length} bytes")
    elif head:
        await sink.write(head)


async def upload(
    head: bytes, first: bytes, body: BodySource, sink: BodySink, ended: Callable[[Exception | None], None]
) -> None:
    """Do what `send_body` does, in a task of its own, and call `ended` with what it raised, None for nothing."""
    try:
        await send_body(head, first, body, sink)
    except Exception as error:
        ended(error.kept() if isinstance(error, GatewayError) else error)
    except asyncio.CancelledError:
        ended(GatewayError(CLIENT_CLOSED, cause="the request's body was given up"))
    else:
        ended(None)
