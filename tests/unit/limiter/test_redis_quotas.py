"""limiter/redis_quotas.py: the keys in Redis, and callers that are cancelled meanwhile."""

import asyncio
from datetime import UTC, datetime

from gateway.kernel.limits.quota import LEASE_MS, Posting
from gateway.kernel.limits.token_bucket import Claim, Window
from gateway.redis_client.address import RedisConnectionError
from tests.limiter_load import until
from tests.quota_limiter import COUNT, FLIGHT, LEVEL, MONTHLY, RELEASE, SUM, Gateway, asks, posting, stored
from tests.redis_server import RedisProcess


class TestWhatStandsInRedis:
    async def test_a_month_expires_with_it_and_what_is_for_ever_does_not(
        self, gateway: Gateway, redis_server: RedisProcess
    ) -> None:
        now = datetime.now(UTC)
        turn = datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)
        await gateway.allowed(MONTHLY)
        await gateway.allowed(Posting("{a}:ever", COUNT.meter))
        assert redis_server.ask("GET", "gw:1:{a}:count") == b"1:%d" % (now.year * 12 + now.month - 1)
        assert redis_server.ask("PEXPIRETIME", "gw:1:{a}:count") == turn.timestamp() * 1000 + 1000
        assert (redis_server.ask("GET", "gw:1:{a}:ever"), redis_server.ask("PTTL", "gw:1:{a}:ever")) == (b"1:0", -1)

    async def test_units_expire(self, gateway: Gateway, redis_server: RedisProcess) -> None:
        await gateway.allowed(LEVEL, FLIGHT)
        assert 59_000 < redis_server.ask("PTTL", "gw:1:{a}:level") <= 61_000
        assert LEASE_MS - 1000 < redis_server.ask("PTTL", "gw:1:{a}:concurrency") <= LEASE_MS + 1000
        assert redis_server.ask("ZCARD", "gw:1:{a}:level") == 1

    async def test_a_refused_call_writes_nothing(self, gateway: Gateway, redis_server: RedisProcess) -> None:
        await gateway.allowed(Posting("{a}:full", posting("count", 1).meter))
        refused = await gateway.refused(COUNT, SUM, LEVEL, FLIGHT, Posting("{a}:full", posting("count", 1).meter))
        assert refused.reservation is None
        assert stored(redis_server) == {"gw:1:{a}:full"}

    async def test_a_failed_and_a_finished_call_leave_nothing(
        self, gateway: Gateway, redis_server: RedisProcess
    ) -> None:
        reservation = await gateway.allowed(COUNT, LEVEL, FLIGHT)
        settled = reservation.commit({}, succeeded=False)
        assert settled is not None
        await settled
        reservation.release()
        await gateway.is_settled()
        assert redis_server.ask("GET", "gw:1:{a}:count") == b"0:0"
        assert stored(redis_server) == {"gw:1:{a}:count"}

    async def test_only_what_is_added_needs_not_be_waited_for(self, gateway: Gateway) -> None:
        assert (await gateway.allowed(SUM)).commit({"sum": 2}, succeeded=True) is None
        assert (await gateway.allowed(COUNT)).commit({}, succeeded=True) is None
        assert (await gateway.allowed(RELEASE)).commit({}, succeeded=True) is not None
        await gateway.is_settled()
        assert (await gateway.refused(SUM)).spent[0].used == 2

    async def test_a_value_that_is_none_of_ours_is_replaced(self, gateway: Gateway, redis_server: RedisProcess) -> None:
        redis_server.ask("SET", "gw:1:{a}:count", "garbage")
        await gateway.allowed(COUNT)
        assert redis_server.ask("GET", "gw:1:{a}:count") == b"1:0"

    async def test_commands_are_packed_once_and_in_bounded_memory(self, gateway: Gateway) -> None:
        claim, quotas = asks(COUNT), gateway.limiter._quotas
        first, second = (quotas._command(claim, name * 28) for name in "ab")
        assert second == first.replace(b"a" * 28, b"b" * 28)
        quotas._commands.most = 64
        for _ in range(80):
            quotas._command(asks(COUNT), "a" * 28)
        assert len(quotas._commands) <= 64


class TestWhoLeavesBeforeTheAnswer:
    async def test_leaves_nothing_behind(self, gateway: Gateway, redis_server: RedisProcess) -> None:
        redis_server.hang()
        asked = asyncio.ensure_future(gateway.limiter.decide(asks(COUNT, LEVEL, FLIGHT)))
        await asyncio.sleep(0)
        asked.cancel()
        await asyncio.wait([asked])
        redis_server.go_on()
        await until(lambda: not gateway.limiter._quotas._pending)
        await gateway.is_settled()
        assert redis_server.ask("GET", "gw:1:{a}:count") == b"0:0"
        assert (
            gateway.limiter.outage.in_flight._units,
            redis_server.ask("EXISTS", "gw:1:{a}:level", "gw:1:{a}:concurrency"),
        ) == ({}, 0)

    async def test_or_is_refused(self, gateway: Gateway, redis_server: RedisProcess) -> None:
        for _ in range(2):
            await gateway.allowed(COUNT)
        redis_server.hang()
        asked = asyncio.ensure_future(gateway.limiter.decide(asks(COUNT)))
        await asyncio.sleep(0)
        asked.cancel()
        await asyncio.wait([asked])
        redis_server.go_on()
        await until(lambda: not gateway.limiter._quotas._pending)
        assert (await gateway.refused(COUNT)).spent[0].used == 2

    async def test_or_never_gets_a_reply(self, redis_server: RedisProcess) -> None:
        async with Gateway(redis_server.url, timeout_s=0.2) as gateway:
            redis_server.hang()
            claims = [asks(*each) for each in ((COUNT, LEVEL, FLIGHT), (LEVEL, FLIGHT), (SUM,))]
            asked = [asyncio.ensure_future(gateway.limiter.decide(each)) for each in claims]
            await asyncio.sleep(0)
            for each in asked:
                each.cancel()
            await until(lambda: not gateway.limiter._quotas._pending and gateway.limiter.outage.settlements.owed == 2)
            redis_server.go_on()
            await gateway.is_settled()
            assert redis_server.ask("GET", "gw:1:{a}:count") == b"0:0"
            assert redis_server.ask("EXISTS", "gw:1:{a}:level", "gw:1:{a}:concurrency") == 0


async def test_windows_and_meters_are_under_one_tag() -> None:
    window = Window("w", 1, 1_000_000, None)
    assert asks(COUNT).tag == Claim(("{a}:w",), (window,), postings=(COUNT,)).tag == "a"


async def test_a_quota_is_read_and_reset_in_redis(gateway: Gateway) -> None:
    await gateway.allowed(COUNT, LEVEL)
    assert [state.used for state in await gateway.limiter.read((COUNT, LEVEL))] == [1, 1]
    assert await gateway.limiter.forget(COUNT.key)
    assert [state.used for state in await gateway.limiter.read((COUNT, LEVEL))] == [0, 1]
    assert repr(gateway.limiter._quotas) == "<RedisQuotas 0 decisions pending>"


async def test_without_redis_it_returns_why() -> None:
    limiter = Gateway("redis://127.0.0.1:1").limiter
    quotas = limiter._quotas
    assert isinstance(await quotas.decide(asks(COUNT)), RedisConnectionError)
    assert isinstance(await quotas.read((COUNT,)), RedisConnectionError)
    assert not await quotas.forget(COUNT.key)
    assert limiter.outage.settlements.owed == 0
    await limiter.close()
