"""limiter/redis_quotas.py: what stands in Redis, and who leaves in between."""

import asyncio
import time
from datetime import UTC, datetime

from gateway.kernel.faults import QUOTA_SPENT
from gateway.kernel.limits.quota import LEASE_MS, Meter, Posting
from gateway.kernel.limits.token_bucket import Claim, Decision, Window
from gateway.limiter import redis_quotas as module
from gateway.redis_client.connection import LOST, Reply, pack
from tests.limiter_load import until
from tests.quota_limiter import CLOCK, COUNT, FLIGHT, LEVEL, MONTHLY, RELEASE, SUM, Gateway, asks, posting, stored
from tests.redis_server import RedisProcess


class TestWhatStandsInRedis:
    async def test_a_month_expires_with_it_and_what_is_for_ever_does_not(self, gateway: Gateway, redis_server: RedisProcess) -> None:
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
        assert refused.hold is None
        assert stored(redis_server) == {"gw:1:{a}:full"}

    async def test_a_failed_and_a_finished_call_leave_nothing(self, gateway: Gateway, redis_server: RedisProcess) -> None:
        hold = await gateway.allowed(COUNT, LEVEL, FLIGHT)
        settled = hold.settle(False, {})
        assert settled is not None
        await settled
        hold.end()
        await gateway.is_settled()
        assert redis_server.ask("GET", "gw:1:{a}:count") == b"0:0"
        assert stored(redis_server) == {"gw:1:{a}:count"}

    async def test_only_what_is_added_needs_not_be_waited_for(self, gateway: Gateway) -> None:
        assert (await gateway.allowed(SUM)).settle(True, {"sum": 2}) is None
        assert (await gateway.allowed(COUNT)).settle(True, {}) is None
        assert (await gateway.allowed(RELEASE)).settle(True, {}) is not None
        await gateway.is_settled()
        assert (await gateway.refused(SUM)).spent[0].used == 2

    async def test_a_value_that_is_none_of_ours_is_replaced(self, gateway: Gateway, redis_server: RedisProcess) -> None:
        redis_server.ask("SET", "gw:1:{a}:count", "garbage")
        await gateway.allowed(COUNT)
        assert redis_server.ask("GET", "gw:1:{a}:count") == b"1:0"

    async def test_commands_are_packed_once_and_in_bounded_memory(self, gateway: Gateway) -> None:
        claim, quotas = asks(COUNT), gateway.limiter.quotas
        first, second = (quotas._command(claim, name * 28) for name in "ab")
        assert second == first.replace(b"a" * 28, b"b" * 28)
        for _ in range(module.MAX_COMMANDS + 1):
            quotas._command(asks(COUNT), "a" * 28)
        assert len(quotas._commands) <= module.MAX_COMMANDS


class TestWhoLeavesBeforeTheAnswer:
    async def test_leaves_nothing_behind(self, gateway: Gateway, redis_server: RedisProcess) -> None:
        redis_server.hang()
        asked = asyncio.ensure_future(gateway.limiter.decide(asks(COUNT, LEVEL, FLIGHT)))
        await asyncio.sleep(0)
        asked.cancel()
        await asyncio.wait([asked])
        redis_server.go_on()
        await until(lambda: not gateway.limiter.quotas._asking)
        await gateway.is_settled()
        assert redis_server.ask("GET", "gw:1:{a}:count") == b"0:0"
        assert (gateway.limiter.quotas._flying, redis_server.ask("EXISTS", "gw:1:{a}:level", "gw:1:{a}:concurrency")) == ({}, 0)

    async def test_or_is_refused(self, gateway: Gateway, redis_server: RedisProcess) -> None:
        for _ in range(2):
            await gateway.allowed(COUNT)
        redis_server.hang()
        asked = asyncio.ensure_future(gateway.limiter.decide(asks(COUNT)))
        await asyncio.sleep(0)
        asked.cancel()
        await asyncio.wait([asked])
        redis_server.go_on()
        await until(lambda: not gateway.limiter.quotas._asking)
        assert (await gateway.refused(COUNT)).spent[0].used == 2

    async def test_or_is_never_told(self, redis_server: RedisProcess) -> None:
        async with Gateway(redis_server.url, timeout_s=0.2) as gateway:
            redis_server.hang()
            claims = [asks(*each) for each in ((COUNT, LEVEL, FLIGHT), (LEVEL, FLIGHT), (SUM,))]
            asked = [asyncio.ensure_future(gateway.limiter.decide(each)) for each in claims]
            await asyncio.sleep(0)
            for each in asked:
                each.cancel()
            await until(lambda: not gateway.limiter.quotas._asking and gateway.limiter.quotas.settlements.owed == 2)
            redis_server.go_on()
            await gateway.is_settled()
            assert redis_server.ask("GET", "gw:1:{a}:count") == b"0:0"
            assert redis_server.ask("EXISTS", "gw:1:{a}:level", "gw:1:{a}:concurrency") == 0


