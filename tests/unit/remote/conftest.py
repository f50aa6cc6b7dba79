"""What is written against sockets is tested on both event loops: uvloop is what runs, asyncio is what is documented."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
import uvloop

from gateway.kernel.clock import Clock
from gateway.remote.target import Target
from gateway.remote.tls import TLS, ssl_context
from tests.metered import Gateway
from tests.redis_server import RedisServer
from tests.unit.remote.calls import Make
from tests.unit.remote.watched import GENEROUS_S, Watch, Watched

ON_BOTH_LOOPS = ("test_alarm", "test_connection", "test_dial", "test_look", "test_rounds", "test_target", "test_upload", "test_upstream")


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    both = item.path.name.startswith(ON_BOTH_LOOPS)
    return {"uvloop": uvloop.new_event_loop} | ({"asyncio": asyncio.new_event_loop} if both else {})


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    made: list[Target] = []

    def target(url: str, tls: TLS | None = None, **changed: Any) -> Target:
        context = ssl_context(tls or TLS()) if url.startswith("https:") else None
        settings: dict[str, Any] = {"max_connections": 4, "max_pending": 4, "idle_timeout_s": 30.0, "server_name": None} | changed
        made.append(Target("orders", url, context=context, clock=Clock(time.monotonic, time.time), **settings))
        return made[-1]

    yield target
    for each in made:
        await each.close()
        assert (each.idle, each.active, each.pending) == (0, 0, 0)


@pytest.fixture
async def gateway(redis_server: RedisServer) -> AsyncIterator[Gateway]:
    """What a gateway knows of quotas, beside a Redis that is empty."""
    async with Gateway(redis_server.url) as gateway:
        yield gateway


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
