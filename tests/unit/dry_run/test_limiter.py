"""dry_run/limiter.py: a decision that costs nothing."""

import msgspec

from gateway.dry_run.limiter import PeekingLimiter
from gateway.kernel.faults import CATALOGUE
from gateway.kernel.limits.quota import Meter, Posting
from gateway.kernel.limits.token_bucket import Claim, Window, claim
from gateway.limiter.memory_limiter import LocalLimiter
from tests.clocks import ManualClock

MINUTE, SHADOW = Window("minute", 3, 60_000_000, "Minute"), Window("s", 1, 60_000_000, "Minute", shadow=True)
STARTS = Meter("starts", "count", 1, "key", CATALOGUE["rate_limited"], monthly=True)


async def test_it_decides_as_the_limiter_would_and_takes_nothing() -> None:
    clock = ManualClock()
    real = LocalLimiter(clock.clock)
    peeking = PeekingLimiter(real, clock.clock)
    one = claim("{b}", (MINUTE, SHADOW))
    for left in (2, 1, 0):
        await peeking.decide(one)
        asked = await peeking.decide(one)
        assert (asked.allowed, [state.remaining for state in asked.states]) == (True, [left])
        assert asked.states == (await real.decide(one)).states
        clock.advance(0.25)
    asked, decided = await peeking.decide(one), await real.decide(one)
    assert (asked.allowed, asked.states) == (decided.allowed, decided.states)
    assert (asked.allowed, asked.store) == (False, "local")


async def test_a_spent_quota_refuses_and_another_is_not_charged() -> None:
    clock = ManualClock()
    real = LocalLimiter(clock.clock, store="redis")
    peeking = PeekingLimiter(real, clock.clock)
    one = Claim((), (), 1, (), (Posting("{b}:q", STARTS),))
    assert [(await peeking.decide(one)).allowed for _ in range(2)] == [True, True]
    assert [state.used for state in await peeking.read(one.postings)] == [0]
    assert (await real.decide(one)).allowed
    refused = await peeking.decide(one)
    assert (refused.allowed, [state.meter.id for state in refused.spent]) == (False, ["starts"])


async def test_a_claim_that_asks_is_passed_on() -> None:
    asked = await PeekingLimiter(LocalLimiter(ManualClock().clock), ManualClock().clock).decide(
        claim("{b}", (MINUTE,), 0)
    )
    assert msgspec.to_builtins(asked)["states"][0]["remaining"] == 3
