"""limiter/redis_quotas.py: what a gateway does while Redis is away, and what Redis learns of it."""

import pytest

from gateway.kernel.faults import GatewayError
from gateway.limiter import redis_quotas as module
from gateway.limiter.memory_quotas import MemoryQuotas
from gateway.redis_client.connection import Reply
from tests.limiter_load import until
from tests.quota_limiter import CLOCK, COUNT, FLIGHT, LEVEL, MONTHLY, RELEASE, SUM, Gateway, asks, posting, stored
from tests.redis_server import RedisProcess


class TestWithoutRedis:
    async def test_a_gateway_has_its_share_of_what_was_left(self, gateway: Gateway, redis_server: RedisProcess) -> None:
        eight, ten = posting("level", 8), posting("count", 10)
        for _ in range(4):
            await gateway.allowed(eight, ten)
        gateway.limiter.fallback.gateways = 2
        redis_server.kill()
        await gateway.is_up(False)
        for _ in range(2):
            await gateway.allowed(eight, ten)
        assert [(state.meter.id, state.used) for state in (await gateway.refused(eight, ten)).spent] == [("level", 8)]
        await gateway.allowed(ten)
        assert (await gateway.refused(ten)).spent[0].used == 10

    async def test_and_says_so(self, gateway: Gateway, redis_server: RedisProcess) -> None:
        eight = posting("count", 8)
        for _ in range(4):
            await gateway.allowed(eight)
        gateway.limiter.fallback.gateways = 2
        redis_server.kill()
        await gateway.is_up(False)
        assert [state.used for state in await gateway.limiter.read((eight,))] == [6]
        assert not await gateway.limiter.forget(eight.key)
        assert [state.used for state in await gateway.limiter.read((eight,))] == [4]

    async def test_goes_by_what_redis_said_last_when_one_answer_after_another_is_late(self) -> None:
        said = iter((2, 1))

        async def call(command: bytes, tag: str) -> Reply:
            return [1, 0, 0, next(said), 0]

        quotas, memory_quotas = module.RedisQuotas("gw:", call, b"", CLOCK), MemoryQuotas(CLOCK)
        for used in (2, None):
            await quotas.decide(asks(LEVEL))
            for _ in range(2):
                quotas.seed_share((LEVEL,), memory_quotas, 1)
            assert [state.used for state in memory_quotas.spent((LEVEL,))] == ([] if used is None else [used])
        memory_quotas.take((LEVEL,))
        quotas.seed_share((LEVEL,), memory_quotas, 1)
        assert [state.used for state in memory_quotas.spent((LEVEL,))] == [2]

    async def test_at_least_one_unless_nothing_was_left(self, gateway: Gateway, redis_server: RedisProcess) -> None:
        for _ in range(2):
            await gateway.allowed(COUNT)
        gateway.limiter.fallback.gateways = 9
        redis_server.kill()
        await gateway.is_up(False)
        await gateway.refused(COUNT)
        await gateway.allowed(LEVEL)
        await gateway.refused(LEVEL)

    async def test_calls_in_flight_count_wherever_they_began(self, gateway: Gateway, redis_server: RedisProcess) -> None:
        before = await gateway.allowed(FLIGHT)
        redis_server.kill()
        await gateway.is_up(False)
        meanwhile = await gateway.allowed(FLIGHT)
        await gateway.refused(FLIGHT)
        await gateway.limiter.quotas.renew()
        redis_server.start()
        await gateway.is_up(True)
        await until(lambda: redis_server.ask("ZCARD", "gw:1:{a}:concurrency") == 2)
        await gateway.refused(FLIGHT)
        before.end()
        meanwhile.end()
        await gateway.is_settled()
        assert redis_server.ask("EXISTS", "gw:1:{a}:concurrency") == 0

    async def test_calls_that_end_meanwhile_leave_their_place(self, redis_server: RedisProcess) -> None:
        """Here at once, and in Redis before any call that comes when it is back."""
        one = posting("concurrency", 1)
        async with Gateway(redis_server.url, timeout_s=0.2) as gateway:
            before = await gateway.allowed(one)
            redis_server.hang()
            await gateway.refused(one)
            await gateway.is_up(False)
            before.end()
            for _ in range(2):
                (await gateway.allowed(one)).end()
            assert gateway.limiter.quotas._flying == {}
            redis_server.go_on()
            await gateway.is_up(True)
            (await gateway.allowed(one)).end()

    async def test_redis_is_told_of_the_places_that_it_knows(self, gateway: Gateway, redis_server: RedisProcess) -> None:
        """Those that nobody has told it of, and those that it may have been told of."""
        redis_server.kill()
        await gateway.is_up(False)
        calls = [await gateway.allowed(posting("concurrency", 3)) for _ in range(2)]
        await gateway.limiter.quotas.renew()
        assert list(gateway.limiter.quotas._flying["{a}:concurrency"].values()) == [False, False]
        calls[0].end()
        assert not gateway.limiter.quotas.settlements._places
        redis_server.start()
        await gateway.is_up(True)
        await until(lambda: redis_server.ask("ZCARD", "gw:1:{a}:concurrency") == 1)
        calls[1].end()
        await gateway.is_settled()
        assert redis_server.ask("EXISTS", "gw:1:{a}:concurrency") == 0

    async def test_what_it_let_through_is_charged_when_redis_is_back(self, gateway: Gateway, redis_server: RedisProcess) -> None:
        early = await gateway.allowed(RELEASE, SUM)
        redis_server.kill()
        await gateway.is_up(False)
        early.settle(True, {"sum": 5})
        for succeeded in (True, False):
            hold = await gateway.allowed(COUNT, LEVEL, SUM, FLIGHT)
            for _ in range(2):
                assert (hold.settle(succeeded, {"sum": 1}), hold.end()) == (None, None)  # nothing to wait for
        await gateway.allowed(COUNT)
        redis_server.start()
        await gateway.is_up(True)
        await gateway.is_settled()
        assert [redis_server.ask("GET", f"gw:1:{{a}}:{name}") for name in ("count", "sum")] == [b"1:0", b"6:0"]
        assert redis_server.ask("ZCARD", "gw:1:{a}:level") in {0, 1}  # the release may have come after the charge
        assert repr(gateway.limiter.fallback.memory.memory_quotas) == "<MemoryQuotas 0 tallies, 0 sets of units>"

    async def test_a_call_whose_answer_was_lost_is_charged_once(self, redis_server: RedisProcess) -> None:
        async with Gateway(redis_server.url, timeout_s=0.2) as gateway:
            redis_server.hang()
            (await gateway.allowed(MONTHLY)).settle(True, {})
            redis_server.go_on()
            await gateway.is_settled()
            assert redis_server.ask("GET", "gw:1:{a}:count").partition(b":")[0] == b"1"

    async def test_what_was_never_sent_leaves_nothing_to_take_back(self, gateway: Gateway, redis_server: RedisProcess) -> None:
        redis_server.kill()
        await gateway.is_up(False)
        (await gateway.allowed(COUNT, LEVEL, FLIGHT)).end()
        await gateway.is_settled()

    async def test_under_allow_only_what_replies_say_is_kept(self, redis_server: RedisProcess) -> None:
        async with Gateway(redis_server.url, "allow") as gateway:
            redis_server.kill()
            await gateway.is_up(False)
            for _ in range(3):
                hold = await gateway.allowed(COUNT, SUM, FLIGHT)
                hold.settle(True, {"sum": 1})
                hold.end()
            redis_server.start()
            await gateway.is_up(True)
            await gateway.is_settled()
            assert stored(redis_server) == {"gw:1:{a}:sum"}

    async def test_under_deny_nothing_is_let_through(self, redis_server: RedisProcess) -> None:
        async with Gateway(redis_server.url, "deny") as gateway:
            redis_server.kill()
            await gateway.is_up(False)
            with pytest.raises(GatewayError):
                await gateway.limiter.decide(asks(COUNT))
            with pytest.raises(GatewayError):
                await gateway.limiter.read((COUNT,))

    async def test_a_month_that_is_over_is_not_what_was_left(self, gateway: Gateway, redis_server: RedisProcess) -> None:
        await gateway.allowed(MONTHLY)
        known = gateway.limiter.quotas.known
        assert known["{a}:count"][0] == 1
        known["{a}:count"] = (2, known["{a}:count"][1] - 1)
        redis_server.kill()
        await gateway.is_up(False)
        for _ in range(2):
            await gateway.allowed(MONTHLY)
        await gateway.refused(MONTHLY)

    async def test_what_is_known_is_bounded(self, gateway: Gateway) -> None:
        known = gateway.limiter.quotas.known
        known.update({f"{number}": (1, 0) for number in range(module.MAX_KNOWN + 1)})
        await gateway.allowed(COUNT)
        assert set(known) == {"{a}:count"}
