"""Passes a request body on, at the pace at which the upstream takes it."""

from typing import Protocol

from gateway.kernel.faults import MALFORMED_REQUEST, GatewayError

PIECE_BYTES = 64 * 1024
"""Bodies in memory up to this size are written together with the head; larger ones in pieces of it."""


class Source(Protocol):
    """As much of a Body (gateway.upstream.call) as is needed here."""

    length: int | None

    async def read(self) -> bytes: ...


class Sink(Protocol):
    """The connection that a body is written to."""

    async def write(self, data: bytes) -> None:
        """Returns when there is room for more."""
        ...


class Pieces:
    """A Source that is in memory already; its first piece counts as read."""

    def __init__(self, data: bytes) -> None:
        self.length: int | None = len(data)
        self._data = memoryview(data)
        self._at = PIECE_BYTES

    async def read(self) -> bytes:
        start, self._at = self._at, self._at + PIECE_BYTES
        return bytes(self._data[start : self._at])


async def upload(head: bytes, first: bytes, body: Source, sink: Sink) -> None:
    """Write `head`, then `first` and all that `body` still has, as chunks if its length is not known.

    Raises GatewayError: what `body` raises, or MALFORMED_REQUEST when it is not as long as announced.
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
            # The reply may come at any moment from now on: it shall not find the upload waiting for an end
            return
        head = b""
        piece = await body.read()
    if length is None:
        await sink.write(head + b"0\r\n\r\n")
    elif sent < length:
        raise GatewayError(MALFORMED_REQUEST, cause=f"the body ended after {sent} of its announced {length} bytes")
    elif head:
        await sink.write(head)
