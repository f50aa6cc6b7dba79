"""A gateway's quotas beside a Redis of their own."""

from collections.abc import AsyncIterator

import pytest

from tests.quota_limiter import Gateway
from tests.redis_server import RedisProcess


@pytest.fixture
async def gateway(redis_server: RedisProcess) -> AsyncIterator[Gateway]:
    """What a gateway knows of quotas, beside a Redis that is empty."""
    async with Gateway(redis_server.url) as gateway:
        yield gateway
