"""keystore/writer.py: a key is replaced as a whole, with its record, and only where nobody else was faster."""

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from gateway.audit.query import AuditQuery
from gateway.audit.records import record_of
from gateway.audit.redis_stream import read_records
from gateway.keystore.reader import SCRIPTS, KeyReader, RefusedCommandError
from gateway.keystore.records import KeyNames, Secret, StoredKey
from gateway.keystore.registry import KeyRegistry
from gateway.keystore.writer import SCRIPT, KeyWriter
from gateway.redis_client.address import RedisConnectionError
from gateway.redis_client.blocking_client import client_for
from gateway.redis_client.client import RedisStore, redis_store
from tests.audited import AT_S, entry
from tests.redis_acl import acl_rules
from tests.redis_server import RedisProcess

NAMES = KeyNames.of("gw")
KEY = StoredKey({"id": "a", "plan": "gold"}, (Secret("1" * 64), Secret("2" * 64)), "2026-01-01T00:00:00Z")
NEW = replace(KEY, secrets=(Secret("3" * 64), Secret("1" * 64, "2099-01-01T00:00:00Z")))
RECORD = record_of(entry(), "7", AT_S, "gw-1")


@pytest.fixture
async def connection(redis_server: RedisProcess) -> AsyncIterator[RedisStore]:
    client = client_for(redis_server.url, NAMES.ids)
    KeyRegistry(client, "gw").change(["a"], lambda _: {"a": KEY})
    client.close()
    rules = acl_rules("limits", "keys in Redis", "`server.self_service_path`")
    redis_server.ask("ACL", "SETUSER", "holder", "on", ">pw", "~gw:*", "&gw:*", *rules)
    url = redis_server.url.replace("//", "//holder:pw@")
    store = redis_store(url, 5.0, (*SCRIPTS, SCRIPT), lambda tag: b"*1\r\n$4\r\nTIME\r\n", lambda up, reason: None)
    await store.start()
    yield store
    await store.close()


async def test_a_key_is_replaced_as_the_registry_would(connection: RedisStore, redis_server: RedisProcess) -> None:
    redis_server.ask("HSET", NAMES.used, "a", "1800000000")
    writer, reader = KeyWriter(connection.call, "gw", lambda: "nonce"), KeyReader(connection.call, "gw")
    before = await writer.read("a")
    assert before is not None
    assert (before.stored, before.used_s) == (KEY, 1_800_000_000.0)
    assert await writer.replace(before, NEW, RECORD)
    assert set(redis_server.ask("HKEYS", NAMES.proofs)) == {b"1" * 64, b"3" * 64}
    assert await reader.find(["3" * 64, "1" * 64]) == [NEW.entries()["3" * 64], NEW.entries()["1" * 64]]
    changes = await reader.changes(b"")
    assert changes is not None
    assert redis_server.ask("LINDEX", NAMES.changes, "0").split() == [b"nonce", b"1" * 64, b"2" * 64, b"3" * 64]
    assert read_records(redis_server.url, "gw", AuditQuery()) == [RECORD]
    after = await writer.read("a")
    assert after is not None
    assert after.stored == NEW

    assert not await writer.replace(before, KEY, RECORD)  # somebody else was faster: nothing is written
    again = await writer.read("a")
    assert (again, len(read_records(redis_server.url, "gw", AuditQuery()))) == (after, 1)


async def test_a_key_that_there_is_not(connection: RedisStore) -> None:
    assert await KeyWriter(connection.call, "gw").read("b") is None


async def test_without_the_right_to_record_nothing_is_written(
    connection: RedisStore, redis_server: RedisProcess
) -> None:
    writer = KeyWriter(connection.call, "gw")
    before = await writer.read("a")
    assert before is not None
    redis_server.ask("ACL", "SETUSER", "holder", "-xadd")
    with pytest.raises(RefusedCommandError, match=r"can.t run this command|permissions"):
        await writer.replace(before, NEW, RECORD)
    assert await writer.read("a") == before
    redis_server.kill()
    with pytest.raises(RedisConnectionError):
        await writer.replace(before, NEW, RECORD)
