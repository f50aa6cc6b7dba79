"""limiter/outage.py: what quotas do while Redis is away, and what Redis is charged with afterwards."""

import pytest

from gateway.kernel.faults import GatewayError
from tests.limiter_load import until
from tests.quota_limiter import COUNT, FLIGHT, LEVEL, MONTHLY, RELEASE, SUM, Gateway, asks, posting, stored
from tests.redis_server import RedisProcess


class TestWithoutRedis:
    async def test_a_gateway_has_its_share_of_what_was_available(
        self, gateway: Gateway, redis_server: RedisProcess
    ) -> None:
        eight, ten = posting("level", 8), posting("count", 10)
        for _ in range(4):
            await gateway.allowed(eight, ten)
        gateway.limiter.outage.fallback.gateways = 2
        redis_server.kill()
        await gateway.is_up(up=False)
        for _ in range(2):
            await gateway.allowed(eight, ten)
        assert [(state.meter.id, state.used) for state in (await gateway.refused(eight, ten)).spent] == [("level", 8)]
        await gateway.allowed(ten)
        assert (await gateway.refused(ten)).spent[0].used == 10

    async def test_reading_shows_the_share(self, gateway: Gateway, redis_server: RedisProcess) -> None:
        eight = posting("count", 8)
        for _ in range(4):
            await gateway.allowed(eight)
        gateway.limiter.outage.fallback.gateways = 2
        redis_server.kill()
        await gateway.is_up(up=False)
        assert [state.used for state in await gateway.limiter.read((eight,))] == [6]
        assert not await gateway.limiter.forget(eight.key)
        assert [state.used for state in await gateway.limiter.read((eight,))] == [4]

    async def test_a_share_is_at_least_one_unless_nothing_was_available(
        self, gateway: Gateway, redis_server: RedisProcess
    ) -> None:
        for _ in range(2):
            await gateway.allowed(COUNT)
        gateway.limiter.outage.fallback.gateways = 9
        redis_server.kill()
        await gateway.is_up(up=False)
        await gateway.refused(COUNT)
        await gateway.allowed(LEVEL)
        await gateway.refused(LEVEL)

    async def test_calls_in_flight_count_wherever_they_began(
        self, gateway: Gateway, redis_server: RedisProcess
    ) -> None:
        before = await gateway.allowed(FLIGHT)
        redis_server.kill()
        await gateway.is_up(up=False)
        meanwhile = await gateway.allowed(FLIGHT)
        await gateway.refused(FLIGHT)
        await gateway.limiter.outage.in_flight.renew()
        redis_server.start()
        await gateway.is_up(up=True)
        await until(lambda: redis_server.ask("ZCARD", "gw:1:{a}:concurrency") == 2)
        await gateway.refused(FLIGHT)
        before.release()
        meanwhile.release()
        await gateway.is_settled()
        assert redis_server.ask("EXISTS", "gw:1:{a}:concurrency") == 0

    async def test_calls_that_end_meanwhile_leave_their_place(self, redis_server: RedisProcess) -> None:
        """Here at once, and in Redis before any call that comes when it is back."""
        one = posting("concurrency", 1)
        async with Gateway(redis_server.url, timeout_s=0.2) as gateway:
            before = await gateway.allowed(one)
            redis_server.hang()
            await gateway.refused(one)
            await gateway.is_up(up=False)
            before.release()
            for _ in range(2):
                (await gateway.allowed(one)).release()
            assert gateway.limiter.outage.in_flight._units == {}
            redis_server.go_on()
            await gateway.is_up(up=True)
            (await gateway.allowed(one)).release()

    async def test_redis_gets_the_releases_of_units_that_it_may_have(
        self, gateway: Gateway, redis_server: RedisProcess
    ) -> None:
        """Those that nobody has told it of, and those that it may have been told of."""
        redis_server.kill()
        await gateway.is_up(up=False)
        calls = [await gateway.allowed(posting("concurrency", 3)) for _ in range(2)]
        await gateway.limiter.outage.in_flight.renew()
        assert list(gateway.limiter.outage.in_flight._units["{a}:concurrency"].values()) == [False, False]
        calls[0].release()
        assert not gateway.limiter.outage.settlements._releases
        redis_server.start()
        await gateway.is_up(up=True)
        await until(lambda: redis_server.ask("ZCARD", "gw:1:{a}:concurrency") == 1)
        calls[1].release()
        await gateway.is_settled()
        assert redis_server.ask("EXISTS", "gw:1:{a}:concurrency") == 0

    async def test_what_it_let_through_is_charged_when_redis_is_back(
        self, gateway: Gateway, redis_server: RedisProcess
    ) -> None:
        early = await gateway.allowed(RELEASE, SUM)
        redis_server.kill()
        await gateway.is_up(up=False)
        early.commit({"sum": 5}, succeeded=True)
        for succeeded in (True, False):
            reservation = await gateway.allowed(COUNT, LEVEL, SUM, FLIGHT)
            for _ in range(2):
                assert (reservation.commit({"sum": 1}, succeeded=succeeded), reservation.release()) == (
                    None,
                    None,
                )  # nothing to wait for
        await gateway.allowed(COUNT)
        redis_server.start()
        await gateway.is_up(up=True)
        await gateway.is_settled()
        assert [redis_server.ask("GET", f"gw:1:{{a}}:{name}") for name in ("count", "sum")] == [b"1:0", b"6:0"]
        assert redis_server.ask("ZCARD", "gw:1:{a}:level") in {0, 1}  # the release may have come after the charge
        assert repr(gateway.limiter.outage.fallback.memory.memory_quotas) == "<MemoryQuotas 0 tallies, 0 sets of units>"

    async def test_a_call_whose_answer_was_lost_is_charged_once(self, redis_server: RedisProcess) -> None:
        async with Gateway(redis_server.url, timeout_s=0.2) as gateway:
            redis_server.hang()
            (await gateway.allowed(MONTHLY)).commit({}, succeeded=True)
            redis_server.go_on()
            await gateway.is_settled()
            assert redis_server.ask("GET", "gw:1:{a}:count").partition(b":")[0] == b"1"

    async def test_what_was_never_sent_leaves_nothing_to_take_back(
        self, gateway: Gateway, redis_server: RedisProcess
    ) -> None:
        redis_server.kill()
        await gateway.is_up(up=False)
        (await gateway.allowed(COUNT, LEVEL, FLIGHT)).release()
        await gateway.is_settled()

    async def test_under_allow_only_what_replies_say_is_kept(self, redis_server: RedisProcess) -> None:
        async with Gateway(redis_server.url, "allow") as gateway:
            redis_server.kill()
            await gateway.is_up(up=False)
            for _ in range(3):
                reservation = await gateway.allowed(COUNT, SUM, FLIGHT)
                reservation.commit({"sum": 1}, succeeded=True)
                reservation.release()
            redis_server.start()
            await gateway.is_up(up=True)
            await gateway.is_settled()
            assert stored(redis_server) == {"gw:1:{a}:sum"}

    async def test_under_deny_nothing_is_let_through(self, redis_server: RedisProcess) -> None:
        async with Gateway(redis_server.url, "deny") as gateway:
            redis_server.kill()
            await gateway.is_up(up=False)
            with pytest.raises(GatewayError):
                await gateway.limiter.decide(asks(COUNT))
            with pytest.raises(GatewayError):
                await gateway.limiter.read((COUNT,))

    async def test_the_use_of_a_past_month_does_not_count(self, gateway: Gateway, redis_server: RedisProcess) -> None:
        await gateway.allowed(MONTHLY)
        known = gateway.limiter.outage.shares.last
        assert known["{a}:count"][0] == 1
        known["{a}:count"] = (2, known["{a}:count"][1] - 1)
        redis_server.kill()
        await gateway.is_up(up=False)
        for _ in range(2):
            await gateway.allowed(MONTHLY)
        await gateway.refused(MONTHLY)
