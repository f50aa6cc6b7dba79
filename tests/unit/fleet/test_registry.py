"""fleet/registry.py: records in Redis that expire, and are never more than so many."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from gateway.fleet.record import GatewayRecord
from gateway.fleet.registry import ALIVE_S, LONGEST_RECORD_BYTES, MOST_GATEWAYS, SCRIPT, FleetRegistry
from gateway.redis_client.address import RedisConnectionError
from gateway.redis_client.client import RedisStore, redis_store
from gateway.redis_client.connection import RedisReply
from gateway.redis_client.server import AWAY
from tests.redis_acl import acl_rules
from tests.redis_server import RedisProcess

SEEN, RECORDS = "gw:1:{fleet}:seen", "gw:1:{fleet}:records"


def record(name: str, host: str = "h") -> GatewayRecord:
    return GatewayRecord(name, host, "10.0.0.7:9901", "1.2", "abc", 1_800_000_000.5)


@pytest.fixture
async def store(module_redis: RedisProcess) -> AsyncIterator[RedisStore]:
    module_redis.ask("FLUSHALL")
    store = redis_store(module_redis.url, 5.0, (SCRIPT,), lambda tag: b"*1\r\n$4\r\nPING\r\n", lambda up, reason: None)
    await store.start()
    yield store
    await store.close()


async def test_gateways_know_one_another_until_they_leave(store: RedisStore) -> None:
    registry = FleetRegistry(store.call, "gw")
    assert await registry.members() == []
    for each in (record("b"), record("a"), record("c", host="a-host"), record("b")):
        await registry.announce(each)
    members = await registry.members()
    assert [(each.host, each.id, each.admin) for each in members] == [
        ("a-host", "c", "10.0.0.7:9901"),
        ("h", "a", "10.0.0.7:9901"),
        ("h", "b", "10.0.0.7:9901"),
    ]
    assert all(each.age_s is not None and 0 <= each.age_s < ALIVE_S for each in members)
    assert msgspec.structs.replace(members[1], age_s=None) == record("a")
    await registry.leave("a")
    assert [each.id for each in await registry.members()] == ["c", "b"]
    assert [each.id for each in await FleetRegistry(store.call, "other").members()] == []


async def test_who_is_silent_is_gone_and_so_is_the_future(store: RedisStore, module_redis: RedisProcess) -> None:
    registry = FleetRegistry(store.call, "gw")
    for name in ("here", "silent", "ahead"):
        await registry.announce(record(name))
    now_ms = int(module_redis.ask("ZSCORE", SEEN, "here"))
    module_redis.ask("ZADD", SEEN, now_ms - round(ALIVE_S * 1000) - 1, "silent")
    module_redis.ask("ZADD", SEEN, now_ms + 3_600_000, "ahead")
    assert [each.id for each in await registry.members()] == ["here"]
    assert module_redis.ask("HKEYS", RECORDS) == [b"here"]
    assert 0 < module_redis.ask("PTTL", SEEN) <= ALIVE_S * 1000
    assert 0 < module_redis.ask("PTTL", RECORDS) <= ALIVE_S * 1000


async def test_what_no_gateway_has_written_is_passed_over(store: RedisStore, module_redis: RedisProcess) -> None:
    registry = FleetRegistry(store.call, "gw")
    await registry.announce(record("here"))
    now_ms = int(module_redis.ask("ZSCORE", SEEN, "here"))
    fake = msgspec.json.encode(record("fake"))
    no_times = {at: fake.replace(b"1800000000.5", at.encode()) for at in ("1e300", "1e13", "-1.0")}
    wrong = {
        "garbage": b"{",
        "long": b" " * LONGEST_RECORD_BYTES + b"{}",
        "other": b'{"id": 5}',
        "bytes": b'{"id":"\xff"}',
    }
    for name, content in (wrong | no_times).items():
        module_redis.ask("ZADD", SEEN, now_ms, name)
        module_redis.ask("HSET", RECORDS, name, content)
    module_redis.ask("HSET", RECORDS, "unseen", msgspec.json.encode(record("unseen")))
    assert [each.id for each in await registry.members()] == ["here"]


async def test_there_are_never_more_than_so_many(store: RedisStore, module_redis: RedisProcess) -> None:
    registry = FleetRegistry(store.call, "gw")
    await registry.announce(record("first"))
    now_ms = int(module_redis.ask("ZSCORE", SEEN, "first"))
    module_redis.ask("ZADD", SEEN, *[part for number in range(MOST_GATEWAYS - 1) for part in (now_ms, f"n{number}")])
    with pytest.raises(RedisConnectionError, match="too many gateways"):
        await registry.announce(record("one-more"))
    await registry.announce(record("first"))
    assert module_redis.ask("ZCARD", SEEN) == MOST_GATEWAYS


async def test_the_documented_rights_suffice_and_without_them_nothing_counts_as_away(
    store: RedisStore, module_redis: RedisProcess
) -> None:
    registry = FleetRegistry(store.call, "gw")
    module_redis.ask("ACL", "SETUSER", "default", *acl_rules("limits", "the fleet"), "+acl", "+ping")
    try:
        await registry.announce(record("here"))
        assert [each.id for each in await registry.members()] == ["here"]
        await registry.leave("here")
        module_redis.ask("ACL", "SETUSER", "default", "-hset")
        with pytest.raises(RedisConnectionError, match=r"can't run this command|permission"):
            await registry.announce(record("here"))
        assert not isinstance(await store.call(b"*1\r\n$4\r\nPING\r\n", ""), RedisConnectionError)
    finally:
        module_redis.ask("ACL", "SETUSER", "default", "+@all")


async def test_a_redis_that_is_away_is_an_error() -> None:
    async def away(command: bytes, tag: str) -> RedisReply:
        return AWAY

    with pytest.raises(RedisConnectionError, match="away"):
        await FleetRegistry(away, "gw").members()
