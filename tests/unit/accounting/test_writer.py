"""accounting/writer.py: usage gets to Redis once, whatever becomes of answers, of Redis and of the worker."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from gateway.accounting.counts import UsageCounts
from gateway.accounting.owed import BATCH_ROWS
from gateway.accounting.storage import SCRIPT, UsageStore, rows_key
from gateway.accounting.writer import UsageWriter
from gateway.limiter.outage_memory import OutageMemory
from gateway.redis_client.address import RedisConnectionError
from gateway.redis_client.client import redis_store
from gateway.redis_client.connection import RedisReply, pack
from tests.redis_server import RedisProcess
from tests.unit.accounting.test_counts import Wall
from tests.unit.accounting.test_storage import rows

DAY = "2126-11-30"


class Connection:
    """A connection to a real Redis that loses answers, or all."""

    def __init__(self, server: RedisProcess) -> None:
        self._store = redis_store(server.url, 5.0, (SCRIPT,), lambda _: pack(b"PING"), lambda *, up, reason: None)
        self.loses: Iterator[str] = iter(())
        """For each call: "answer", "call", "bug", or "" for nothing; in the end nothing."""
        self.calls = 0

    async def __call__(self, command: bytes, tag: str) -> RedisReply:
        self.calls += 1
        loses = next(self.loses, "")
        if loses == "bug":
            raise RuntimeError
        reply = RedisConnectionError("away") if loses == "call" else await self._store.call(command, tag)
        return RedisConnectionError("timeout") if loses == "answer" else reply

    @property
    def is_up(self) -> bool:
        """Whether the server is taken for one that is there."""
        return all(server.up and server.availability == "closed" for server in self._store.servers())

    @classmethod
    @asynccontextmanager
    async def to(cls, server: RedisProcess) -> AsyncIterator["Connection"]:
        server.ask("FLUSHALL")
        connection = cls(server)
        await connection._store.start()
        try:
            yield connection
        finally:
            await connection._store.close()


def worker(
    call: Connection, name: str = "w", memory: OutageMemory | None = None, collect_s: float = 1.0
) -> UsageWriter:
    store = UsageStore("gw", 86_400.0, 1000)
    return UsageWriter(UsageCounts(Wall(2126, 11, 30)), store, call, name, memory, collect_s=collect_s)


def count(one: UsageWriter, calls: int, key: str = "ci") -> None:
    one.counts.numbers("acme", key, "all")[0] += calls


def calls_in(server: RedisProcess) -> int:
    return sum(numbers[0] for numbers in rows(server, DAY).values())


async def test_what_was_collected_is_sent(module_redis: RedisProcess) -> None:
    async with Connection.to(module_redis) as connection:
        one = worker(connection)
        assert await one.send()
        count(one, 3)
        assert one.owed_calls == 0
        one.collect()
        assert (one.owed_calls, repr(one)) == (3, "<UsageWriter w <OwedUsage 3 calls, 1 rows wait, 0 batches>>")
        assert await one.send()
        count(one, 4)
        await one.close()
        assert (one.owed_calls, calls_in(module_redis), connection.calls) == (0, 7, 2)


@pytest.mark.parametrize("loses", [["answer"], ["call"], ["call", "answer", "call"], ["", "answer"], ["answer"] * 5])
async def test_a_lost_answer_or_call_neither_loses_usage_nor_counts_it_twice(
    module_redis: RedisProcess, loses: list[str]
) -> None:
    async with Connection.to(module_redis) as connection:
        one = worker(connection)
        connection.loses = iter(loses)
        sent = False
        while not sent:
            for number in range(BATCH_ROWS + 1):
                count(one, 1, f"key{number}")
            one.collect()
            sent = await one.send()
        assert calls_in(module_redis) == (BATCH_ROWS + 1) * (sum(1 for each in loses if each) + 1)
        assert one.owed_calls == 0


async def test_a_successor_sends_the_very_batch_whose_answer_was_lost(module_redis: RedisProcess) -> None:
    async with Connection.to(module_redis) as connection:
        memory = OutageMemory.shared()
        dead = worker(connection, "dead", memory)
        count(dead, 3)
        dead.collect()
        connection.loses = iter(["answer"])
        assert not await dead.send()
        count(dead, 4)
        dead.collect()
        successor = worker(connection, "next", memory)
        successor.start()
        assert successor.owed_calls == 7
        count(successor, 5)
        await successor.close()
        assert (calls_in(module_redis), memory.used) == (12, 0)


async def test_what_a_worker_left_is_taken_over_by_another(module_redis: RedisProcess) -> None:
    async with Connection.to(module_redis) as connection:
        memory = OutageMemory.shared()
        ended = worker(connection, "ended", memory)
        count(ended, 3)
        connection.loses = iter(["answer"])
        with capture_logs() as lines:
            await ended.close()
        assert lines[0] == {"event": "usage waits for redis", "log_level": "warning", "reason": "timeout", "calls": 3}
        assert lines[1] == {"event": "usage is left to a successor", "log_level": "warning", "calls": 3}
        other = worker(connection, "other", OutageMemory.shared())
        other.start()
        count(other, 1)
        other.collect()
        other.adopt(memory.read())
        assert other.owed_calls == 4
        await other.close()
        assert calls_in(module_redis) == 4


async def test_it_collects_and_sends_by_itself(module_redis: RedisProcess) -> None:
    async with Connection.to(module_redis) as connection:
        one = worker(connection, collect_s=0.001)
        connection.loses = iter(["call"] * 3)
        with capture_logs() as lines:
            one.start()
            count(one, 3)
            async with asyncio.timeout(10):
                while calls_in(module_redis) != 3:
                    await asyncio.to_thread(module_redis.ask, "PING")
            await one.close()
        assert [line["event"] for line in lines] == ["usage waits for redis", "usage is in redis again"]


async def test_a_refusal_of_redis_is_reported_and_does_not_count_against_the_server(module_redis: RedisProcess) -> None:
    async with Connection.to(module_redis) as connection:
        module_redis.ask("SET", rows_key("gw", DAY), "not a hash")
        one = worker(connection)
        count(one, 1)
        one.collect()
        with capture_logs() as lines:
            for _ in range(5):
                assert not await one.send()
        assert [line["event"] for line in lines] == ["usage waits for redis"]
        assert lines[0]["reason"].startswith("WRONGTYPE")
        assert connection.is_up
        module_redis.ask("DEL", rows_key("gw", DAY))
        await one.close()
        assert calls_in(module_redis) == 1


async def test_a_bug_does_not_end_the_task(module_redis: RedisProcess) -> None:
    async with Connection.to(module_redis) as connection:
        one = worker(connection, collect_s=0.001)
        connection.loses = iter(["bug"])
        with capture_logs() as lines:
            one.start()
            count(one, 3)
            async with asyncio.timeout(10):
                while calls_in(module_redis) != 3:
                    await asyncio.to_thread(module_redis.ask, "PING")
            await one.close()
        assert [line["event"] for line in lines] == ["bug"]


async def test_memory_that_cannot_be_read_is_given_up(module_redis: RedisProcess) -> None:
    async with Connection.to(module_redis) as connection:
        memory = OutageMemory.shared()
        memory.append(b"\0\0\0\x01\xff")
        one = worker(connection, memory=memory)
        with capture_logs() as lines:
            one.start()
        assert [line["event"] for line in lines] == ["bug"]
        assert memory.used == 0
        count(one, 1)
        await one.close()
        assert calls_in(module_redis) == 1
