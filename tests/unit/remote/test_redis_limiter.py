"""remote/redis_limiter.py: what stands in Redis, and what callers get while it is away."""

import asyncio
import math
import time
from collections.abc import AsyncIterator

import pytest

from gateway.kernel.bucket import Claim, Decision, OnFailure, Window, claim
from gateway.kernel.clock import Clock
from gateway.kernel.faults import LIMITER_UNAVAILABLE, GatewayError
from gateway.remote.limiter import Redis, Server
from gateway.remote.redis_limiter import CLOCK_RATE, MAX_COMMANDS, MAX_REFUSALS, REFUSED_S, RedisLimiter
from tests.clocks import ManualClock
from tests.limiter_load import until
from tests.redis_server import RedisServer

CLOCK = Clock(time.monotonic, time.time)
BUCKET = "{0b5b2a9a6cf6}"
DAY = (Window("day", 5, 86_400_000_000, "Day"),)
BOTH = (*DAY, Window("minute", 3, 60_000_000, "Minute"))
GENEROUS_S = 5.0


@pytest.fixture
async def limiter(redis_server: RedisServer) -> AsyncIterator[RedisLimiter]:
    limiter = RedisLimiter(redis_server.url, "gw", GENEROUS_S, "local", CLOCK)
    await limiter.start()
    yield limiter
    await limiter.close()


def stored(server: RedisServer) -> dict[str, tuple[bytes, int]]:
    """Value and end (Unix time in ms) of every bucket but the probe's."""
    keys = [key.decode() for key in server.ask("KEYS", "*:{*}:*") if b"probe" not in key]
    return {key: (server.ask("GET", key), server.ask("PEXPIRETIME", key)) for key in keys}


class TestWhatStandsInRedis:
    async def test_one_key_a_window_under_one_hash_tag(self, limiter: RedisLimiter, redis_server: RedisServer) -> None:
        await limiter.decide(claim(BUCKET, BOTH))
        assert set(stored(redis_server)) == {"gw:1:{0b5b2a9a6cf6}:day", "gw:1:{0b5b2a9a6cf6}:minute"}

    async def test_a_key_lives_until_its_bucket_is_full_and_not_for_ever(self, limiter: RedisLimiter, redis_server: RedisServer) -> None:
        for _ in range(3):
            await limiter.decide(claim(BUCKET, BOTH))
            for value, ends_ms in stored(redis_server).values():
                full_ms = int(value.split(b":")[0]) / 1000
                assert full_ms < ends_ms <= math.ceil(full_ms) + 1000

    async def test_a_refused_call_and_a_look_write_nothing(self, limiter: RedisLimiter, redis_server: RedisServer) -> None:
        for _ in range(3):
            await limiter.decide(claim(BUCKET, BOTH))
        before = stored(redis_server)
        assert not (await limiter.decide(claim(BUCKET, BOTH))).allowed
        assert (await limiter.decide(claim(BUCKET, BOTH, 0))).allowed
        assert (await limiter.decide(claim("ffff", BOTH, 0))).allowed
        assert stored(redis_server) == before

    async def test_the_probe_expires_too(self, limiter: RedisLimiter, redis_server: RedisServer) -> None:
        assert 0 < redis_server.ask("PTTL", "gw:1:{probe}:probe") <= 1002

    async def test_a_value_that_is_none_of_ours_is_replaced(self, limiter: RedisLimiter, redis_server: RedisServer) -> None:
        redis_server.ask("SET", "gw:1:{0b5b2a9a6cf6}:day", "corrupt")
        assert (await limiter.decide(claim(BUCKET, DAY))).states[0].remaining == 4
        assert (await limiter.decide(claim(BUCKET, DAY))).states[0].remaining == 3

    @pytest.mark.parametrize("skew_s", [-10.0, 0.0, 10.0])
    async def test_two_gateways_count_together_whatever_their_clocks_say(
        self, limiter: RedisLimiter, redis_server: RedisServer, skew_s: float
    ) -> None:
        skewed = Clock(lambda: time.monotonic() + skew_s, lambda: time.time() + skew_s)
        other = RedisLimiter(redis_server.url, "gw", GENEROUS_S, "local", skewed)
        await other.start()
        answers = [await each.decide(claim(BUCKET, DAY)) for _ in range(20) for each in (limiter, other)]
        assert [answer.allowed for answer in answers] == [True] * 5 + [False] * 35
        await other.close()

    async def test_of_two_gateways_that_race_for_the_last_token_one_gets_it(self, limiter: RedisLimiter, redis_server: RedisServer) -> None:
        other = RedisLimiter(redis_server.url, "gw", GENEROUS_S, "local", CLOCK)
        await other.start()
        single = (Window("day", 1, 86_400_000_000, None),)
        for number in range(1000):
            one, two = await asyncio.gather(limiter.decide(claim(f"race{number}", single)), other.decide(claim(f"race{number}", single)))
            assert one.allowed is not two.allowed
        await other.close()

    async def test_packed_commands_are_kept_for_some_callers_only(self, limiter: RedisLimiter) -> None:
        for number in range(MAX_COMMANDS + 10):
            limiter._pack(claim(f"a{number}", DAY, 1))
        assert len(limiter._commands) <= MAX_COMMANDS


