"""Notifications of changes of keys in Redis, over a connection of its own, which is made again whenever it is lost.

A notification only means that there are changes to ask for. When one is lost, they are found by the next poll.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from itertools import cycle

import hiredis

from gateway.net.redis_url import parse, server_url
from gateway.redis_client.address import RedisAddress, RedisConnectionError, RedisEndpoint
from gateway.redis_client.availability import Availability
from gateway.redis_client.connection import pack
from gateway.redis_client.sentinel import SentinelAddress

SETUP_TIMEOUT_S = 1.0


def addresses_of(url: str) -> Sequence[RedisEndpoint]:
    """Return where notifications can be received: from any node of a Cluster.

    Raises ValueError for a URL that cannot be used.
    """
    parsed = parse(url)
    if parsed.kind == "cluster":
        return [RedisAddress(server_url(parsed, *host)) for host in parsed.hosts]
    return [SentinelAddress(parsed) if parsed.kind == "sentinel" else RedisAddress(url)]


class KeyNotifications:
    """Subscribes to `channel` at one of `addresses`."""

    def __init__(self, addresses: Sequence[RedisEndpoint], channel: str) -> None:
        self._addresses = cycle(addresses)
        self._command = pack(b"SUBSCRIBE", channel.encode())

    async def listen(self, on_notification: Callable[[], None], on_refusal: Callable[[str], None]) -> None:
        """Listen until cancelled.

        `on_notification` is called for each message, and at the start, as some may be missed.

        `on_refusal` gets the reason each time that Redis answers and refuses the subscription.
        """
        pace = Availability()
        while True:
            with contextlib.suppress(RedisConnectionError):  # the limiter reports that Redis is away
                await self._listen_once(pace, on_notification, on_refusal)
            await asyncio.sleep(pace.delay_s())

    async def _listen_once(
        self, pace: Availability, on_notification: Callable[[], None], on_refusal: Callable[[str], None]
    ) -> None:
        writer = await next(self._addresses).open(SETUP_TIMEOUT_S)
        subscription = _Subscription(on_notification, pace.reached, on_refusal)
        writer.transport.set_protocol(subscription)
        writer.transport.write(self._command)
        try:
            await subscription.ended.wait()
        finally:
            writer.transport.abort()


class _Subscription(asyncio.Protocol):
    """A subscribed connection."""

    def __init__(
        self, on_message: Callable[[], None], on_accepted: Callable[[], None], on_refusal: Callable[[str], None]
    ) -> None:
        self.ended = asyncio.Event()
        self._on_message = on_message
        self._on_accepted = on_accepted
        self._on_refusal = on_refusal
        self._reader = hiredis.Reader(protocolError=RedisConnectionError, replyError=RedisConnectionError)

    def data_received(self, data: bytes) -> None:
        try:
            self._reader.feed(data)
            while (message := self._reader.gets()) is not False:
                if isinstance(message, RedisConnectionError):
                    self._on_refusal(str(message))
                    self.ended.set()
                    return
                self._on_accepted()
                self._on_message()
        except RedisConnectionError:
            self.ended.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self.ended.set()
