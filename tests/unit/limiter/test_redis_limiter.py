"""limiter/redis_limiter.py: the keys in Redis, and decisions while it is away."""

import asyncio
import math
import time
from collections.abc import AsyncIterator

import pytest

from gateway.kernel.clock import Clock
from gateway.kernel.faults import LIMITER_UNAVAILABLE, GatewayError
from gateway.kernel.limits.token_bucket import OnFailure, Window, claim
from gateway.limiter.interface import Limiter
from gateway.limiter.memory_limiter import LocalLimiter
from gateway.limiter.redis_limiter import RedisLimiter
from gateway.redis_client.status import RedisServerStatus, RedisStatus
from tests.limiter_load import until
from tests.quota_limiter import CLOCK, COUNT, GENEROUS_S, asks
from tests.redis_server import RedisProcess

BUCKET = "{0b5b2a9a6cf6}"
DAY = (Window("day", 5, 86_400_000_000, "Day"),)
BOTH = (*DAY, Window("minute", 3, 60_000_000, "Minute"))


def stored(server: RedisProcess) -> dict[str, tuple[bytes, int]]:
    """Value and end (Unix time in ms) of every bucket but the probe's."""
    keys = [key.decode() for key in server.ask("KEYS", "*:{*}:*") if b"probe" not in key]
    return {key: (server.ask("GET", key), server.ask("PEXPIRETIME", key)) for key in keys}


class TestWhatStandsInRedis:
    async def test_one_key_a_window_under_one_hash_tag(self, limiter: RedisLimiter, redis_server: RedisProcess) -> None:
        await limiter.decide(claim(BUCKET, BOTH))
        assert set(stored(redis_server)) == {"gw:1:{0b5b2a9a6cf6}:day", "gw:1:{0b5b2a9a6cf6}:minute"}

    async def test_a_key_lives_until_its_bucket_is_full_and_not_for_ever(
        self, limiter: RedisLimiter, redis_server: RedisProcess
    ) -> None:
        for _ in range(3):
            await limiter.decide(claim(BUCKET, BOTH))
            for value, ends_ms in stored(redis_server).values():
                full_ms = int(value.split(b":")[0]) / 1000
                assert full_ms < ends_ms <= math.ceil(full_ms) + 1000

    async def test_a_refused_call_and_a_cost_of_zero_write_nothing(
        self, limiter: RedisLimiter, redis_server: RedisProcess
    ) -> None:
        for _ in range(3):
            await limiter.decide(claim(BUCKET, BOTH))
        before = stored(redis_server)
        assert not (await limiter.decide(claim(BUCKET, BOTH))).allowed
        assert (await limiter.decide(claim(BUCKET, BOTH, 0))).allowed
        assert (await limiter.decide(claim("ffff", BOTH, 0))).allowed
        assert stored(redis_server) == before

    async def test_the_probe_expires_too(self, limiter: RedisLimiter, redis_server: RedisProcess) -> None:
        assert 0 < redis_server.ask("PTTL", "gw:1:{probe}:probe") <= 1002

    async def test_a_value_that_is_none_of_ours_is_replaced(
        self, limiter: RedisLimiter, redis_server: RedisProcess
    ) -> None:
        redis_server.ask("SET", "gw:1:{0b5b2a9a6cf6}:day", "corrupt")
        assert (await limiter.decide(claim(BUCKET, DAY))).states[0].remaining == 4
        assert (await limiter.decide(claim(BUCKET, DAY))).states[0].remaining == 3

    @pytest.mark.parametrize("skew_s", [-10.0, 0.0, 10.0])
    async def test_two_gateways_count_together_whatever_their_clocks_say(
        self, limiter: RedisLimiter, redis_server: RedisProcess, skew_s: float
    ) -> None:
        skewed = Clock(lambda: time.monotonic() + skew_s, lambda: time.time() + skew_s)
        other = RedisLimiter(redis_server.url, "gw", GENEROUS_S, "local", skewed)
        await other.start()
        answers = [await each.decide(claim(BUCKET, DAY)) for _ in range(20) for each in (limiter, other)]
        assert [answer.allowed for answer in answers] == [True] * 5 + [False] * 35
        await other.close()

    async def test_of_two_gateways_that_race_for_the_last_token_one_gets_it(
        self, limiter: RedisLimiter, redis_server: RedisProcess
    ) -> None:
        other = RedisLimiter(redis_server.url, "gw", GENEROUS_S, "local", CLOCK)
        await other.start()
        single = (Window("day", 1, 86_400_000_000, None),)
        for number in range(1000):
            one, two = await asyncio.gather(
                limiter.decide(claim(f"race{number}", single)), other.decide(claim(f"race{number}", single))
            )
            assert one.allowed is not two.allowed
        await other.close()

    async def test_a_claim_that_two_limiters_decide_counts_where_each_of_them_counts(
        self, limiter: RedisLimiter, redis_server: RedisProcess
    ) -> None:
        other, local = RedisLimiter(redis_server.url, "other", GENEROUS_S, "local", CLOCK), LocalLimiter(CLOCK)
        await other.start()
        one = claim("shared", DAY, 1)
        left = [(await each.decide(one)).states[0].remaining for each in (limiter, other, local, limiter, other, local)]
        assert [first - again for first, again in zip(left[:3], left[3:], strict=True)] == [1] * 3
        packed = one.command
        await local.decide(one)  # as while Redis is away
        await other.decide(one)
        assert one.command is packed
        await other.close()