class TestLadder:
    @pytest.fixture
    def on_failure(self) -> OnFailure:
        return "local"

    @pytest.fixture
    async def away(self, redis_server: RedisServer, on_failure: OnFailure) -> AsyncIterator[RedisLimiter]:
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
    async def test_allow_tells_nothing_of_shadows(self, away: RedisLimiter) -> None:
        windows = (*DAY, Window("shadow", 1, 60_000_000, None, shadow=True))
        assert len((await away.decide(claim(BUCKET, windows))).states) == 1

    @pytest.mark.parametrize("on_failure", ["deny"])
    async def test_deny_refuses_and_says_when_to_try_again(self, away: RedisLimiter) -> None:
        with pytest.raises(GatewayError) as raised:
            await away.decide(claim(BUCKET, DAY))
        assert raised.value.fault is LIMITER_UNAVAILABLE
        assert raised.value.retry_after_s == 1
        assert raised.value.cause is not None
        assert "s3cret" not in raised.value.cause
        assert (await away.decide(claim(BUCKET, ()))).allowed

    async def test_before_it_was_started_calls_meet_the_ladder(self) -> None:
        limiter = RedisLimiter("redis://127.0.0.1:1", "gw", 0.05, "local", CLOCK)
        assert (await limiter.decide(claim(BUCKET, DAY))).store == "fallback"
        await limiter.close()

    async def test_the_repr_is_for_operators(self, away: RedisLimiter, redis_server: RedisServer) -> None:
        assert repr(away) == f"<RedisLimiter 127.0.0.1:{redis_server.port} down, 0 in flight>"


async def test_before_it_was_looked_for_redis_is_said_to_be_away() -> None:
    told = RedisLimiter("redis://127.0.0.1:1", "gw", 0.05, "deny", CLOCK).condition()
    assert (told.decides, told.redis) == ("deny", Redis(False, None, "not looked for yet", [Server("127.0.0.1:1", None, "open", 0, 0)], 1))


async def test_the_repr_while_redis_is_there(limiter: RedisLimiter, redis_server: RedisServer) -> None:
    redis_server.hang()
    waiting = asyncio.ensure_future(limiter.decide(claim(BUCKET, DAY)))
    await asyncio.sleep(0)
    # The call, and perhaps a heartbeat
    assert repr(limiter) in {f"<RedisLimiter 127.0.0.1:{redis_server.port} up, {number} in flight>" for number in (1, 2)}
    redis_server.go_on()
    assert (await waiting).store == "redis"


async def test_after_closing_calls_meet_the_ladder(limiter: RedisLimiter, redis_server: RedisServer) -> None:
    redis_server.hang()
    waiting = asyncio.ensure_future(limiter.decide(claim(BUCKET, DAY)))
    await asyncio.sleep(0)
    await limiter.close()
    assert (await waiting).store == "fallback"
    assert (await limiter.decide(claim(BUCKET, DAY))).store == "fallback"


