"""Two gateways on one Redis that want the same last unit."""

import asyncio
import time

from gateway.kernel.clock import Clock
from gateway.kernel.faults import QUOTA_SPENT
from gateway.kernel.limits.quota import Meter, MeterKind, Posting
from gateway.kernel.limits.token_bucket import Claim
from gateway.limiter.redis_limiter import RedisLimiter
from tests.redis_server import RedisProcess

CLOCK = Clock(time.monotonic, time.time)
KINDS: tuple[MeterKind, ...] = ("count", "level", "concurrency")


async def test_of_two_gateways_that_want_the_last_unit_one_gets_it_a_thousand_times(redis_server: RedisProcess) -> None:
    both = [RedisLimiter(redis_server.url, "gw", 5.0, "deny", CLOCK) for _ in range(2)]
    for limiter in both:
        await limiter.start()
    won = [0, 0]
    try:
        for number in range(1000):
            meter = Meter(f"{number}", KINDS[number % 3], 1, "key", QUOTA_SPENT)
            claim = Claim((), (), postings=(Posting(f"{{a}}:{number}", meter),))
            answers = await asyncio.gather(*(limiter.decide(claim) for limiter in both))
            won = [wins + answer.allowed for wins, answer in zip(won, answers, strict=True)]
            assert sum(won) == number + 1
            both.reverse()
            won.reverse()
    finally:
        for limiter in both:
            await limiter.close()
    assert min(won) > 0
