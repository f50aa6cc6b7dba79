"""Three gateways on one Redis are one limiter, call by call.

Neither their clocks nor the refusals that they remember make a difference.

Redis's time is in the hands of the test; each gateway's clock has a time of its own and runs at a speed of its own.
"""

import asyncio

import hypothesis.strategies as st
from hypothesis import given, settings

from gateway.kernel.clock import Clock
from gateway.kernel.limits.token_bucket import Claim, Window
from gateway.limiter.redis_limiter import SCRIPT, RedisLimiter
from gateway.limiter.refusals import REFUSED_S
from tests.properties.test_limiter_model import EPOCH_US, TIME_SOURCE, Model, claims, limits
from tests.redis_server import RedisProcess

TIMED = SCRIPT.replace(TIME_SOURCE.encode(), b"{redis.call('GET', 'seconds'), redis.call('GET', 'us')}")
Step = tuple[int, int, Claim]
"""How long after the step before, in microseconds; which gateway; what is claimed."""

clocks = st.tuples(st.integers(-10_000_000, 10_000_000), st.sampled_from([0.9995, 1.0, 1.0005]))
"""Ahead of Redis by so many microseconds, and so many times as fast."""
waits_us = st.one_of(st.just(0), st.integers(0, 1000), st.integers(0, 2_000_000))


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    """All gateways have the same configuration: a bucket always has the same limit."""
    pool = draw(limits)
    some = st.lists(st.sampled_from(pool), min_size=1, max_size=3, unique_by=lambda window: window.id).map(tuple)
    possible = draw(st.lists(claims(some, 12), min_size=1, max_size=4))
    return draw(st.lists(st.tuples(waits_us, st.integers(0, 2), st.sampled_from(possible)), min_size=1, max_size=40))


class Time:
    """Redis's, in microseconds."""

    def __init__(self, server: RedisProcess) -> None:
        self.us = EPOCH_US
        self._server = server

    def advance(self, us: int) -> None:
        self.us += us
        self._server.ask("MSET", "seconds", self.us // 1_000_000, "us", self.us % 1_000_000)

    def gateways(self, ahead_us: int, speed: float) -> Clock:
        def monotonic() -> float:
            return 20.0 + (ahead_us + (self.us - EPOCH_US) * speed) / 1e6

        return Clock(monotonic, monotonic)


async def replay(server: RedisProcess, skewed: list[tuple[int, float]], history: list[Step]) -> None:
    server.ask("FLUSHALL")
    time, model = Time(server), Model()
    time.advance(0)
    limiters = [RedisLimiter(server.url, "gw", 5.0, "deny", time.gateways(*each), script=TIMED) for each in skewed]
    for limiter in limiters:
        await limiter.start()
    try:
        for wait_us, number, asked in history:
            time.advance(wait_us)
            answer = await limiters[number].decide(asked)
            allowed, now_us, *tats_us = model.decide(asked, time.us)
            assert answer.allowed == bool(allowed)
            assert answer.store == "redis" or not answer.allowed
            for state, tat_us, window in zip(answer.states, tats_us, asked.windows, strict=False):
                short_us = asked.cost * window.emission_us - (window.full_us - tat_us + now_us)
                if answer.store == "cache" and not state.retry_s:
                    continue  # who has another claim may have taken from a window that did not refuse this one
                assert state.full_s >= (tat_us - now_us) / 1e6
                assert answer.allowed or state.retry_s >= short_us / 1e6, "never early"
                assert answer.allowed or state.retry_s <= max(short_us, 0) / 1e6 + 0.0016 * REFUSED_S, "and not late"
    finally:
        for limiter in limiters:
            await limiter.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(clocks, min_size=3, max_size=3), histories())
def test_three_gateways_are_one_limiter(
    module_redis: RedisProcess, skewed: list[tuple[int, float]], history: list[Step]
) -> None:
    asyncio.run(replay(module_redis, skewed, history))


def test_a_greedy_caller_on_three_gateways_gets_what_one_bucket_gives(module_redis: RedisProcess) -> None:
    """Every 30 ms for two minutes, in turn: 3 at first, then one a second."""
    asked = Claim(("{x}:w",), (Window("w", 3, 3_000_000, None),))
    history = [(30_000, number % 3, asked) for number in range(400)]
    asyncio.run(replay(module_redis, [(-10_000_000, 0.9995), (0, 1.0), (10_000_000, 1.0005)], history))