class TestOnFailure:
    @pytest.fixture
    def on_failure(self) -> OnFailure:
        return "local"

    @pytest.fixture
    async def away(self, redis_server: RedisProcess, on_failure: OnFailure) -> AsyncIterator[RedisLimiter]:
        redis_server.kill()
        limiter = RedisLimiter(redis_server.url.replace("//", "//:s3cret@"), "gw", GENEROUS_S, on_failure, CLOCK)
        await limiter.start()
        yield limiter
        await limiter.close()

    async def test_local_goes_on_counting_here(self, away: RedisLimiter) -> None:
        answers = [await away.decide(claim(BUCKET, DAY)) for _ in range(6)]
        assert [answer.allowed for answer in answers] == [True] * 5 + [False]
        assert {answer.store for answer in answers} == {"fallback"}
        assert [answer.states[0].remaining for answer in answers] == [4, 3, 2, 1, 0, 0]

    @pytest.mark.parametrize("on_failure", ["allow"])
    async def test_allow_counts_nothing_and_still_has_states(self, away: RedisLimiter) -> None:
        for _ in range(7):
            answer = await away.decide(claim(BUCKET, BOTH))
            assert (answer.allowed, answer.store) == (True, "allow")
            assert [(state.remaining, state.retry_s) for state in answer.states] == [(4, 0.0), (2, 0.0)]
        assert [state.remaining for state in (await away.decide(claim(BUCKET, BOTH, 4))).states] == [1, 0]

    @pytest.mark.parametrize("on_failure", ["allow"])
    async def test_allow_reports_no_shadows(self, away: RedisLimiter) -> None:
        windows = (*DAY, Window("shadow", 1, 60_000_000, None, shadow=True))
        assert len((await away.decide(claim(BUCKET, windows))).states) == 1

    @pytest.mark.parametrize("on_failure", ["deny"])
    async def test_deny_refuses_with_a_time_to_try_again(self, away: RedisLimiter) -> None:
        with pytest.raises(GatewayError) as raised:
            await away.decide(claim(BUCKET, DAY))
        assert raised.value.fault is LIMITER_UNAVAILABLE
        assert raised.value.retry_after_s == 1
        assert raised.value.cause is not None
        assert "s3cret" not in raised.value.cause
        assert (await away.decide(claim(BUCKET, ()))).allowed

    async def test_before_the_start_on_failure_decides(self) -> None:
        limiter = RedisLimiter("redis://127.0.0.1:1", "gw", 0.05, "local", CLOCK)
        assert (await limiter.decide(claim(BUCKET, DAY))).store == "fallback"
        await limiter.close()

    async def test_the_repr_is_for_operators(self, away: RedisLimiter, redis_server: RedisProcess) -> None:
        assert repr(away) == f"<RedisLimiter 127.0.0.1:{redis_server.port} down, 0 in flight>"


async def test_before_the_first_attempt_redis_counts_as_away() -> None:
    condition = RedisLimiter("redis://127.0.0.1:1", "gw", 0.05, "deny", CLOCK).condition()
    assert (condition.decides, condition.redis) == (
        "deny",
        RedisStatus(
            up=False,
            since=None,
            reason="not looked for yet",
            servers=[RedisServerStatus("127.0.0.1:1", None, "open", 0, 0)],
            gateways=1,
        ),
    )


async def test_the_repr_while_redis_is_there(limiter: RedisLimiter, redis_server: RedisProcess) -> None:
    redis_server.hang()
    waiting = asyncio.ensure_future(limiter.decide(claim(BUCKET, DAY)))
    await asyncio.sleep(0)
    # The call, and perhaps a heartbeat
    assert repr(limiter) in {
        f"<RedisLimiter 127.0.0.1:{redis_server.port} up, {number} in flight>" for number in (1, 2)
    }
    redis_server.go_on()
    assert (await waiting).store == "redis"