class TestCallsInFlight:
    async def test_are_renewed_and_come_back_to_a_redis_that_lost_them(self, gateway: Gateway, redis_server: RedisProcess) -> None:
        many = posting("concurrency", 1000)
        holds = [await gateway.allowed(many) for _ in range(module.RENEWALS + 1)]
        redis_server.ask("FLUSHALL")
        await gateway.limiter.quotas.renew()
        assert redis_server.ask("ZCARD", "gw:1:{a}:concurrency") == module.RENEWALS + 1
        for hold in holds:
            hold.end()
        await gateway.is_settled()
        await gateway.limiter.quotas.renew()
        assert stored(redis_server) == set()

    async def test_are_renewed_whatever_becomes_of_heartbeats(self, redis_server: RedisProcess) -> None:
        """In a cluster the node may be away that has those."""
        gateway = Gateway(redis_server.url)
        gateway.limiter._heartbeat._command = pack(b"NOSUCH")
        async with gateway:
            await gateway.allowed(FLIGHT)
            redis_server.ask("FLUSHALL")
            gateway.limiter._woken.set()
            await until(lambda: redis_server.ask("ZCARD", "gw:1:{a}:concurrency") == 1)

    async def test_are_renewed_on_all_nodes_that_are_there(self) -> None:
        renewed: list[str] = []

        async def call(command: bytes, tag: str) -> Reply:
            if b"put" not in command:
                return [1, 0, 0, 1, 0]
            renewed.append(tag)
            return LOST if tag == "away" else 1

        quotas = module.RedisQuotas("gw:", call, b"", CLOCK)
        for tag in ("away", "there"):
            assert isinstance(await quotas.decide(asks(Posting(f"{{{tag}}}:f", FLIGHT.meter))), Decision)
        await quotas.renew()
        assert renewed == ["away", "there"]

    async def test_that_are_over_are_so_for_every_gateway(self, redis_server: RedisProcess) -> None:
        """Or who asks one gateway after another would be told that it has two calls in flight."""
        single = posting("concurrency", 1)
        async with Gateway(redis_server.url) as one, Gateway(redis_server.url) as other:
            for gateway in (one, other) * 50:
                over = (await gateway.allowed(single)).end()
                assert over is not None
                await over

    async def test_of_a_gateway_that_says_nothing_end_by_themselves(self, redis_server: RedisProcess) -> None:
        short = Posting("{a}:f", Meter("f", "concurrency", 1, "key", QUOTA_SPENT, lasts_ms=100))
        async with Gateway(redis_server.url) as one, Gateway(redis_server.url) as other:
            await one.allowed(short)
            await other.refused(short)
            began = time.monotonic()
            async with asyncio.timeout(5):
                while not (await other.limiter.decide(asks(short))).allowed:
                    pass
            assert time.monotonic() - began > 0.05


async def test_windows_and_meters_are_under_one_tag() -> None:
    window = Window("w", 1, 1_000_000, None)
    assert asks(COUNT).tag == Claim(("{a}:w",), (window,), postings=(COUNT,)).tag == "a"
