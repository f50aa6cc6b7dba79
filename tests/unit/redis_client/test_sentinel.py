"""redis_client/sentinel.py: the primary is found, lost and found again elsewhere, while calls come."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.kernel.limits.token_bucket import claim
from gateway.net.redis_url import parse
from gateway.redis_client.address import RedisConnectionError
from gateway.redis_client.sentinel import SentinelAddress
from tests.limiter_load import AGAIN_WITHIN_S, FEW, MANY, Load, limited, until
from tests.redis_sentinels import RedisSentinels, Sentinel
from tests.redis_server import RedisProcess, wait_until

LOSSES: dict[str, Callable[[RedisSentinels], object]] = {
    "killed": lambda servers: servers.primary.kill(),
    "hung": lambda servers: servers.primary.hang(),
    "asked to": lambda servers: servers.sentinels[1].ask("SENTINEL", "FAILOVER", "main"),
}
"""How a primary stops being one."""


@pytest.mark.parametrize("how", LOSSES)
async def test_no_call_fails_in_a_failover_and_counting_is_shared_again(
    redis_sentinels: RedisSentinels, how: str
) -> None:
    async with limited(redis_sentinels.url) as (limiter, states), Load(limiter).running() as load:
        await load.decided_by("redis")
        assert [(await limiter.decide(claim("few", FEW))).allowed for _ in range(3)] == [True] * 3
        await asyncio.to_thread(redis_sentinels.primary.ask, "WAIT", 1, 5000)
        LOSSES[how](redis_sentinels)
        await asyncio.to_thread(wait_until, redis_sentinels.is_promoted)
        promoted_at = time.monotonic()
        await until(lambda: f"{redis_sentinels.replica.port}) up" in repr(limiter))
        assert await load.all_decided_by("redis") - promoted_at < AGAIN_WITHIN_S
        assert states in ([True], [True, False, True])
        assert (await limiter.decide(claim("few", FEW, 0))).states[0].remaining == 2
        redis_sentinels.primary.go_on()
        await load.decided_by("redis")
    keys = {key for key in redis_sentinels.replica.ask("KEYS", "*") if b"caller" in key}
    assert len(keys) == 16


async def test_one_sentinel_that_answers_is_enough(calm_sentinels: RedisSentinels) -> None:
    hung = calm_sentinels.sentinels[:2]
    for sentinel in hung:
        sentinel.hang()
    async with limited(calm_sentinels.url) as (limiter, states):
        assert states == [True]
        assert repr(limiter) == f"<RedisLimiter main (127.0.0.1:{calm_sentinels.primary.port}) up, 0 in flight>"
        assert (await limiter.decide(claim("caller", MANY))).store == "redis"
    for sentinel in hung:
        sentinel.go_on()


async def reason(url: str) -> str:
    with pytest.raises(RedisConnectionError) as raised:
        await SentinelAddress(parse(url)).open(1.0)
    assert "s3cret" not in str(raised.value)
    return raised.value.reason


async def test_a_service_that_no_sentinel_knows_and_sentinels_that_are_not_there(
    tmp_path: Path, redis_server: RedisProcess
) -> None:
    sentinel = Sentinel(tmp_path / "", redis_server.port)
    sentinel.start()
    try:
        assert await reason(f"redis+sentinel://127.0.0.1:{sentinel.port}/other") == "no-primary"
        assert await reason(f"redis+sentinel://:s3cret@127.0.0.1:{sentinel.port}/main") == "WRONGPASS"
    finally:
        sentinel.kill()
    assert await reason(f"redis+sentinel://:s3cret@127.0.0.1:{sentinel.port}/main") == "no-primary"
    assert await reason(f"redis+sentinel://127.0.0.1:{redis_server.port}/main") == "ERR"


async def test_sentinels_have_a_password_of_their_own(tmp_path: Path, redis_server: RedisProcess) -> None:
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
