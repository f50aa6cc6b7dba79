"""remote/redis_sentinel.py: the primary is found, lost and found again elsewhere, while calls come."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from gateway.kernel.bucket import Decision, Window
from gateway.kernel.clock import Clock
from gateway.kernel.redis_url import parse
from gateway.remote.redis_address import LinkError
from gateway.remote.redis_limiter import RedisLimiter
from gateway.remote.redis_sentinel import SentinelAddress
from tests.redis_sentinels import RedisSentinels, Sentinel
from tests.redis_server import RedisServer, wait_until

CLOCK = Clock(time.monotonic, time.time)
DAY = (Window("day", 1_000_000, 86_400_000_000, "Day"),)
FEW = (Window("day", 5, 86_400_000_000, "Day"),)
BUDGET_S = 0.2
PACE_S = 0.005
"""Between two calls of one caller: the servers need the processor too."""
AGAIN_WITHIN_S = 5.0
WAIT_S = 20.0


class Load:
    """Callers who ask without a pause; what they were told."""

    def __init__(self, limiter: RedisLimiter) -> None:
        self.limiter = limiter
        self.stores: Counter[str] = Counter()
        self.last: Decision | None = None
        self._over = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Load"]:
        async with asyncio.TaskGroup() as group:
            for number in range(8):
                group.create_task(self._call(f"caller{number}"))
            try:
                yield self
            finally:
                self._over.set()

    async def told_by(self, store: str, more: int = 20) -> float:
        """Returns the time when so many more calls were decided by `store`."""
        goal = self.stores[store] + more
        await until(lambda: self.stores[store] >= goal)
        return time.monotonic()

    async def _call(self, bucket: str) -> None:
        while not self._over.is_set():
            decision = await self.limiter.decide(bucket, DAY)
            assert decision.allowed
            self.stores[decision.store] += 1
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
    states: list[bool] = []
    limiter = RedisLimiter(url, "gw", BUDGET_S, "local", CLOCK, lambda up, reason: states.append(up))
    await limiter.start()
    try:
        yield limiter, states
    finally:
        await limiter.close()


LOSSES: dict[str, Callable[[RedisSentinels], object]] = {
    "killed": lambda servers: servers.primary.kill(),
    "hung": lambda servers: servers.primary.hang(),
    "asked to": lambda servers: servers.sentinels[1].ask("SENTINEL", "FAILOVER", "main"),
}
"""How a primary stops being one."""


@pytest.mark.parametrize("how", LOSSES)
async def test_no_call_fails_in_a_failover_and_counting_is_shared_again(redis_sentinels: RedisSentinels, how: str) -> None:
    async with limited(redis_sentinels.url) as (limiter, states), Load(limiter).running() as load:
        await load.told_by("redis")
        assert [(await limiter.decide("few", FEW)).allowed for _ in range(3)] == [True] * 3
        await asyncio.to_thread(redis_sentinels.primary.ask, "WAIT", 1, 5000)
        LOSSES[how](redis_sentinels)
        await asyncio.to_thread(wait_until, redis_sentinels.is_promoted)
        promoted_at = time.monotonic()
        await until(lambda: f"{redis_sentinels.replica.port}) up" in repr(limiter))
        assert await load.told_by("redis", 200) - promoted_at < AGAIN_WITHIN_S
        assert states in ([True], [True, False, True])
        assert (await limiter.decide("few", FEW, 0)).states[0].remaining == 2
        redis_sentinels.primary.go_on()
        await load.told_by("redis")
    keys = {key for key in redis_sentinels.replica.ask("KEYS", "*") if b"caller" in key}
    assert len(keys) == 8


async def test_one_sentinel_that_answers_is_enough(redis_sentinels: RedisSentinels) -> None:
    redis_sentinels.sentinels[0].hang()
    redis_sentinels.sentinels[1].kill()
    async with limited(redis_sentinels.url) as (limiter, states):
        assert states == [True]
        assert repr(limiter) == f"<RedisLimiter main (127.0.0.1:{redis_sentinels.primary.port}) up, 0 in flight>"
        assert (await limiter.decide("caller", DAY)).store == "redis"


async def reason(url: str) -> str:
    with pytest.raises(LinkError) as raised:
        await SentinelAddress(parse(url)).open(1.0)
    assert "s3cret" not in str(raised.value)
    return raised.value.reason


async def test_a_service_that_no_sentinel_knows_and_sentinels_that_are_not_there(tmp_path: Path, redis_server: RedisServer) -> None:
    sentinel = Sentinel(tmp_path / "", redis_server.port)
    sentinel.start()
    try:
        assert await reason(f"redis+sentinel://127.0.0.1:{sentinel.port}/other") == "no-primary"
        assert await reason(f"redis+sentinel://:s3cret@127.0.0.1:{sentinel.port}/main") == "WRONGPASS"
    finally:
        sentinel.kill()
    assert await reason(f"redis+sentinel://:s3cret@127.0.0.1:{sentinel.port}/main") == "no-primary"
    assert await reason(f"redis+sentinel://127.0.0.1:{redis_server.port}/main") == "ERR"


async def test_sentinels_have_a_password_of_their_own(tmp_path: Path, redis_server: RedisServer) -> None:
    redis_server.ask("CONFIG", "SET", "requirepass", "primary's")
    sentinel = Sentinel(tmp_path, redis_server.port)
    sentinel.start()
    try:
        sentinel.ask("SENTINEL", "SET", "main", "auth-pass", "primary's")
        sentinel.ask("ACL", "SETUSER", "default", ">s3cret")
        url = f"redis+sentinel://:primary%27s@127.0.0.1:{sentinel.port}/main/3"
        assert await reason(url) == "no-primary"
        writer = await SentinelAddress(parse(f"{url}?sentinel_username=default&sentinel_password=s3cret")).open(5.0)
        writer.close()
    finally:
        sentinel.kill()


def test_parameters_that_nobody_knows() -> None:
    with pytest.raises(ValueError, match="unknown parameter"):
        SentinelAddress(parse("redis+sentinel://a/main?colour=red"))
