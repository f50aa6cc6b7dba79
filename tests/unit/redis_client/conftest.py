"""A Redis server as a gateway watches it."""

from collections.abc import AsyncIterator

import pytest

from tests.unit.redis_client.watched import GENEROUS_S, Watch, Watched


@pytest.fixture
async def watch() -> AsyncIterator[Watch]:
    started: list[Watched] = []

    async def watch(url: str, timeout_s: float = GENEROUS_S) -> Watched:
        watched = Watched(url, timeout_s)
        started.append(watched)
        await watched.node.start()
        return watched

    yield watch
    for each in started:
        await each.node.close()
