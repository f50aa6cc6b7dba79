"""limiter/heartbeat.py: gateways count one another."""

from collections.abc import AsyncIterator

import pytest

from gateway.limiter.heartbeat import ALIVE_S, BEAT_S, BEATS_REMEMBERED, SCRIPT, GatewayHeartbeat
from gateway.redis_client.address import RedisConnectionError
from gateway.redis_client.client import RedisStore, redis_store
from gateway.redis_client.connection import RedisReply
from gateway.redis_client.server import AWAY
from tests.redis_server import RedisProcess

KEY = "gw:1:gateways"


@pytest.fixture
async def store(redis_server: RedisProcess) -> AsyncIterator[RedisStore]:
    store = redis_store(redis_server.url, 5.0, (SCRIPT,), lambda tag: b"*1\r\n$4\r\nPING\r\n", lambda up, reason: None)
    await store.start()
    yield store
    await store.close()


async def test_each_counts_once_until_it_leaves(store: RedisStore) -> None:
    here = [GatewayHeartbeat(KEY) for _ in range(3)]
    assert [each.gateways for each in here] == [1, 1, 1]
    for _ in range(2):
        for each in here:
            assert await each.beat(store.call)
    assert [each.gateways for each in here] == [3, 3, 3]
    await here[0].leave(store.call)
    for _ in range(BEATS_REMEMBERED):
        await here[1].beat(store.call)
    assert here[1].gateways == 2


async def test_who_is_silent_is_gone_and_so_is_the_future(store: RedisStore, redis_server: RedisProcess) -> None:
    here = GatewayHeartbeat(KEY)
    await here.beat(store.call)
    now_ms = int(redis_server.ask("ZSCORE", KEY, here._id))
    for name, seen_ms in {
        "silent": now_ms - round(ALIVE_S * 1000),
        "ahead": now_ms + 3_600_000,
        "there": now_ms - 1000,
    }.items():
        redis_server.ask("ZADD", KEY, seen_ms, name)
    await here.beat(store.call)
    assert here.gateways == 2
    assert 0 < redis_server.ask("PTTL", KEY) <= ALIVE_S * 1000


async def test_what_was_known_stands_while_redis_is_away_and_a_while_after_it_forgot(
    store: RedisStore, redis_server: RedisProcess
) -> None:
    async def away(command: bytes, tag: str) -> RedisReply:
        return AWAY

    here, other = GatewayHeartbeat(KEY), GatewayHeartbeat(KEY)
    await other.beat(store.call)
    await here.beat(store.call)
    assert not await here.beat(away)
    assert here.gateways == 2
    redis_server.ask("FLUSHALL")
    for _ in range(BEATS_REMEMBERED - 1):
        await here.beat(store.call)
        assert here.gateways == 2
    await here.beat(store.call)
    assert here.gateways == 1


async def test_a_user_who_may_not_is_alone_and_harms_nobody(store: RedisStore, redis_server: RedisProcess) -> None:
    redis_server.ask("ACL", "SETUSER", "default", "-@sortedset")
    here = GatewayHeartbeat(KEY)
    assert await here.beat(store.call)
    assert here.gateways == 1
    assert not isinstance(await store.call(b"*1\r\n$4\r\nPING\r\n", ""), RedisConnectionError)


@pytest.mark.parametrize(("chance", "pause_s"), [(0.0, 0.75 * BEAT_S), (0.5, BEAT_S), (1.0, 1.25 * BEAT_S)])
def test_the_pause_is_never_the_same_for_all(chance: float, pause_s: float) -> None:
    assert GatewayHeartbeat(KEY, lambda: chance).pause_s() == pause_s


def test_more_gateways_are_assumed_until_the_next_beats() -> None:
    heartbeat = GatewayHeartbeat("gw:1:gateways")
    assert heartbeat.gateways == 1
    heartbeat.expect(3)
    assert heartbeat.gateways == 3
