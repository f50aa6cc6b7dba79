"""Hearing at once that keys in Redis were changed: a connection of its own that is told so, made again whenever it is lost.

A notice only says that there is something to ask for, and one that is lost delays it to the next time that somebody asks anyway.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from itertools import cycle

import hiredis

from gateway.net.redis_url import parse, server_url
from gateway.redis_client.address import Address, RedisAddress, RedisConnectionError
from gateway.redis_client.availability import Availability
from gateway.redis_client.connection import pack
from gateway.redis_client.sentinel import SentinelAddress

SETUP_TIMEOUT_S = 1.0


def addresses_of(url: str) -> Sequence[Address]:
    """Where one can hear of changes: anywhere in a Cluster. Raises ValueError for a URL that cannot be used."""
    parsed = parse(url)
    if parsed.kind == "cluster":
        return [RedisAddress(server_url(parsed, *host)) for host in parsed.hosts]
    return [SentinelAddress(parsed) if parsed.kind == "sentinel" else RedisAddress(url)]


class KeyNotices:
    """Messages on `channel` at one of `addresses`."""

    def __init__(self, addresses: Sequence[Address], channel: str) -> None:
        self._addresses = cycle(addresses)
        self._command = pack(b"SUBSCRIBE", channel.encode())

    async def listen(self, on_notice: Callable[[], None], on_refusal: Callable[[str], None]) -> None:
        """Until it is cancelled. `on_notice` is called for each message, and when it begins to listen: it may have missed some.

        `on_refusal` is told why, each time that Redis is there and does not let it listen.
        """
        pace = Availability()
        while True:
            with contextlib.suppress(RedisConnectionError):  # that Redis is away is said by those who need it
                await self._listen_once(pace, on_notice, on_refusal)
            await asyncio.sleep(pace.delay_s())

    async def _listen_once(self, pace: Availability, on_notice: Callable[[], None], on_refusal: Callable[[str], None]) -> None:
        writer = await next(self._addresses).open(SETUP_TIMEOUT_S)
        line = _Line(on_notice, pace.close, on_refusal)
        writer.transport.set_protocol(line)
        writer.transport.write(self._command)
        try:
            await line.ended.wait()
        finally:
            writer.transport.abort()


class _Line(asyncio.Protocol):
    """A connection that says something now and then."""

    def __init__(self, on_words: Callable[[], None], on_good: Callable[[], None], on_refusal: Callable[[str], None]) -> None:
        self.ended = asyncio.Event()
        self._on_words = on_words
        self._on_good = on_good
        self._on_refusal = on_refusal
        self._reader = hiredis.Reader(protocolError=RedisConnectionError, replyError=RedisConnectionError)

    def data_received(self, data: bytes) -> None:
        try:
            self._reader.feed(data)
            while (said := self._reader.gets()) is not False:
                if isinstance(said, RedisConnectionError):
                    self._on_refusal(str(said))
                    self.ended.set()
                    return
                self._on_good()
                self._on_words()
        except RedisConnectionError:
            self.ended.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self.ended.set()
