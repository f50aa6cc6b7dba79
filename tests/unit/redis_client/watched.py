"""A node of Redis, and what it says of its state."""

import asyncio
from collections.abc import Awaitable, Callable

from gateway.kernel.limits.token_bucket import Window, claim
from gateway.limiter.redis_limiter import PROBE, SCRIPT, command
from gateway.redis_client.address import RedisAddress
from gateway.redis_client.connection import RedisReply
from gateway.redis_client.server import RedisServer

GENEROUS_S = 5.0
WAIT_S = 20.0
CALL = command("gw", claim("caller", (Window("day", 1000, 86_400_000_000, None),)))


class Watched:
    """A node, and what it said of its state."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self.states: list[tuple[bool, str]] = []
        self._changed = asyncio.Event()
        self.node = RedisServer(RedisAddress(url), timeout_s, (SCRIPT,), lambda: command("gw", PROBE), self._on_state)

    def _on_state(self, *, up: bool, reason: str) -> None:
        self.states.append((up, reason.partition(" ")[0].rstrip(":")))
        self._changed.set()

    async def becomes(self, *, up: bool) -> None:
        async with asyncio.timeout(WAIT_S):
            while not self.states or self.states[-1][0] is not up:
                self._changed.clear()
                await self._changed.wait()

    async def call(self) -> RedisReply:
        return await self.node.call(CALL)

    async def answers(self) -> bool:
        return isinstance(await self.call(), list)


Watch = Callable[..., Awaitable[Watched]]
