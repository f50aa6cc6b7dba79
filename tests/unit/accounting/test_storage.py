"""accounting/storage.py and add_usage.lua: a batch is added to a day in Redis, once."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import redis

from gateway.accounting.counts import OTHER, UsageRow, row_for
from gateway.accounting.storage import MARKED_MS, Batch, UsageStore, callers_key, read_row, rows_key
from gateway.accounting.storage import SCRIPT as ADD_USAGE
from gateway.redis_client.connection import sha_of
from tests.redis_acl import acl_rules
from tests.redis_server import RedisProcess

pytestmark = pytest.mark.usefixtures("empty")
DAY = "2126-11-30"
"""Far from its end."""
STORE = UsageStore("gw", 86_400.0, 1000)
A: UsageRow = ("acme", "ci", "all", "")


@pytest.fixture
def empty(module_redis: RedisProcess) -> None:
    module_redis.ask("FLUSHALL")


def batch(number: int, *rows: tuple[UsageRow, list[int]], writer: str = "w", **callers: list[str]) -> Batch:
    return Batch(writer, number, DAY, [*rows], callers)


def add(server: RedisProcess, each: Batch, store: UsageStore = STORE) -> Any:
    """Send it as a gateway does."""
    server.ask("SCRIPT", "LOAD", ADD_USAGE)
    parts = store.command(each).split(b"\r\n")[2::2]
    assert parts[:2] == [b"EVALSHA", sha_of(ADD_USAGE)]
    return server.ask(*parts)


def rows(server: RedisProcess, day: str = DAY) -> dict[UsageRow, list[int]]:
    fields = server.ask("HGETALL", rows_key("gw", day))
    read = [read_row(field, value) for field, value in fields.items()]
    return dict([row for row in read if row is not None])


def test_batches_are_added_up(module_redis: RedisProcess) -> None:
    quota: UsageRow = ("acme", "ci", "all", "encodings")
    assert add(module_redis, batch(1, (A, [1, 0, 10, 100]), (quota, [5]))) == 1
    assert add(module_redis, batch(2, (A, [2, 1, 2**52, 3]), (quota, [6]))) == 1
    assert add(module_redis, batch(1, (A, [1, 1, 1, 1]), writer="other")) == 1
    assert rows(module_redis) == {A: [4, 2, 2**52 + 11, 104], quota: [11]}


def test_a_batch_that_is_sent_again_is_not_added_again(module_redis: RedisProcess) -> None:
    for number in (1, 2, 10):
        assert add(module_redis, batch(number, (A, [1, 0, 0, 0]), all=["::1"])) == 1
        assert add(module_redis, batch(number, (A, [1, 0, 0, 0]), all=["::1"])) == 0
    assert add(module_redis, batch(9, (A, [1, 0, 0, 0]))) == 0
    assert rows(module_redis) == {A: [3, 0, 0, 0]}


def test_everything_expires(module_redis: RedisProcess) -> None:
    add(module_redis, batch(1, (A, [1, 0, 0, 0]), all=["::1"]))
    names = {rows_key("gw", DAY), callers_key("gw", date.fromisoformat(DAY), "all")}
    ends = int(datetime(2126, 12, 2, tzinfo=UTC).timestamp())
    for name in names:
        assert ends - 10 <= module_redis.ask("TIME")[0] + module_redis.ask("TTL", name) <= ends + 10
    mark = f"{rows_key('gw', DAY)}:writer/w"
    assert 0 < module_redis.ask("PTTL", mark) <= MARKED_MS
    assert {name.decode() for name in module_redis.ask("KEYS", "*")} == names | {mark}


def test_callers_are_estimated(module_redis: RedisProcess) -> None:
    add(module_redis, batch(1, open=["::1", "::2"], other=["::1"]))
    add(module_redis, batch(2, open=["::2", "::3"]))
    names = [callers_key("gw", date.fromisoformat(DAY), route) for route in ("open", "other")]
    assert [module_redis.ask("PFCOUNT", name) for name in names] == [3, 1]


def test_rows_of_a_day_are_bounded_as_in_memory(module_redis: RedisProcess) -> None:
    store = UsageStore("gw", 86_400.0, 10)
    expected: dict[UsageRow, list[int]] = {}
    for number in range(40):
        row: UsageRow = (f"org{number % 13}", f"key{number % 17}", f"route{number}", "")
        assert add(module_redis, batch(number + 1, (row, [1, 0, 0, 0])), store) == 1
        expected.setdefault(row_for(row, expected, len(expected), 10), [0] * 4)[0] += 1
    assert rows(module_redis) == expected
    assert (len(expected), sum(numbers[0] for numbers in expected.values())) == (11, 40)
    assert {route for _, _, route, _ in expected} == {*[f"route{number}" for number in range(8)], OTHER}


@pytest.mark.parametrize("denied", ["get", "set", "hget", "hlen", "hset", "expireat", "pfadd"])
def test_what_redis_refuses_is_data_and_is_not_half_done(module_redis: RedisProcess, denied: str) -> None:
    rules = [rule for rule in acl_rules("limits", "usage") if rule != f"+{denied}"]
    module_redis.ask("ACL", "SETUSER", "denied", "reset", "on", ">secret", "~gw:*", *rules)
    with redis.Redis(port=module_redis.port, username="denied", password="secret", protocol=2) as client:
        client.execute_command("SCRIPT", "LOAD", ADD_USAGE)
        command = STORE.command(batch(1, (A, [1, 0, 0, 0]), all=["::1"])).split(b"\r\n")[2::2]
        for _ in range(2):
            assert isinstance(client.execute_command(*command), bytes)
    assert rows(module_redis) == {}
    assert add(module_redis, batch(1, (A, [1, 0, 0, 0]), all=["::1"])) == 1
    assert rows(module_redis) == {A: [1, 0, 0, 0]}


def test_all_keys_of_a_batch_are_on_one_node_of_a_cluster() -> None:
    some = batch(1, (A, [7, 0, 0, 0]), ((*A[:3], "encodings"), [9]), one=["::1"], other=["::1"])
    parts = STORE.command(some).split(b"\r\n")[2::2]
    assert parts[2] == b"4"
    assert all(key.startswith(b"gw:1:{usage}:") for key in parts[3:7])
    assert some.calls == 7


def test_what_is_no_row_is_left_out() -> None:
    for field, value in ((b"a|b|c", b"1"), (b"a|b|c|", b""), (b"a|b|c|", b"x"), (b"a|b|c|", b"9" * 20)):
        assert read_row(field, value) is None
    assert read_row(b"a||c|\xff", b"1 2") == (("a", "", "c", "�"), [1, 2])


def test_a_user_with_the_documented_permissions_may_add_and_read(module_redis: RedisProcess, tmp_path: Path) -> None:
    module_redis.ask("ACL", "SETUSER", "gateway", "on", ">secret", "~gw:*", *acl_rules("limits", "usage"))
    module_redis.ask("ACL", "SETUSER", "reader", "on", ">secret", "~gw:*", *acl_rules("`gateway usage` and `/usage`"))
    command = STORE.command(batch(1, (A, [1, 0, 0, 0]), all=["::1"])).split(b"\r\n")[2::2]
    with redis.Redis(port=module_redis.port, username="gateway", password="secret", protocol=2) as client:
        client.execute_command("SCRIPT", "LOAD", ADD_USAGE)
        assert client.execute_command(*command) == 1
    with redis.Redis(port=module_redis.port, username="reader", password="secret", protocol=2) as client:
        assert dict(client.hscan_iter(rows_key("gw", DAY))) == {b"acme|ci|all|": b"1 0 0 0"}
        assert client.pfcount(callers_key("gw", date.fromisoformat(DAY), "all")) == 1
