"""reuse/idempotency_store.py: what every store of records does, and what Redis is given."""

from collections.abc import AsyncIterator

import pytest

from gateway.redis_client.address import RedisConnectionError
from gateway.redis_client.client import RedisStore, redis_store
from gateway.reuse.idempotency_store import (
    SCRIPT,
    IdempotencyStore,
    MemoryIdempotencyStore,
    RedisIdempotencyStore,
)
from tests.cached_gateway import Time
from tests.redis_server import RedisProcess

OWN, OTHER = b"\0own", b"\0other"


@pytest.fixture
async def connection(redis_server: RedisProcess) -> AsyncIterator[RedisStore]:
    store = redis_store(redis_server.url, 5.0, (SCRIPT,), lambda tag: b"*1\r\n$4\r\nPING\r\n", lambda up, reason: None)
    await store.start()
    yield store
    await store.close()


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest) -> IdempotencyStore:
    if request.param == "memory":
        return MemoryIdempotencyStore(lambda: 1.0)
    return RedisIdempotencyStore(request.getfixturevalue("connection").call, "gw")


async def test_the_first_holds_a_name_and_the_second_sees_it(store: IdempotencyStore) -> None:
    assert await store.begin("a", OWN, b"asked", 60.0) is None
    assert await store.begin("a", OTHER, b"other", 60.0) == OWN + b"asked"
    assert await store.begin("b", OTHER, b"other", 60.0) is None


async def test_only_the_holder_finishes_and_frees(store: IdempotencyStore) -> None:
    await store.begin("a", OWN, b"asked", 60.0)
    await store.finish("a", OTHER, b"wrong", 60.0)
    await store.free("a", OTHER)
    assert await store.begin("a", OTHER, b"", 60.0) == OWN + b"asked"
    await store.finish("a", OWN, b"done", 60.0)
    await store.free("a", OWN)
    assert await store.begin("a", OTHER, b"", 60.0) == b"done"
    await store.begin("b", OWN, b"asked", 60.0)
    await store.free("b", OWN)
    assert await store.begin("b", OTHER, b"", 60.0) is None
    await store.finish("nobody", OWN, b"done", 60.0)
    await store.free("nobody", OWN)
    assert await store.begin("nobody", OTHER, b"", 60.0) is None


async def test_redis_forgets_after_the_time(connection: RedisStore, redis_server: RedisProcess) -> None:
    store = RedisIdempotencyStore(connection.call, "gw")
    await store.begin("a", OWN, b"asked", 30.0)
    assert 29_000 < redis_server.ask("PTTL", "gw:1:{a}:idempotency") <= 30_000
    await store.finish("a", OWN, b"done", 3600.0)
    assert 3_599_000 < redis_server.ask("PTTL", "gw:1:{a}:idempotency") <= 3_600_000


async def test_a_store_that_is_away_says_so(connection: RedisStore) -> None:
    await connection.close()
    with pytest.raises(RedisConnectionError):
        await RedisIdempotencyStore(connection.call, "gw").begin("a", OWN, b"", 1.0)


async def test_memory_forgets_after_the_time_and_what_is_oldest() -> None:
    time = Time()
    store = MemoryIdempotencyStore(time.clock.monotonic, max_bytes=2000)
    await store.begin("a", OWN, b"asked", 30.0)
    time.now_s += 30
    assert await store.begin("a", OTHER, b"asked", 30.0) is None
    for number in range(5):
        await store.begin(f"{number}", OWN, b"x" * 200, 30.0)
    assert repr(store) == f"<MemoryIdempotencyStore 3 records, {store.bytes} bytes>"
    assert store.bytes <= 2000
    assert await store.begin("0", OTHER, b"", 30.0) is None
    assert await store.begin("4", OTHER, b"", 30.0) is not None
