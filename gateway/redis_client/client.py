"""A Redis of any shape, as those who use it see it: commands go in, replies come out, and which server did it is its own affair."""

from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeAlias

from gateway.net.redis_url import parse
from gateway.redis_client.address import Address, RedisAddress
from gateway.redis_client.cluster import RedisCluster
from gateway.redis_client.connection import Reply
from gateway.redis_client.sentinel import SentinelAddress
from gateway.redis_client.server import RedisServer
from gateway.redis_client.status import Server


class RedisStore(Protocol):
    """`start` before the first call, `close` after the last."""

    @property
    def address(self) -> object:
        """As a string it is for operators, and holds no secret."""
        ...

    def servers(self) -> list[Server]:
        """Those that are known, for operators."""
        ...

    async def start(self) -> None:
        """Returns when Redis was reached, or found away: after a few seconds at most."""
        ...

    async def close(self) -> None:
        """Cut all connections. Calls in flight and later ones fail."""
        ...

    async def call(self, command: bytes, tag: str) -> Reply:
        """The reply, or the RedisConnectionError that it or the way to it is. `tag` is the hash tag of all keys of `command`."""
        ...


def redis_store(
    url: str,
    timeout_s: float,
    scripts: tuple[bytes, ...],
    probe_of: Callable[[str], bytes],
    on_state: Callable[[bool, str], None],
) -> RedisStore:
    """Not connected yet. The parameters are those of RedisServer; `probe_of` makes a probe of a hash tag.

    Raises ValueError for a URL that cannot be used.
    """
    parsed = parse(url)
    if parsed.kind == "cluster":
        return RedisCluster(parsed, timeout_s, scripts, probe_of, on_state)
    address: Address = SentinelAddress(parsed) if parsed.kind == "sentinel" else RedisAddress(url)
    return RedisServer(address, timeout_s, scripts, lambda: probe_of("probe"), on_state)


Call: TypeAlias = Callable[[bytes, str], Coroutine[Any, Any, Reply]]
"""`RedisStore.call`."""
