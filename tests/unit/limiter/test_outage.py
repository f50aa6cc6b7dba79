"""limiter/outage.py: what a process knows and owes while Redis is away survives it, whatever becomes of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.kernel.faults import GatewayError
from gateway.kernel.limits.token_bucket import Claim, OnFailure, Window
from gateway.limiter.interface import LimiterState
from gateway.limiter.outage_memory import OutageMemory
from gateway.limiter.outage_records import OwedRecord, decoded
from gateway.limiter.redis_limiter import RedisLimiter
from tests.fakes import turn
from tests.limiter_load import until
from tests.quota_limiter import CLOCK, GENEROUS_S, asks, posting
from tests.redis_server import RedisProcess

HOUR_US = 3_600_000_000
HOURLY = Claim(("{a}:hour",), (Window("hour", 24, HOUR_US, "Hour"),))
COUNT, LEVEL = posting("count", 24), posting("level", 24)


ALL: list["Process"] = []


@pytest.fixture(autouse=True)
async def closing() -> AsyncIterator[None]:
    """All of them, at the end."""
    yield
    while ALL:
        await ALL.pop().limiter.close()


class Process:
    """A limiter as a worker has it, with the memory that outlives it."""

    def __init__(
        self, url: str, workers: int = 1, memory: OutageMemory | None = None, on_failure: OnFailure = "local"
    ) -> None:
        self.memory = memory or OutageMemory.shared()
        self.limiter = RedisLimiter(url, "gw", GENEROUS_S, on_failure, CLOCK, workers=workers, memory=self.memory)
        ALL.append(self)

    async def start(self) -> "Process":
        await self.limiter.start()
        return self

    async def die(self) -> None:
        """Without a word to anybody."""
        assert self.limiter._maintenance is not None
        self.limiter._maintenance.cancel()
        await self.limiter._store.close()

    async def admitted(self, claim: Claim = HOURLY, times: int = 60) -> int:
        """How many of so many calls are let through."""
        count = 0
        for _ in range(times):
            decided = await self.limiter.decide(claim)
            count += decided.allowed
            if decided.reservation is not None:
                decided.reservation.commit({}, succeeded=True)
                decided.reservation.release()
        await turn()
        return count


@asynccontextmanager
async def outage(server: RedisProcess, *processes: Process) -> AsyncIterator[None]:
    """Of Redis, which all of them have seen before."""
    for each in processes:
        await each.start()
        each.limiter.outage.gateways = 2
    server.kill()
    for each in processes:
        await until(lambda each=each: each.limiter.outage.phase == "away")  # type: ignore[misc]
    yield


async def back(server: RedisProcess, *processes: Process) -> None:
    server.start()
    for each in processes:
        await until(lambda each=each: each.limiter.outage.phase == "shared")  # type: ignore[misc]


def used(server: RedisProcess, name: str) -> int:
    if name == "level":
        return int(server.ask("ZCARD", "gw:1:{a}:level"))
    value = server.ask("GET", f"gw:1:{{a}}:{name}")
    return 0 if value is None else int(value.partition(b":")[0])


async def available(server: RedisProcess) -> int:
    """Of the 24 an hour, for whoever asks Redis."""
    other = await Process(server.url).start()
    count = await other.admitted()
    await other.limiter.close()
    return count


@pytest.mark.parametrize("deaths", [1, 3])
async def test_a_dead_worker_leaves_its_share_and_its_debts(redis_server: RedisProcess, deaths: int) -> None:
    process = Process(redis_server.url)
    async with outage(redis_server, process):
        for _ in range(deaths):
            assert [await process.admitted(claim, 2) for claim in (HOURLY, asks(COUNT), asks(LEVEL))] == [2, 2, 2]
            await process.die()
            process = await Process(redis_server.url, memory=process.memory).start()
            assert (process.limiter.outage.phase, process.limiter.outage.fallback.gateways) == ("away", 2)
        rest = 12 - 2 * deaths
        assert [await process.admitted(claim) for claim in (HOURLY, asks(COUNT), asks(LEVEL))] == [rest] * 3
        await back(redis_server, process)
        assert (used(redis_server, "count"), used(redis_server, "level")) == (12, 12)
        assert await available(redis_server) == 12
        assert process.memory.used == 0


async def test_a_call_is_charged_even_if_its_worker_dies_with_the_reply(redis_server: RedisProcess) -> None:
    process = Process(redis_server.url)
    async with outage(redis_server, process):
        reservation = (await process.limiter.decide(asks(COUNT))).reservation
        assert reservation is not None
        reservation.commit({}, succeeded=True)
        written = decoded(process.memory.read())  # before the loop goes round, and the reply is sent
        assert sum(isinstance(record, OwedRecord) for record in written) == 1


@pytest.mark.parametrize("workers", [1, 2, 3])
async def test_the_workers_after_a_reload_share_what_was_available(redis_server: RedisProcess, workers: int) -> None:
    before = Process(redis_server.url)
    async with outage(redis_server, before):
        assert [await before.admitted(claim, 6) for claim in (HOURLY, asks(COUNT), asks(LEVEL))] == [6, 6, 6]
        legacy = before.limiter.hand_over()
        after = [await Process(redis_server.url, workers).start() for _ in range(workers)]
        for number, each in enumerate(after):
            each.limiter.adopt(legacy, share_only=number > 0)
        for claim in (HOURLY, asks(COUNT), asks(LEVEL)):
            assert sum([await each.admitted(claim) for each in after]) <= 6
        assert before.limiter.outage.fallback.debts == 0
        await back(redis_server, *after)
        assert used(redis_server, "count") <= 12


async def test_fewer_workers_owe_and_have_used_what_all_before_them_did(redis_server: RedisProcess) -> None:
    before = [Process(redis_server.url, 2) for _ in range(2)]
    async with outage(redis_server, *before):
        for each in before:
            assert [await each.admitted(claim, 5) for claim in (HOURLY, asks(COUNT), asks(LEVEL))] == [5, 5, 5]
        after = await Process(redis_server.url).start()
        for each in before:
            after.limiter.adopt(each.limiter.hand_over())
        assert await after.admitted() == 14
        assert await after.admitted(asks(COUNT)) <= 14
        assert await after.admitted(asks(LEVEL)) <= 14
        await back(redis_server, after)
        assert await available(redis_server) == 0


async def test_what_a_worker_takes_while_it_drains_is_owed_by_the_next_one(redis_server: RedisProcess) -> None:
    before, after = Process(redis_server.url), Process(redis_server.url)
    async with outage(redis_server, before):
        await before.admitted(times=3)
        reservation = (await before.limiter.decide(asks(COUNT))).reservation
        assert reservation is not None
        await after.start()
        after.limiter.adopt(before.limiter.hand_over())
        assert await before.admitted(times=2) == 2
        reservation.commit({}, succeeded=True)
        await until(lambda: len(before.limiter.outage.settlements.entries) == 1)
        await before.limiter.close()
        assert before.limiter.outage.settlements.lost == 0
        after.limiter.adopt(LimiterState(outage=before.memory.read()))
        assert await after.admitted() == 7
        await back(redis_server, after)
        assert (used(redis_server, "count"), await available(redis_server)) == (1, 12)


@pytest.mark.parametrize("on_failure", ["allow", "deny"])
async def test_whatever_limits_do_meanwhile_settlements_are_handed_on(
    redis_server: RedisProcess, on_failure: OnFailure
) -> None:
    process = Process(redis_server.url, on_failure=on_failure)
    total = posting("sum", 100)
    await process.start()
    reservation = (await process.limiter.decide(asks(total))).reservation
    assert reservation is not None
    async with outage(redis_server):
        await until(lambda: process.limiter.outage.phase == "away")
        reservation.commit({"sum": 7}, succeeded=True)
        await until(lambda: len(process.limiter.outage.settlements.entries) == 1)
        if on_failure == "deny":
            with pytest.raises(GatewayError):
                await process.limiter.decide(HOURLY)
        else:
            assert await process.admitted() == 60
        await turn()
        await process.die()
        process = await Process(redis_server.url, memory=process.memory, on_failure=on_failure).start()
        await back(redis_server, process)
        assert (used(redis_server, "sum"), await available(redis_server)) == (7, 24)


async def test_a_gateway_that_starts_without_redis_divides_limits_by_its_workers(redis_server: RedisProcess) -> None:
    redis_server.kill()
    both = [await Process(redis_server.url, 2).start() for _ in range(2)]
    assert [await each.admitted() for each in both] == [12, 12]


async def test_the_last_states_of_quotas_survive(redis_server: RedisProcess) -> None:
    process = await Process(redis_server.url).start()
    assert await process.admitted(asks(COUNT), 20) == 20
    async with outage(redis_server, process):
        await process.die()
        process = await Process(redis_server.url, memory=process.memory).start()
        assert await process.admitted(asks(COUNT)) == 2


async def test_memory_is_written_anew_when_it_is_full(redis_server: RedisProcess) -> None:
    process = Process(redis_server.url, memory=OutageMemory.shared(half_bytes=16384))
    async with outage(redis_server, process):
        for _ in range(400):
            assert await process.admitted(Claim(HOURLY.keys, (Window("hour", 10_000, HOUR_US, None),)), 2) == 2
        assert 0 < process.memory.used <= 16384
        await process.die()
        process = await Process(redis_server.url, memory=process.memory).start()
        debt = process.limiter.outage.fallback.debt(HOURLY.keys[0])
        assert debt is not None
        assert debt.tokens == 800


async def test_what_cannot_be_read_is_lost_and_ends_nobody(redis_server: RedisProcess) -> None:
    memory = OutageMemory.shared()
    memory.append(b"\0\0\0\2xx")
    memory.gateways = 3
    redis_server.kill()
    process = await Process(redis_server.url, memory=memory).start()
    assert await process.admitted() == 8


async def test_the_repr_is_for_operators(redis_server: RedisProcess) -> None:
    process = await Process(redis_server.url).start()
    assert repr(process.limiter.outage) == "<Outage shared, 0 debts, 0 settlements>"
