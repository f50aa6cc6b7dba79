"""keystore/reader.py: keys, their changes and uses, over the connection of the limiter."""

from collections.abc import AsyncIterator

import pytest

from gateway.keystore.reader import SCRIPTS, Changes, KeyReader, RefusedCommandError
from gateway.keystore.records import KeyNames, Secret, StoredKey
from gateway.keystore.registry import KeyRegistry
from gateway.redis_client.address import RedisConnectionError
from gateway.redis_client.blocking_client import client_for
from gateway.redis_client.client import RedisStore, redis_store
from tests.redis_cluster import RedisCluster
from tests.redis_server import RedisProcess

NAMES = KeyNames.of("gw")
STATES: list[tuple[bool, str]] = []


@pytest.fixture
async def connection(redis_server: RedisProcess) -> AsyncIterator[RedisStore]:
    STATES.clear()
    store = redis_store(
        redis_server.url,
        5.0,
        SCRIPTS,
        lambda tag: b"*1\r\n$4\r\nPING\r\n",
        lambda up, reason: STATES.append((up, reason)),
    )
    await store.start()
    yield store
    await store.close()


@pytest.fixture
def store(connection: RedisStore) -> KeyReader:
    return KeyReader(connection.call, "gw")


async def test_a_key_is_found_by_its_proof(store: KeyReader, redis_server: RedisProcess) -> None:
    assert await store.find(["p"]) == [None]
    redis_server.ask("HSET", NAMES.proofs, "p", "entry", "q", "other")
    assert await store.find(["a", "p", "b", "q"]) == [None, b"entry", None, b"other"]


async def test_a_key_is_found_by_its_id_as_the_registry_wrote_it(store: KeyReader, redis_server: RedisProcess) -> None:
    assert await store.named("a") is None
    client = client_for(redis_server.url, NAMES.ids)
    KeyRegistry(client, "gw").change(
        ["a"], lambda _: {"a": StoredKey({"id": "a", "plan": "gold"}, (Secret("1" * 64),), "")}
    )
    client.close()
    assert await store.named("a") == b'{"id":"a","plan":"gold"}'


async def test_each_change_is_returned_once(store: KeyReader, redis_server: RedisProcess) -> None:
    assert await store.changes(b"") is None
    redis_server.ask("LPUSH", NAMES.changes, "n1 a b")
    assert await store.changes(b"") == Changes(b"n1", None)  # nobody knows what came before
    assert await store.changes(b"n1") is None
    redis_server.ask("LPUSH", NAMES.changes, "n2 a c", "n3 d", "n4")
    assert await store.changes(b"n1") == Changes(b"n4", frozenset("acd"))
    assert await store.changes(b"n3") == Changes(b"n4", frozenset())


async def test_an_unknown_range_of_changes_may_be_all(store: KeyReader, redis_server: RedisProcess) -> None:
    redis_server.ask("LPUSH", NAMES.changes, "n1 a", "n2 *", "n3 b")
    assert await store.changes(b"n1") == Changes(b"n3", None)
    assert await store.changes(b"n2") == Changes(b"n3", frozenset("b"))
    assert await store.changes(b"gone") == Changes(b"n3", None)
    redis_server.ask("FLUSHALL")
    assert await store.changes(b"n3") == Changes(b"", None)


async def test_uses_are_noted(store: KeyReader, redis_server: RedisProcess) -> None:
    await store.note_used({"a": 1_700_000_000.9, "b": 5.0})
    assert redis_server.ask("HGETALL", NAMES.used) == {b"a": b"1700000000", b"b": b"5"}


async def test_a_server_that_refuses_is_no_worse_for_others(
    store: KeyReader, connection: RedisStore, redis_server: RedisProcess
) -> None:
    redis_server.ask("SET", NAMES.proofs, "something else")
    with pytest.raises(RefusedCommandError, match="WRONGTYPE"):
        await store.find(["p"])
    redis_server.ask("ACL", "SETUSER", "default", "-lindex")
    with pytest.raises(RefusedCommandError, match="can't run this command"):
        await store.changes(b"")
    assert await connection.call(b"*1\r\n$4\r\nPING\r\n", "") == b"PONG"
    assert STATES == [(True, "")]


async def test_a_server_that_is_away_raises(store: KeyReader, redis_server: RedisProcess) -> None:
    redis_server.kill()
    for _ in range(3):
        with pytest.raises(RedisConnectionError) as caught:
            await store.find(["p"])
        assert not isinstance(caught.value, RefusedCommandError)


async def test_in_a_cluster_it_asks_the_node_that_has_them(calm_cluster: RedisCluster) -> None:
    connection = redis_store(
        calm_cluster.url, 5.0, SCRIPTS, lambda tag: b"*1\r\n$4\r\nPING\r\n", lambda up, reason: None
    )
    await connection.start()
    try:
        store = KeyReader(connection.call, "gw")
        await store.note_used({"a": 1.0})
        assert await store.find(["p"]) == [None]
        assert await store.changes(b"") is None
    finally:
        await connection.close()
