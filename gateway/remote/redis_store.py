"""A Redis of any shape, as those who use it see it: commands go in, replies come out, and which server did it is its own affair."""

from collections.abc import Callable
from typing import Protocol

from gateway.kernel.redis_url import parse
from gateway.remote.limiter import Server
from gateway.remote.redis_address import Address, RedisAddress
from gateway.remote.redis_cluster import RedisCluster
from gateway.remote.redis_link import Reply
from gateway.remote.redis_node import RedisNode
from gateway.remote.redis_sentinel import SentinelAddress


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
        """The reply, or the LinkError that it or the way to it is. `tag` is the hash tag of all keys of `command`."""
        ...


def redis_store(
    url: str,
    timeout_s: float,
    scripts: tuple[bytes, ...],
    probe_of: Callable[[str], bytes],
    on_state: Callable[[bool, str], None],
) -> RedisStore:
    """Not connected yet. The parameters are those of RedisNode; `probe_of` makes a probe of a hash tag.

    Raises ValueError for a URL that cannot be used.
    """
    parsed = parse(url)
    if parsed.kind == "cluster":
        return RedisCluster(parsed, timeout_s, scripts, probe_of, on_state)
    address: Address = SentinelAddress(parsed) if parsed.kind == "sentinel" else RedisAddress(url)
    return RedisNode(address, timeout_s, scripts, lambda: probe_of("probe"), on_state)
