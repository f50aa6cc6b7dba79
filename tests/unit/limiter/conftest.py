"""A gateway's quotas, and its limits, beside a Redis of their own."""

from collections.abc import AsyncIterator

import pytest

from gateway.limiter.redis_limiter import RedisLimiter
from tests.quota_limiter import CLOCK, GENEROUS_S, Gateway
from tests.redis_server import RedisProcess


@pytest.fixture
async def gateway(redis_server: RedisProcess) -> AsyncIterator[Gateway]:
    """What a gateway knows of quotas, beside a Redis that is empty."""
    async with Gateway(redis_server.url) as gateway:
        yield gateway


@pytest.fixture
async def limiter(redis_server: RedisProcess) -> AsyncIterator[RedisLimiter]:
    """What decides about rates in a Redis that is empty."""
    limiter = RedisLimiter(redis_server.url, "gw", GENEROUS_S, "local", CLOCK)
    await limiter.start()
    yield limiter
    await limiter.close()
