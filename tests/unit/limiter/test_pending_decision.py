"""limiter/pending_decision.py: decisions that are awaited, with and without a wait."""

import asyncio
from typing import cast

import pytest

from gateway.kernel.faults import LIMITER_UNAVAILABLE, GatewayError
from gateway.kernel.limits.token_bucket import UNLIMITED, OnFailure, Window, claim
from gateway.limiter.pending_decision import KnownDecision, PendingDecision
from gateway.limiter.redis_limiter import RedisLimiter
from gateway.net.coroutine_driver import CoroutineDriver
from tests.quota_limiter import CLOCK, GENEROUS_S

BUCKET = "{0b5b2a9a6cf6}"
DAY = (Window("day", 5, 86_400_000_000, "Day"),)
BOTH = (*DAY, Window("minute", 3, 60_000_000, "Minute"))


async def test_a_decision_is_made_of_the_reply(limiter: RedisLimiter) -> None:
    asked = limiter.decide(claim(BUCKET, DAY))
    assert isinstance(asked, PendingDecision)
    assert not asked.done
    decided = await asked
    assert (decided.allowed, decided.store, decided.states[0].remaining) == (True, "redis", 4)


async def test_what_is_known_needs_no_reply(limiter: RedisLimiter) -> None:
    unlimited = limiter.decide(claim(BUCKET, ()))
    assert isinstance(unlimited, KnownDecision)
    assert await unlimited is UNLIMITED
    daily = claim(BUCKET, DAY)
    for _ in range(6):
        await limiter.decide(daily)
    known = limiter.decide(daily)
    assert isinstance(known, KnownDecision)
    refused = await known
    assert (refused.allowed, refused.store) == (False, "cache")


async def test_who_gives_up_leaves_the_others_their_replies(limiter: RedisLimiter) -> None:
    given_up, other = (limiter.decide(each) for each in (claim("given up", DAY), claim("other", BOTH)))
    assert isinstance(given_up, PendingDecision)
    assert given_up.cancel()
    assert len((await other).states) == 2
    with pytest.raises(asyncio.CancelledError):
        await given_up


async def test_a_coroutine_without_a_task_goes_on_in_the_callback_that_brings_the_reply(limiter: RedisLimiter) -> None:
    tasks, ended = list[object](), asyncio.Event()

    async def decided() -> None:
        assert (await limiter.decide(claim(BUCKET, DAY))).allowed
        tasks.append(asyncio.current_task())

    loop = asyncio.get_running_loop()
    driver = CoroutineDriver(loop, always_in_task=False)
    loop.call_soon(driver.run, decided(), lambda _: ended.set())
    await asyncio.wait_for(ended.wait(), GENEROUS_S)
    assert tasks == [None]


async def test_before_the_start_on_failure_decides_at_once() -> None:
    for on_failure, store in (("local", "fallback"), ("allow", "allow")):
        limiter = RedisLimiter("redis://127.0.0.1:1", "gw", GENEROUS_S, cast("OnFailure", on_failure), CLOCK)
        asked = limiter.decide(claim(BUCKET, DAY))
        assert isinstance(asked, PendingDecision)
        assert asked.done
        assert (await asked).store == store
    refusing = RedisLimiter("redis://127.0.0.1:1", "gw", GENEROUS_S, "deny", CLOCK)
    with pytest.raises(GatewayError) as raised:
        await refusing.decide(claim(BUCKET, DAY))
    assert raised.value.fault is LIMITER_UNAVAILABLE
