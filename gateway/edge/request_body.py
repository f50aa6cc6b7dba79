"""Reads the body of a request from the client."""

from collections.abc import Callable

import msgspec
from aiohttp import StreamReader
from aiohttp.web_protocol import RequestPayloadError

from gateway.kernel.faults import BODY_TOO_LARGE, MALFORMED_REQUEST, GatewayError
from gateway.upstream.call import BODY_PIECE_BYTES


class WholeBody(msgspec.Struct, eq=False, gc=False):
    """A body that had arrived when it was asked for.

    `limit` is the largest that is accepted, and `received` is how much was read, both in bytes.
    """

    content: bytes
    limit: int
    received: int = 0
    waited_s: float = 0.0

    @property
    def length(self) -> int:
        return len(self.content)

    def take_whole(self) -> bytes | None:
        """See `TimedBody.take_whole`. Raises GatewayError BODY_TOO_LARGE."""
        content = self.content
        size = len(content)
        if self.received or size > BODY_PIECE_BYTES:
            return None
        if size > self.limit:
            raise GatewayError(BODY_TOO_LARGE)
        self.received = size
        return content

    async def read(self) -> bytes:
        """Return the next piece, or b"" at the end. Raises GatewayError BODY_TOO_LARGE."""
        if len(self.content) > self.limit:
            raise GatewayError(BODY_TOO_LARGE)
        piece = self.content[self.received : self.received + BODY_PIECE_BYTES]
        self.received += len(piece)
        return piece


class ClientBody:
    """Reads what the client sends, up to `limit` bytes. `confirm` answers `Expect: 100-continue`, and is called once.

    `length` is the announced length in bytes, None for chunks. `waited_s` is the time spent waiting for the client.
    """

    __slots__ = ("_confirm", "_limit", "_monotonic", "_payload", "length", "received", "waited_s")

    def __init__(
        self,
        payload: StreamReader,
        length: int | None,
        limit: int,
        confirm: Callable[[], None] | None,
        monotonic: Callable[[], float],
    ) -> None:
        self._payload = payload
        self._limit = limit
        self._confirm = confirm
        self.length = length
        self._monotonic = monotonic
        self.received = 0
        self.waited_s = 0.0

    def take_whole(self) -> bytes | None:
        """See `TimedBody.take_whole`: it has to be waited for."""
        return None

    async def read(self) -> bytes:
        """Return the next piece, or b"" at the end.

        Raises GatewayError BODY_TOO_LARGE, REQUEST_TIMEOUT or MALFORMED_REQUEST.
        """
        if self.length is not None and self.length > self._limit:
            raise GatewayError(BODY_TOO_LARGE)
        if self._confirm is not None:
            self._confirm()
            self._confirm = None
        began = self._monotonic()
        try:
            piece = await self._payload.read(BODY_PIECE_BYTES)
        except RequestPayloadError as broken:
            broken.__traceback__ = None  # the payload refers to the error, whose frames would refer to the payload
            raise GatewayError(MALFORMED_REQUEST, cause="the body breaks its framing") from None
        finally:
            self.waited_s += self._monotonic() - began
        self.received += len(piece)
        if self.received > self._limit:
            raise GatewayError(BODY_TOO_LARGE)
        return piece


class TunnelBytes:
    """What has gone from the client to the service through a tunnel, as the record of the exchange reads it.

    It stands in the place of a request body, whose `received` bytes are counted.
    """

    __slots__ = ("length", "received", "waited_s")

    def __init__(self, received: int) -> None:
        self.length: int | None = None
        self.received = received
        self.waited_s = 0.0

    def take_whole(self) -> bytes | None:
        """See `TimedBody.take_whole`: nothing is left of it."""
        return None

    async def read(self) -> bytes:
        """Return b"": the bytes have gone to the service."""
        return b""
