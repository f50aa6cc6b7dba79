"""keystore/registry.py: changes of keys are whole, in one server and in a Cluster."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import redis
from msgspec.structs import replace

from gateway.audit.query import AuditQuery
from gateway.audit.redis_stream import read_records
from gateway.keystore.key_audit import KeyAuthor
from gateway.keystore.records import CHANGES_KEPT, KeyNames, Secret, StoredKey
from gateway.keystore.registry import MAX_NAMED, Decide, DuplicateProofError, KeyRegistry, UnreadableError
from gateway.redis_client.blocking_client import client_for
from tests.audited import ALICE
from tests.redis_cluster import RedisCluster
from tests.redis_server import RedisProcess

NAMES = KeyNames.of("gw")


def stored(key_id: str, *digits: str, **key: object) -> StoredKey:
    return StoredKey({"id": key_id, **key}, tuple(Secret(digit * 64) for digit in digits), "2026-01-01T00:00:00Z")


def become(after: Mapping[str, StoredKey | None]) -> Decide:
    return lambda _: after


@pytest.fixture
def client(redis_server: RedisProcess) -> Iterator[redis.Redis]:
    client = client_for(redis_server.url, NAMES.ids)
    yield client
    client.close()


class _Lossy(redis.Connection):
    """Loses the reply to its first transaction."""

    lost = False

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:  # noqa: FBT001, FBT002 - as redis-py has it
        super().send_packed_command(command, check_health)  # type: ignore[no-untyped-call]
        if b"EXEC" in b"".join(command) and not self.lost:
            self.lost = True
            assert self.can_read(timeout=5)
            raise redis.ConnectionError("lost")


@pytest.fixture
def registry(client: redis.Redis) -> KeyRegistry:
    numbers = iter(range(1_000_000))
    return KeyRegistry(client, "gw", lambda: f"n{next(numbers)}")


def test_a_key_is_made_changed_and_ended(registry: KeyRegistry, redis_server: RedisProcess) -> None:
    key = stored("a", "1", "2")
    registry.change(["a"], become({"a": key}))
    assert registry.find("a") == key
    assert list(registry.all()) == [key]
    assert set(redis_server.ask("HKEYS", NAMES.proofs)) == {b"1" * 64, b"2" * 64}
    registry.change(["a"], lambda there: {"a": replace(there["a"], secrets=(Secret("3" * 64), Secret("2" * 64)))})
    assert set(redis_server.ask("HKEYS", NAMES.proofs)) == {b"2" * 64, b"3" * 64}
    redis_server.ask("HSET", NAMES.used, "a", "1700000000")
    assert registry.used(["a", "b"]) == {"a": 1_700_000_000.0}
    redis_server.ask("HSET", NAMES.used, "b", "1700000000")
    registry.change(["b"], become({"b": stored("b", "4")}))
    assert registry.used(["a", "b"]) == {"a": 1_700_000_000.0}  # the other one was of a key before
    registry.change(["b"], become({"b": None}))
    registry.change(["a"], become({"a": None}))
    assert (registry.find("a"), list(registry.all()), registry.used(["a"])) == (None, [], {})
    assert redis_server.ask("KEYS", "*") == [NAMES.changes.encode()]


def test_a_change_whose_reply_is_lost_is_not_made_twice(redis_server: RedisProcess) -> None:
    pool = redis.ConnectionPool(_Lossy, port=redis_server.port, protocol=2)
    registry = KeyRegistry(redis.Redis(connection_pool=pool), "gw")
    asked: list[list[str]] = []

    def decide(there: dict[str, StoredKey]) -> dict[str, StoredKey | None]:
        asked.append(list(there))
        return {"a": stored("a", "1")}

    registry.change(["a"], decide)
    assert asked == [[]]
    assert redis_server.ask("LLEN", NAMES.changes) == 1
    pool.close()


def test_each_change_has_a_name_and_lists_its_proofs(
    registry: KeyRegistry, client: redis.Redis, redis_server: RedisProcess
) -> None:
    listener = client.pubsub()  # type: ignore[no-untyped-call]
    listener.subscribe(NAMES.changed)
    assert listener.get_message(timeout=5) is not None
    registry.change(["a"], become({"a": stored("a", "1")}))
    registry.change(["a"], become({"a": stored("a", "2")}))
    registry.change(
        [],
        become(
            {
                f"k{number}": StoredKey({"id": f"k{number}"}, (Secret(f"{number:064}"),), "")
                for number in range(MAX_NAMED + 1)
            }
        ),
    )
    assert redis_server.ask("LRANGE", NAMES.changes, 0, -1) == [
        b"n2 *",
        b"n1 " + b"1" * 64 + b" " + b"2" * 64,
        b"n0 " + b"1" * 64,
    ]
    for _ in range(3):
        message = listener.get_message(timeout=5)
        assert message is not None
        assert message["channel"].decode() == NAMES.changed
    listener.close()


def test_the_list_of_changes_is_bounded(registry: KeyRegistry, redis_server: RedisProcess) -> None:
    for number in range(CHANGES_KEPT + 5):
        registry.change(["a"], become({"a": stored("a", str(number % 10))}))
    assert redis_server.ask("LLEN", NAMES.changes) == CHANGES_KEPT


def test_a_proof_belongs_to_one_key(registry: KeyRegistry) -> None:
    registry.change([], become({"a": stored("a", "1", certificate_subject="CN=a")}))
    for other in (stored("b", "1"), stored("b", "2", certificate_subject="CN=a")):
        with pytest.raises(DuplicateProofError, match="key `a` has the same"):
            registry.change(["b"], become({"b": other}))
    with pytest.raises(DuplicateProofError, match="key `c` has the same"):
        registry.change([], become({"c": stored("c", "3"), "d": stored("d", "3")}))
    assert [key.key["id"] for key in registry.all()] == ["a"]
    registry.change(["a"], become({"a": stored("a", "2"), "b": stored("b", "1")}))  # they swap
    assert {key.key["id"] for key in registry.all()} == {"a", "b"}


def test_what_decide_refuses_changes_nothing(registry: KeyRegistry, redis_server: RedisProcess) -> None:
    def reject(_: dict[str, StoredKey]) -> dict[str, StoredKey | None]:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        registry.change(["a"], reject)
    assert redis_server.ask("KEYS", "*") == []


def test_who_was_slower_decides_again(registry: KeyRegistry) -> None:
    seen: list[bool] = []

    def decide(there: dict[str, StoredKey]) -> dict[str, StoredKey | None]:
        seen.append("a" in there)
        if len(seen) == 1:
            registry.change(["a"], become({"a": stored("a", "1")}))
        return {"a": stored("a", "2")}

    registry.change(["a"], decide)
    assert seen == [False, True]
    assert registry.find("a") == stored("a", "2")


def test_many_at_once_are_one_change(registry: KeyRegistry, redis_server: RedisProcess) -> None:
    many: dict[str, StoredKey | None] = {
        f"k{number}": StoredKey({"id": f"k{number}"}, (Secret(f"{number:064}"),), "") for number in range(1201)
    }
    registry.change(many, become(many))
    assert len(list(registry.all())) == 1201
    assert redis_server.ask("LLEN", NAMES.changes) == 1
    registry.change(many, become(dict.fromkeys(many)))
    assert redis_server.ask("KEYS", "*") == [NAMES.changes.encode()]


def test_the_clock_is_that_of_redis(registry: KeyRegistry, redis_server: RedisProcess) -> None:
    assert abs(registry.now_s() - redis_server.ask("TIME")[0]) <= 1


def test_in_a_cluster_all_of_them_are_on_one_node(calm_cluster: RedisCluster) -> None:
    client = client_for(calm_cluster.url, NAMES.ids)
    registry = KeyRegistry(client, "gw")
    registry.change(["a"], become({"a": stored("a", "1")}))
    author = KeyAuthor(ALICE, "keys.disable")
    disabled: Decide = lambda there: {"a": replace(there["a"], key={**there["a"].key, "disabled": True})}  # noqa: E731
    (record,) = registry.change(["a"], disabled, author)
    assert [key.key for key in registry.all()] == [{"id": "a", "disabled": True}]
    assert read_records(calm_cluster.url, "gw", AuditQuery()) == [record]
    assert sorted(len(node.ask("KEYS", "*")) for node in calm_cluster.primaries) == [0, 0, 4]
    client.close()


def test_what_somebody_else_has_written_is_named_with_the_way_to_be_rid_of_it(
    registry: KeyRegistry, redis_server: RedisProcess
) -> None:
    redis_server.ask("HSET", NAMES.ids, "torn", "{")
    for ask in (
        lambda: registry.find("torn"),
        lambda: list(registry.all()),
        lambda: registry.change(["torn"], become({})),
    ):
        with pytest.raises(
            UnreadableError, match=r"`torn` cannot be read .*; take it away with HDEL gw:1:\{keys\}:ids torn"
        ):
            ask()


def test_a_decision_for_nothing_changes_nothing(registry: KeyRegistry, redis_server: RedisProcess) -> None:
    registry.change(["a"], become({}))
    assert redis_server.ask("KEYS", "*") == []
