"""The part of a reply's body that arrives after its Answer was made.

Law: a slow client delays the service only as far as necessary. The rest of a reply is received at once when it fits
together with what is unread already. Of a longer reply only PAUSE_BYTES are received ahead, and the service has to
wait.
"""

import asyncio
from typing import Protocol

from gateway.kernel.clock import Clock
from gateway.kernel.faults import UPSTREAM_INCOMPLETE, GatewayError

PAUSE_BYTES = 256 * 1024
"""The number of unread bytes of a long reply at which the connection stops reading from its socket."""


class StreamSource(Protocol):
    """The connection that a stream is fed from."""

    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def abandon(self) -> None: ...


class ResponseStream:
    """An `UpstreamStream` (gateway.upstream.call) that one connection feeds and one task reads.

    `remaining` is the number of bytes that are still to come, None when it is unknown. `max_unread` is how many unread
    bytes are kept of a reply that fits. `unread` counts them. `paused`: the connection was asked to stop reading.
    """

    __slots__ = (
        *(
            "_clock",
            "_ended",
            "_error",
            "_loop",
            "_max_unread",
            "_paused_at",
            "_pieces",
            "_reader",
            "_received",
            "_remaining",
            "_source",
        ),
        *("held_s", "paused", "unread", "waited_s"),
    )

    def __init__(
        self,
        source: StreamSource,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        remaining: int | None = None,
        max_unread: int = 0,
    ) -> None:
        self._clock = clock
        self.held_s = self.waited_s = self._paused_at = 0.0
        self._source: StreamSource | None = source
        self._loop = loop
        self._remaining = remaining
        self._max_unread = max_unread
        self._received = 0
        self._pieces: list[bytes] = []
        self.unread = 0
        self.paused = False
        self._ended = False
        self._error: Exception | None = None
        self._reader: asyncio.Future[None] | None = None

    async def read(self) -> bytes:
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if self._ended:
                return b""
            self._reader = self._loop.create_future()
            began = self._clock.monotonic()
            try:
                await self._reader
            except asyncio.CancelledError:
                self.close()
                raise
            finally:
                self._reader = None
                self.waited_s += self._clock.monotonic() - began
        pieces = self._pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self.unread = 0
        if self.paused:
            self._resumed()
            if self._source is not None:
                self._source.resume()
        return data

    def close(self) -> None:
        source, self._source = self._source, None
        if source is None:
            return
        self._resumed()
        self._pieces.clear()
        self.unread = 0
        self._error = GatewayError(UPSTREAM_INCOMPLETE, cause="the reply was given up by its reader")
        source.abandon()

    def feed(self, data: bytes) -> None:
        self._pieces.append(data)
        self.unread += len(data)
        self._received += len(data)
        if self.unread > PAUSE_BYTES and not self.paused and self._source is not None and not self._fits():
            self.paused = True
            self._paused_at = self._clock.monotonic()
            self._source.pause()
        self._wake()

    def _fits(self) -> bool:
        """Return whether the unread bytes and the rest of the reply, as far as known, may be kept in memory."""
        if self._remaining is None:
            return self._received <= self._max_unread
        return self.unread + self._remaining - self._received <= self._max_unread

    def end(self, data: bytes) -> None:
        """Add `data`, the last piece. The connection is then free for another call."""
        self._source = None
        if data:
            self._pieces.append(data)
            self.unread += len(data)
        self._ended = True
        self._wake()

    def fail(self, error: Exception) -> None:
        """Fail the stream: received bytes can still be read, and after them `error` is raised."""
        self._source = None
        self._resumed()
        if self._error is None:
            self._error = error
        self._wake()

    def _resumed(self) -> None:
        if self.paused:
            self.paused = False
            self.held_s += self._clock.monotonic() - self._paused_at

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
