"""keystore/notifications.py: messages arrive, over one connection after another."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.keystore.notifications import KeyNotifications, _Subscription, addresses_of
from tests.fakes import until
from tests.redis_cluster import RedisCluster
from tests.redis_sentinels import RedisSentinels
from tests.redis_server import RedisProcess

CHANNEL = "gw:1:{keys}:changed"


class Ear:
    def __init__(self) -> None:
        self.heard = 0
        self.refusals: list[str] = []

    def hear(self) -> None:
        self.heard += 1

    async def hears(self, more: int) -> None:
        goal = self.heard + more
        await until(lambda: self.heard >= goal)


@asynccontextmanager
async def listening(url: str) -> AsyncIterator[Ear]:
    """From when it listens."""
    ear = Ear()
    task = asyncio.ensure_future(KeyNotifications(addresses_of(url), CHANNEL).listen(ear.hear, ear.refusals.append))
    await ear.hears(1)
    yield ear
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def test_each_message_is_heard(redis_server: RedisProcess) -> None:
    async with listening(redis_server.url) as ear:
        for _ in range(3):
            assert redis_server.ask("PUBLISH", CHANNEL, "") == 1
        await ear.hears(3 - ear.heard + 1)
        assert redis_server.ask("PUBLISH", "another", "") == 0
    await until(lambda: redis_server.ask("PUBSUB", "NUMSUB", CHANNEL)[1] == 0)


@pytest.mark.parametrize("how", ["killed", "restarted"])
async def test_a_connection_that_is_lost_is_made_again_and_that_is_a_notice(
    redis_server: RedisProcess, how: str
) -> None:
    async with listening(redis_server.url) as ear:
        if how == "killed":
            redis_server.ask("CLIENT", "KILL", "TYPE", "pubsub")
        else:
            redis_server.kill()
            redis_server.start()
        await ear.hears(1)
        redis_server.ask("PUBLISH", CHANNEL, "")
        await ear.hears(1)


async def test_a_refused_subscription_is_reported_and_tried_again(redis_server: RedisProcess) -> None:
    redis_server.ask("ACL", "SETUSER", "default", "-subscribe")
    ear = Ear()
    task = asyncio.ensure_future(
        KeyNotifications(addresses_of(redis_server.url), CHANNEL).listen(ear.hear, ear.refusals.append)
    )
    await until(lambda: redis_server.ask("INFO", "stats")["total_connections_received"] > 3)
    assert ear.heard == 0
    assert ear.refusals[0].startswith("NOPERM")
    redis_server.ask("ACL", "SETUSER", "default", "+subscribe")
    await ear.hears(1)
    task.cancel()
    await asyncio.wait([task])


async def test_in_a_cluster_it_hears_from_any_node(calm_cluster: RedisCluster) -> None:
    async with listening(calm_cluster.url) as ear:
        calm_cluster.primaries[2].ask("PUBLISH", CHANNEL, "")
        await ear.hears(1)


async def test_behind_sentinels_it_hears_from_the_primary(calm_sentinels: RedisSentinels) -> None:
    async with listening(calm_sentinels.url) as ear:
        calm_sentinels.primary.ask("PUBLISH", CHANNEL, "")
        await ear.hears(1)


def test_what_is_no_redis_ends_the_subscription() -> None:
    ear = Ear()
    subscription = _Subscription(ear.hear, lambda: None, ear.refusals.append)
    subscription.data_received(b"HTTP/1.1 400 Bad Request\r\n")
    assert subscription.ended.is_set()
    assert (ear.heard, ear.refusals) == (0, [])
