"""A Redis of any kind as its users see it: they send commands and get replies, whichever server makes them."""

from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeAlias

from gateway.net.redis_url import parse
from gateway.redis_client.address import RedisAddress, RedisEndpoint
from gateway.redis_client.cluster import RedisCluster
from gateway.redis_client.connection import PendingReply, RedisReply
from gateway.redis_client.sentinel import SentinelAddress
from gateway.redis_client.server import RedisServer
from gateway.redis_client.status import RedisServerStatus, StateListener


class RedisStore(Protocol):
    """`start` before the first call, `close` after the last."""

    @property
    def address(self) -> object:
        """The address, whose string is for operators and holds no secret."""
        ...

    def servers(self) -> list[RedisServerStatus]:
        """Return the state of each known server, for operators."""
        ...

    async def start(self) -> None:
        """Connect. Returns when Redis was reached or found away: after a few seconds at most."""
        ...

    async def close(self) -> None:
        """Cut all connections. Calls in flight and later ones fail."""
        ...

    async def call(self, command: bytes, tag: str) -> RedisReply:
        """Return the reply, or a RedisConnectionError for why there is none.

        `tag` is the hash tag of all keys of `command`.
        """
        ...

    def send(self, command: bytes, tag: str, waiter: PendingReply | None = None, /) -> PendingReply:
        """Return what `call` waits for: `waiter`, or a new one.

        It is done already when it is known that there will be no reply.
        """
        ...


def redis_store(
    url: str,
    timeout_s: float,
    scripts: tuple[bytes, ...],
    probe_of: Callable[[str], bytes],
    on_state: StateListener,
) -> RedisStore:
    """Return a store that is not connected yet.

    See RedisServer for the parameters; `probe_of` makes a hash tag's probe.

    Raises ValueError for a URL that cannot be used.
    """
    parsed = parse(url)
    if parsed.kind == "cluster":
        return RedisCluster(parsed, timeout_s, scripts, probe_of, on_state)
    address: RedisEndpoint = SentinelAddress(parsed) if parsed.kind == "sentinel" else RedisAddress(url)
    return RedisServer(address, timeout_s, scripts, lambda: probe_of("probe"), on_state)


RedisCall: TypeAlias = Callable[[bytes, str], Coroutine[Any, Any, RedisReply]]
"""`RedisStore.call`."""
