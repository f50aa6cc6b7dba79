"""The client's end of a tunnel."""

from gateway.exchange import Reply
from gateway.kernel.http.response_headers import as_text


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


def switching_head(reply: Reply, date: str) -> bytes:
    """Return the head that agrees to a handshake. `date` is the complete Date line."""
    return f"HTTP/1.1 101 Switching Protocols\r\n{as_text(reply.fields)}{date}\r\n".encode("latin-1", "replace")