class TestRefusalsAreRemembered:
    """While Redis hangs, only what is remembered can be answered."""

    SLOW = claim(BUCKET, (Window("slow", 1, 600_000_000, None),))

    @pytest.fixture
    def time(self) -> ManualClock:
        return ManualClock()

    @pytest.fixture
    async def limiter(self, redis_server: RedisServer, time: ManualClock) -> AsyncIterator[RedisLimiter]:
        limiter = RedisLimiter(redis_server.url, "gw", GENEROUS_S, "local", time.clock)
        await limiter.start()
        yield limiter
        await limiter.close()

    async def refused(self, limiter: RedisLimiter, asked: Claim = SLOW) -> Decision:
        while (answer := await limiter.decide(asked)).allowed:
            pass
        assert answer.store == "redis"
        return answer

    async def test_for_a_second(self, limiter: RedisLimiter, redis_server: RedisServer, time: ManualClock) -> None:
        first = await self.refused(limiter)
        redis_server.hang()
        time.advance(REFUSED_S - 0.000001)
        again = await limiter.decide(self.SLOW)
        assert (again.allowed, again.store) == (False, "cache")
        assert 0 < first.states[0].retry_s - again.states[0].retry_s <= REFUSED_S
        redis_server.go_on()
        time.advance(0.000001)
        assert (await limiter.decide(self.SLOW)).store == "redis"

    async def test_not_beyond_the_next_token(self, redis_server: RedisServer, limiter: RedisLimiter, time: ManualClock) -> None:
        asked = claim(BUCKET, (Window("w", 1, 400_000, None),))
        retry_s = (await self.refused(limiter, asked)).states[0].retry_s
        time.advance(retry_s * CLOCK_RATE - 0.000002)
        assert (await limiter.decide(asked)).store == "cache"
        time.advance(0.000003)
        assert (await limiter.decide(asked)).store == "redis"

    async def test_from_before_redis_was_asked(self, redis_server: RedisServer) -> None:
        """Redis may have decided at once, and its answer have been on its way for long."""
        readings_s = iter([0.0, 1.0, 5.0, 5.0 + REFUSED_S, 9.0])
        limiter = RedisLimiter(redis_server.url, "gw", GENEROUS_S, "local", Clock(lambda: next(readings_s), time.time))
        await limiter.start()
        stores = [(await limiter.decide(self.SLOW)).store for _ in range(3)]
        await limiter.close()
        assert stores == ["redis", "redis", "redis"]

    async def test_of_the_same_claim_only(self, limiter: RedisLimiter) -> None:
        two = claim(BUCKET, (Window("two", 2, 600_000_000, None),), 2)
        await self.refused(limiter, two)
        assert (await limiter.decide(two)).store == "cache"
        raised = claim(BUCKET, (Window("two", 9, 600_000_000, None),), 2)
        assert (await limiter.decide(raised)).allowed

    async def test_not_while_a_cheaper_call_may_be_let_through(self, limiter: RedisLimiter, redis_server: RedisServer) -> None:
        """By anybody: what this one has to wait for is longer then."""
        six = (Window("hour", 6, 3_600_000_000, "Hour"),)
        cheap, dear = claim(BUCKET, six, 1), claim(BUCKET, six, 5)
        other = RedisLimiter(redis_server.url, "gw", GENEROUS_S, "local", CLOCK)
        await other.start()
        for _ in range(2):
            await limiter.decide(cheap)
        waits_s = []
        for taken in range(4):
            answer = await limiter.decide(dear)
            waits_s.append(round(answer.states[0].retry_s / 600))
            assert (answer.allowed, answer.store) == (False, "redis")
            assert (await (limiter if taken % 2 else other).decide(cheap)).allowed
        assert waits_s == [1, 2, 3, 4]
        assert (await limiter.decide(dear)).store == "redis"
        assert (await limiter.decide(dear)).store == "cache", "nobody gets anything now"
        await other.close()

    async def test_until_a_call_takes_from_one_of_its_buckets(self, limiter: RedisLimiter) -> None:
        """Another window refused it: what it says of this one has changed."""
        keys, many = ("{a}:none", "{a}:many"), Window("many", 100, 3_600_000_000, None)
        both = Claim(keys, (self.SLOW.windows[0], many))
        await self.refused(limiter, both)
        assert (await limiter.decide(both)).store == "cache"
        assert (await limiter.decide(Claim(keys[1:], (many,), 40))).allowed
        again = await limiter.decide(both)
        assert (again.store, again.states[1].remaining) == ("redis", 59)
        assert limiter._refused.keys() == set(keys)

    async def test_until_its_bucket_is_renewed(self, limiter: RedisLimiter, redis_server: RedisServer) -> None:
        other = claim("other", self.SLOW.windows)
        await self.refused(limiter)
        await self.refused(limiter, other)
        assert await limiter.renew(self.SLOW.keys)
        assert limiter.condition().refusals == 1
        answers = [await limiter.decide(asked) for asked in (self.SLOW, other)]
        assert [(answer.allowed, answer.store) for answer in answers] == [(True, "redis"), (False, "cache")]

    async def test_until_redis_goes_or_comes(self, limiter: RedisLimiter, redis_server: RedisServer) -> None:
        await self.refused(limiter)
        await limiter.close()
        limiter._changed(False, "lost")
        assert (await limiter.decide(self.SLOW)).store == "fallback"

    async def test_in_bounded_memory(self, limiter: RedisLimiter) -> None:
        none = claim(BUCKET, (Window("none", 1, 600_000_000, None),), 2)
        for _ in range(MAX_REFUSALS + 10):
            limiter._remember(claim("a", none.windows), [0, 0, 600_000_000], 0.0)
        assert 0 < len(limiter._refusals) <= MAX_REFUSALS
        assert len(limiter._refused) <= MAX_REFUSALS


class TestGatewaysTogether:
    """Two of them on one Redis, through an outage."""

    async def test_they_share_the_limit_while_redis_is_away_and_pay_when_it_is_back(self, redis_server: RedisServer) -> None:
        ten = (Window("day", 10, 86_400_000_000, "Day"),)
        states: list[bool] = []
        both = [RedisLimiter(redis_server.url, "gw", GENEROUS_S, "local", CLOCK, lambda up, reason: states.append(up)) for _ in range(2)]
        for each in both:
            await each.start()
        try:
            both[0]._woken.set()
            await until(lambda: [each._presence.gateways for each in both] == [2, 2])
            redis_server.kill()
            await until(lambda: states == [True, True, False, False])
            assert [sum([(await each.decide(claim(BUCKET, ten))).allowed for _ in range(20)]) for each in both] == [5, 5]
            assert [(await each.decide(claim("other", ten))).states[0].remaining for each in both] == [4, 4]
            redis_server.start()
            await until(lambda: states == [True, True, False, False, True, True])
            async with asyncio.timeout(20):
                while [(await both[0].decide(claim(bucket, ten, 0))).states[0].remaining for bucket in (BUCKET, "other")] != [0, 8]:
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
