"""audit/redis_stream.py: what gateways and commands add is read, the newest first."""

import pytest

from gateway.audit.query import AuditQuery
from gateway.audit.records import AuditRecord, record_of
from gateway.audit.redis_stream import BATCH, LENGTH, read_records, stream_of, write_records
from gateway.redis_client.address import RedisConnectionError
from tests.audited import AT_S, entry
from tests.redis_acl import acl_rules
from tests.redis_server import RedisProcess, free_port

STREAM = stream_of("gw")


@pytest.fixture
def url(module_redis: RedisProcess) -> str:
    module_redis.ask("FLUSHALL")
    return module_redis.url


def records(first: int, last: int) -> list[AuditRecord]:
    return [record_of(entry(f"key-{number % 2}"), str(number), AT_S + number, "gw-1") for number in range(first, last)]


def ids(url: str, query: AuditQuery) -> list[int]:
    return [int(record.id) for record in read_records(url, "gw", query)]


def test_the_newest_come_first(url: str) -> None:
    assert read_records(url, "gw", AuditQuery()) == []
    first, second = records(1, 3)
    write_records(url, "gw", [first])
    write_records(url, "gw", [second])
    assert read_records(url, "gw", AuditQuery()) == [second, first]
    assert read_records(url, "gw", AuditQuery(limit=1)) == [second]


def test_what_is_asked_for_is_found_behind_many_others(url: str) -> None:
    write_records(url, "gw", records(0, 2 * BATCH + 2))
    assert ids(url, AuditQuery(object="key-0", limit=BATCH + 1)) == list(range(2 * BATCH, -1, -2))
    assert ids(url, AuditQuery(object="other")) == []


def test_older_ones_are_not_read(url: str, module_redis: RedisProcess) -> None:
    for number, at in enumerate(("1800000000000-0", "1800000005000-7")):
        record = records(number, number + 1)[0]
        module_redis.ask(
            "XADD",
            STREAM,
            at,
            "record",
            b'{"id":"%d","at":"2027-01-15T08:00:05Z","who":"a","from":"b",' % number
            + b'"action":"c","object":"d","outcome":"done"}',
        )
        assert record.id == str(number)
    assert ids(url, AuditQuery(since_s=AT_S + 1)) == [1]


def test_the_stream_is_bounded(url: str, module_redis: RedisProcess) -> None:
    many = f"for _ = 1, {2 * LENGTH} do redis.call('XADD', KEYS[1], '*', 'record', '') end"
    module_redis.ask("EVAL", many, 1, STREAM)
    write_records(url, "gw", records(0, 1))
    assert LENGTH <= module_redis.ask("XLEN", STREAM) < LENGTH + 500


def test_a_record_that_is_there_twice_or_cannot_be_read_counts_once_or_not(
    url: str, module_redis: RedisProcess
) -> None:
    (record,) = records(1, 2)
    write_records(url, "gw", [record, record])
    module_redis.ask("XADD", STREAM, "*", "other", "x")
    for unreadable in (b"\xff", b'{"id":"\xff"}', b'{"before":' + b"[" * 100_000):
        module_redis.ask("XADD", STREAM, "*", "record", unreadable)
    assert read_records(url, "gw", AuditQuery()) == [record]


def test_the_rights_that_the_readme_asks_for_are_enough(url: str, module_redis: RedisProcess) -> None:
    module_redis.ask("ACL", "SETUSER", "auditor", "on", ">pw", "~gw:*", *acl_rules("the audit trail"))
    (record,) = records(1, 2)
    write_records(url.replace("//", "//auditor:pw@"), "gw", [record])
    assert read_records(url.replace("//", "//auditor:pw@"), "gw", AuditQuery()) == [record]


def test_errors_of_redis_have_one_type(url: str, module_redis: RedisProcess) -> None:
    with pytest.raises(RedisConnectionError, match="refused"):
        write_records(f"redis://127.0.0.1:{free_port()}", "gw", records(1, 2))
    module_redis.ask("SET", STREAM, "x")
    with pytest.raises(RedisConnectionError, match="WRONGTYPE"):
        write_records(url, "gw", records(1, 2))
    with pytest.raises(RedisConnectionError, match="WRONGTYPE"):
        read_records(url, "gw", AuditQuery())
