"""limiter/refusals.py: what is remembered of refusals, and for how long."""

import time
from collections.abc import AsyncIterator

import pytest

from gateway.kernel.clock import Clock
from gateway.kernel.limits.token_bucket import Claim, Decision, Window, claim
from gateway.limiter.redis_limiter import RedisLimiter
from gateway.limiter.refusals import CLOCK_RATE, MAX_REFUSALS, REFUSED_S, RememberedRefusals
from tests.clocks import ManualClock
from tests.redis_server import RedisProcess

CLOCK = Clock(time.monotonic, time.time)
BUCKET = "{0b5b2a9a6cf6}"
DAY = (Window("day", 5, 86_400_000_000, "Day"),)
BOTH = (*DAY, Window("minute", 3, 60_000_000, "Minute"))
GENEROUS_S = 5.0


class TestRefusalsAreRemembered:
    """While Redis hangs, only what is remembered can be answered."""

    SLOW = claim(BUCKET, (Window("slow", 1, 600_000_000, None),))

    @pytest.fixture
    def time(self) -> ManualClock:
        return ManualClock()

    @pytest.fixture
    async def limiter(self, redis_server: RedisProcess, time: ManualClock) -> AsyncIterator[RedisLimiter]:
        limiter = RedisLimiter(redis_server.url, "gw", GENEROUS_S, "local", time.clock)
        await limiter.start()
        yield limiter
        await limiter.close()

    async def refused(self, limiter: RedisLimiter, asked: Claim = SLOW) -> Decision:
        while (answer := await limiter.decide(asked)).allowed:
            pass
        assert answer.store == "redis"
        return answer

    async def test_for_a_second(self, limiter: RedisLimiter, redis_server: RedisProcess, time: ManualClock) -> None:
        first = await self.refused(limiter)
        redis_server.hang()
        time.advance(REFUSED_S - 0.000001)
        again = await limiter.decide(self.SLOW)
        assert (again.allowed, again.store) == (False, "cache")
        assert 0 < first.states[0].retry_s - again.states[0].retry_s <= REFUSED_S
        redis_server.go_on()
        time.advance(0.000001)
        assert (await limiter.decide(self.SLOW)).store == "redis"

    async def test_not_beyond_the_next_token(
        self, redis_server: RedisProcess, limiter: RedisLimiter, time: ManualClock
    ) -> None:
        asked = claim(BUCKET, (Window("w", 1, 400_000, None),))
        retry_s = (await self.refused(limiter, asked)).states[0].retry_s
        time.advance(retry_s * CLOCK_RATE - 0.000002)
        assert (await limiter.decide(asked)).store == "cache"
        time.advance(0.000003)
        assert (await limiter.decide(asked)).store == "redis"

    async def test_from_before_redis_was_asked(self, redis_server: RedisProcess) -> None:
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

    async def test_not_while_a_cheaper_call_may_be_let_through(
        self, limiter: RedisLimiter, redis_server: RedisProcess
    ) -> None:
        """By anybody: what this one has to wait for is longer then."""
        six = (Window("hour", 6, 3_600_000_000, "Hour"),)
        cheap, dear = claim(BUCKET, six, 1), claim(BUCKET, six, 5)
        other = RedisLimiter(redis_server.url, "gw", GENEROUS_S, "local", CLOCK)
        await other.start()
        for _ in range(2):
            await limiter.decide(cheap)
        waits_s = []
        for number in range(4):
            answer = await limiter.decide(dear)
            waits_s.append(round(answer.states[0].retry_s / 600))
            assert (answer.allowed, answer.store) == (False, "redis")
            assert (await (limiter if number % 2 else other).decide(cheap)).allowed
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
        assert limiter._refusals._claims.keys() == set(keys)

    async def test_until_its_bucket_is_renewed(self, limiter: RedisLimiter, redis_server: RedisProcess) -> None:
        other = claim("other", self.SLOW.windows)
        await self.refused(limiter)
        await self.refused(limiter, other)
        assert await limiter.renew(self.SLOW.keys)
        assert limiter.condition().refusals == 1
        answers = [await limiter.decide(asked) for asked in (self.SLOW, other)]
        assert [(answer.allowed, answer.store) for answer in answers] == [(True, "redis"), (False, "cache")]

    async def test_until_redis_goes_or_comes(self, limiter: RedisLimiter, redis_server: RedisProcess) -> None:
        await self.refused(limiter)
        await limiter.close()
        limiter._changed(up=False, reason="lost")
        assert (await limiter.decide(self.SLOW)).store == "fallback"

    def test_in_bounded_memory(self) -> None:
        refusals = RememberedRefusals(CLOCK)
        none = claim(BUCKET, (Window("none", 1, 600_000_000, None),), 2)
        for _ in range(MAX_REFUSALS + 10):
            refusals.remember(claim("a", none.windows), [0, 0, 600_000_000], 0.0)
        assert 0 < len(refusals.by_claim) <= MAX_REFUSALS
        assert len(refusals._claims) <= MAX_REFUSALS
        assert repr(refusals) == f"<RememberedRefusals {len(refusals.by_claim)}>"
