"""Callers who ask a limiter all the time, while a test takes its Redis away."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from gateway.kernel.clock import Clock
from gateway.kernel.limits.token_bucket import Window, claim
from gateway.limiter.redis_limiter import RedisLimiter

CLOCK = Clock(time.monotonic, time.time)
MANY = (Window("year", 1_000_000, 31_536_000_000_000, None),)
"""So slow that no token comes back while a test runs: what is used in Redis is what was admitted."""
FEW = (Window("day", 5, 86_400_000_000, "Day"),)
BUDGET_S = 0.2
PACE_S = 0.01
"""Between two calls of one caller: the servers need the processor too."""
AGAIN_WITHIN_S = 5.0
"""Of the new primary, counting is shared again."""
WAIT_S = 20.0


class Load:
    """What 16 callers were told who never come near their limit: `stores` of all, `last` store of each."""

    def __init__(self, limiter: RedisLimiter, windows: tuple[Window, ...] = MANY) -> None:
        self.limiter = limiter
        self.stores: Counter[str] = Counter()
        self.last: dict[str, str] = {}
        self._windows = windows
        self._over = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Load"]:
        """A call that fails or is refused ends the test."""
        async with asyncio.TaskGroup() as group:
            for number in range(16):
                group.create_task(self._call(f"caller{number}"))
            try:
                yield self
            finally:
                self._over.set()

    async def decided_by(self, store: str, more: int = 50) -> float:
        """Returns the time when so many more calls were decided by `store`."""
        goal = self.stores[store] + more
        await until(lambda: self.stores[store] >= goal)
        return time.monotonic()

    async def all_decided_by(self, store: str) -> float:
        """Returns the time when the last call of each caller was decided by `store`."""
        self.last.clear()
        await until(lambda: len(self.last) == 16 and set(self.last.values()) == {store})
        return time.monotonic()

    async def _call(self, bucket: str) -> None:
        while not self._over.is_set():
            decision = await self.limiter.decide(claim(bucket, self._windows))
            assert decision.allowed
            self.stores[decision.store] += 1
            self.last[bucket] = decision.store
            with suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), PACE_S)


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while True:
            await asyncio.sleep(0)
            if reached():
                return


@asynccontextmanager
async def limited(url: str) -> AsyncIterator[tuple[RedisLimiter, list[bool]]]:
    """A limiter that counts here while Redis is away, and what it said of the state of Redis."""
    states: list[bool] = []
    limiter = RedisLimiter(url, "gw", BUDGET_S, "local", CLOCK, lambda up, reason: states.append(up))
    await limiter.start()
    try:
        yield limiter, states
    finally:
        await limiter.close()
