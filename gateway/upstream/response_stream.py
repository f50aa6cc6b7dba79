"""The part of a reply's body that arrives after its Answer was made.

Law: how long a client takes holds the service only as far as it must. What is left of a reply is taken at once when it fits with
what is unread already; of a longer one a little is, and the service waits.
"""

import asyncio
from typing import Protocol

from gateway.kernel.clock import Clock
from gateway.kernel.faults import UPSTREAM_INCOMPLETE, GatewayError

PAUSE_BYTES = 256 * 1024
"""Unread bytes of a long reply at which the connection stops reading from its socket."""


class Source(Protocol):
    """The connection that a stream is fed from."""

    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def abandon(self) -> None: ...


class ReplyStream:
    """An `UpstreamStream` (gateway.upstream.call) fed by one connection and read by one task.

    `left` is how many bytes are to come, None when nobody knows; `most` is how many unread ones are taken of what fits.
    `unread` counts them. `paused` says that the connection was asked not to read on.
    """

    __slots__ = (
        *("_clock", "_ended", "_error", "_left", "_loop", "_most", "_paused_at", "_pieces", "_reader", "_received", "_source"),
        *("held_s", "paused", "unread", "waited_s"),
    )

    def __init__(self, source: Source, clock: Clock, loop: asyncio.AbstractEventLoop, left: int | None = None, most: int = 0) -> None:
        self._clock = clock
        self.held_s = self.waited_s = self._paused_at = 0.0
        self._source: Source | None = source
        self._loop = loop
        self._left = left
        self._most = most
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
            self._go_on()
            if self._source is not None:
                self._source.resume()
        return data

    def close(self) -> None:
        source, self._source = self._source, None
        if source is None:
            return
        self._go_on()
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
        """Whether what is unread and all that is left may be held, as far as anybody knows."""
        if self._left is None:
            return self._received <= self._most
        return self.unread + self._left - self._received <= self._most

    def end(self, data: bytes) -> None:
        """`data` is the last of it. The connection is free."""
        self._source = None
        if data:
            self._pieces.append(data)
            self.unread += len(data)
        self._ended = True
        self._wake()

    def fail(self, error: Exception) -> None:
        """What had arrived can still be read; then `error` is raised."""
        self._source = None
        self._go_on()
        if self._error is None:
            self._error = error
        self._wake()

    def _go_on(self) -> None:
        if self.paused:
            self.paused = False
            self.held_s += self._clock.monotonic() - self._paused_at

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
