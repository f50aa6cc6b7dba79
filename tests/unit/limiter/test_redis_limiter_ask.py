"""limiter/redis_limiter.py: decisions in two parts, for callers that are no coroutines."""

from typing import cast

import pytest

from gateway.kernel.faults import LIMITER_UNAVAILABLE, GatewayError
from gateway.kernel.limits.token_bucket import UNLIMITED, Decision, OnFailure, Window, claim
from gateway.limiter.redis_limiter import RedisLimiter
from gateway.net.waiter import Waiter
from tests.quota_limiter import CLOCK, GENEROUS_S

BUCKET = "{0b5b2a9a6cf6}"
DAY = (Window("day", 5, 86_400_000_000, "Day"),)
BOTH = (*DAY, Window("minute", 3, 60_000_000, "Minute"))


async def test_a_decision_is_made_of_the_reply(limiter: RedisLimiter) -> None:
    daily = claim(BUCKET, DAY)
    asked = limiter.ask(daily, CLOCK.monotonic())
    assert isinstance(asked, Waiter)
    assert not asked.done
    decided = limiter.decided(daily, await asked, CLOCK.monotonic())
    assert (decided.allowed, decided.store, decided.states[0].remaining) == (True, "redis", 4)


async def test_what_is_known_needs_no_reply(limiter: RedisLimiter) -> None:
    assert limiter.ask(claim(BUCKET, ()), 0.0) is UNLIMITED
    daily = claim(BUCKET, DAY)
    for _ in range(6):
        await limiter.decide(daily)
    refused = limiter.ask(daily, CLOCK.monotonic())
    assert isinstance(refused, Decision)
    assert (refused.allowed, refused.store) == (False, "cache")


async def test_who_gives_up_leaves_the_others_their_replies(limiter: RedisLimiter) -> None:
    given_up, other = claim("given up", DAY), claim("other", BOTH)
    asked = [limiter.ask(each, CLOCK.monotonic()) for each in (given_up, other)]
    assert isinstance(asked[0], Waiter)
    assert isinstance(asked[1], Waiter)
    asked[0].cancel()
    assert len(limiter.decided(other, await asked[1], CLOCK.monotonic()).states) == 2


async def test_before_the_start_on_failure_decides_at_once() -> None:
    for on_failure, store in (("local", "fallback"), ("allow", "allow")):
        limiter = RedisLimiter("redis://127.0.0.1:1", "gw", GENEROUS_S, cast("OnFailure", on_failure), CLOCK)
        decided = limiter.ask(claim(BUCKET, DAY), CLOCK.monotonic())
        assert isinstance(decided, Decision)
        assert decided.store == store
    with pytest.raises(GatewayError) as raised:
        RedisLimiter("redis://127.0.0.1:1", "gw", GENEROUS_S, "deny", CLOCK).ask(claim(BUCKET, DAY), 0.0)
    assert raised.value.fault is LIMITER_UNAVAILABLE
