"""keystore/command_log.py: changes by commands are lines in the log of a gateway, once each."""

from collections.abc import AsyncIterator, Iterator

import pytest
from structlog.testing import capture_logs

from gateway.audit.records import AuditRecord, record_of
from gateway.audit.redis_stream import stream_of, write_records
from gateway.keystore.command_log import AT_ONCE, CommandLog
from gateway.keystore.reader import SCRIPTS, KeyReader
from gateway.redis_client.client import redis_store
from tests.audited import AT_S, entry
from tests.redis_server import RedisProcess


@pytest.fixture
async def log(redis_server: RedisProcess) -> AsyncIterator[CommandLog]:
    store = redis_store(redis_server.url, 5.0, SCRIPTS, lambda tag: b"*1\r\n$4\r\nPING\r\n", lambda up, reason: None)
    await store.start()
    seconds, micros = redis_server.ask("TIME")
    yield CommandLog(KeyReader(store.call, "gw"), "gw", seconds + micros / 1e6 - 1)
    await store.close()


def records(first: int, last: int, gateway: str | None = None) -> Iterator[AuditRecord]:
    return (record_of(entry(), str(number), AT_S, gateway) for number in range(first, last))


async def logged(log: CommandLog) -> list[str]:
    with capture_logs() as lines:
        await log.log_new()
    assert {line["event"] for line in lines} <= {"audit"}
    return [line["id"] for line in lines]


async def test_changes_by_commands_are_logged_once(log: CommandLog, redis_server: RedisProcess) -> None:
    assert await logged(log) == []
    write_records(redis_server.url, "gw", records(1, 3))
    write_records(redis_server.url, "gw", records(3, 4, "gw-1"))  # the gateway has logged its own
    for unreadable in ("of another release", '{"before":' + "[" * 100_000):
        redis_server.ask("XADD", stream_of("gw"), "*", "record", unreadable)
    write_records(redis_server.url, "gw", records(4, 5))
    assert await logged(log) == ["1", "2", "4"]
    assert await logged(log) == []


async def test_all_of_many_are_logged_and_old_ones_are_not(log: CommandLog, redis_server: RedisProcess) -> None:
    redis_server.ask("XADD", stream_of("gw"), "5-1", "record", "{}")
    write_records(redis_server.url, "gw", records(0, 2 * AT_ONCE + 1))
    assert await logged(log) == [str(number) for number in range(2 * AT_ONCE + 1)]