async def test_after_closing_on_failure_decides(limiter: RedisLimiter, redis_server: RedisProcess) -> None:
    redis_server.hang()
    waiting = asyncio.ensure_future(limiter.decide(claim(BUCKET, DAY)))
    await asyncio.sleep(0)
    await limiter.close()
    assert (await waiting).store == "fallback"
    assert (await limiter.decide(claim(BUCKET, DAY))).store == "fallback"


class TestGatewaysTogether:
    """Two of them on one Redis, through an outage."""

    async def test_they_share_the_limit_while_redis_is_away_and_pay_when_it_is_back(
        self, redis_server: RedisProcess
    ) -> None:
        ten = (Window("day", 10, 86_400_000_000, "Day"),)
        states: list[bool] = []
        both = [
            RedisLimiter(redis_server.url, "gw", GENEROUS_S, "local", CLOCK, lambda up, reason: states.append(up))
            for _ in range(2)
        ]
        for each in both:
            await each.start()
        try:
            both[0]._wake.set()
            await until(lambda: [each._heartbeat.gateways for each in both] == [2, 2])
            redis_server.kill()
            await until(lambda: states == [True, True, False, False])
            assert [sum([(await each.decide(claim(BUCKET, ten))).allowed for _ in range(20)]) for each in both] == [
                5,
                5,
            ]
            assert [(await each.decide(claim("other", ten))).states[0].remaining for each in both] == [4, 4]
            redis_server.start()
            await until(lambda: states == [True, True, False, False, True, True])
            async with asyncio.timeout(20):
                while [
                    (await both[0].decide(claim(bucket, ten, 0))).states[0].remaining for bucket in (BUCKET, "other")
                ] != [0, 8]:
                    pass
            answers = [await each.decide(claim(BUCKET, ten)) for each in both]
            assert [(answer.allowed, answer.store) for answer in answers] == [(False, "redis")] * 2
            await both[0].close()
            assert redis_server.ask("ZCARD", "gw:1:gateways") == 1
            await both[1].close()
            assert redis_server.ask("EXISTS", "gw:1:gateways") == 0
        finally:
            for each in both:
                await each.close()


async def test_it_is_a_limiter_like_others(redis_server: RedisProcess) -> None:
    memory = LocalLimiter(CLOCK)
    before, after = (RedisLimiter(redis_server.url, "gw", GENEROUS_S, "local", CLOCK) for _ in range(2))
    limiters: list[Limiter] = [memory, before, after]
    for each in limiters:
        await each.start()
        assert await each.read(()) == []
        assert (await each.decide(asks(COUNT))).allowed
        assert await each.renew(["{a}:never"])
        assert (each.owed, each.lost) == (0, 0)
    assert not (await after.decide(asks(COUNT))).allowed
    for each in limiters[:2]:
        after.adopt(each.hand_over())
    for each in limiters:
        assert await each.forget(COUNT.key)
        await each.close()
    assert (memory.call, callable(after.call)) == (None, True)


class TestQuotas:
    async def test_they_are_counted_in_redis(self, limiter: RedisLimiter) -> None:
        for _ in range(2):
            assert (await limiter.decide(asks(COUNT))).allowed
        assert not (await limiter.decide(asks(COUNT))).allowed
        assert [state.used for state in await limiter.read((COUNT,))] == [2]

    async def test_a_call_that_is_let_through_ends_remembered_refusals(self, limiter: RedisLimiter) -> None:
        asked = claim(BUCKET, DAY)
        answers = [(await limiter.decide(asked)).allowed for _ in range(DAY[0].max + 1)]
        assert answers == [True] * DAY[0].max + [False]
        assert len(limiter._refusals.by_claim) == 1
        assert (await limiter.decide(asked)).store == "cache"
        assert (await limiter.decide(asks(COUNT))).allowed

    @pytest.mark.parametrize("on_failure", ["local", "deny"])
    async def test_without_redis_the_share_counts(self, on_failure: OnFailure) -> None:
        limiter = RedisLimiter("redis://127.0.0.1:1", "gw", 0.05, on_failure, CLOCK)
        assert await limiter.read(()) == []
        if on_failure == "deny":
            with pytest.raises(GatewayError) as raised:
                await limiter.decide(asks(COUNT))
            assert raised.value.fault is LIMITER_UNAVAILABLE
            with pytest.raises(GatewayError) as raised:
                await limiter.read((COUNT,))
            assert raised.value.fault is LIMITER_UNAVAILABLE
        else:
            assert (await limiter.decide(asks(COUNT))).store == "fallback"
            assert [state.used for state in await limiter.read((COUNT,))] == [1]
        await limiter.close()
