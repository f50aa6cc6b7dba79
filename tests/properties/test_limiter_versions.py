"""Two gateways with different versions of a limit, as in every roll-out, keep the guarantees of both.

Each version has a bucket of its own, and every call is charged to both. So what one takes counts for the other, and
what one only asks, or is refused, changes nothing for it.
"""

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from gateway.kernel.limits.token_bucket import Claim, Window
from gateway.limiter.redis_limiter import SCRIPT
from tests.properties.test_limiter_model import EPOCH_US, GIVEN_TIME, TIME_SOURCE, evaluate
from tests.redis_server import RedisProcess

TIMED = SCRIPT.decode().replace(TIME_SOURCE, GIVEN_TIME)
HOUR_US = 3_600_000_000
KEYS = ("{x}:w",)

versions = st.builds(
    lambda limit, per_us, guarantee: Window("w", limit, per_us, None, guarantee=guarantee),
    st.integers(1, 40),
    st.sampled_from([60_000_000, 120_000_000, HOUR_US]),
    st.sampled_from(["burst", "any-window"]),
)
waits_us = st.one_of(st.just(0), st.integers(0, 700_000))


class Bucket:
    """The one that all share, at a time that the test says."""

    def __init__(self, server: RedisProcess) -> None:
        self.now_us = EPOCH_US
        self._server = server
        server.ask("FLUSHALL")

    def ask(self, window: Window, cost: int) -> list[int]:
        return evaluate(
            self._server, TIMED, Claim(KEYS, (window,), cost), self.now_us // 1_000_000, self.now_us % 1_000_000
        )

    def take(self, window: Window, times: int, cost: int = 1) -> int:
        return sum(self.ask(window, cost)[0] for _ in range(times)) if cost else 0


def hourly(limit: int) -> Window:
    return Window("w", limit, HOUR_US, None)


@settings(max_examples=80, deadline=None)
@given(versions, versions, st.lists(st.tuples(waits_us, st.booleans(), st.integers(1, 12)), min_size=1, max_size=40))
def test_both_together_get_no_more_than_the_larger_limit(
    module_redis: RedisProcess, one: Window, other: Window, history: list[tuple[int, bool, int]]
) -> None:
    """Where one is the larger, in its burst and in its rate; in any stretch, whoever comes first."""
    both = [one, Window("w", max(one.max, other.max), one.per_us, None, guarantee=one.guarantee)]
    larger, bucket, admitted = both[1], Bucket(module_redis), []
    for wait_us, turn, cost in history:
        bucket.now_us += wait_us
        if bucket.ask(both[turn], cost)[0]:
            admitted.append((bucket.now_us, cost))
    for first, (from_us, _) in enumerate(admitted):
        total = 0
        for until_us, cost in admitted[first:]:
            total += cost
            assert (total - larger.burst) * larger.emission_us <= until_us - from_us


@settings(max_examples=80, deadline=None)
@given(versions, versions, st.lists(st.tuples(waits_us, st.booleans(), st.integers(0, 12)), min_size=1, max_size=40))
def test_who_takes_nothing_changes_nothing(
    module_redis: RedisProcess, one: Window, other: Window, history: list[tuple[int, bool, int]]
) -> None:
    """`other` looks, and asks for more than it ever gets: `one` is told what it would be told without it."""
    replies = []
    for disturbed in (False, True):
        bucket, states = Bucket(module_redis), []
        for wait_us, turn, cost in history:
            bucket.now_us += wait_us
            if not turn:
                states.append(bucket.ask(one, cost))
            elif disturbed:
                assert bucket.ask(other, cost and other.burst + cost)[0] == (not cost)
        replies.append(states)
    assert replies[0] == replies[1]


@settings(max_examples=80, deadline=None)
@given(
    versions,
    versions,
    st.lists(st.tuples(st.integers(0, 10**8), st.booleans(), st.integers(1, 12)), min_size=1, max_size=40),
)
def test_a_refused_call_fits_at_the_time_that_it_was_given(
    module_redis: RedisProcess, one: Window, other: Window, history: list[tuple[int, bool, int]]
) -> None:
    bucket = Bucket(module_redis)
    for wait_us, step, cost in history:
        bucket.now_us += wait_us
        window = (one, other)[step]
        allowed, now_us, tat_us = bucket.ask(window, cost)
        if not allowed and cost <= window.burst:
            bucket.now_us += cost * window.emission_us - (now_us + window.full_us - tat_us)
            assert bucket.ask(window, cost)[0] == 1


@pytest.mark.parametrize(
    "small", [hourly(20), Window("w", 20, HOUR_US, None, guarantee="any-window"), Window("w", 20, HOUR_US // 2, None)]
)
def test_a_day_of_a_roll_out(module_redis: RedisProcess, small: Window) -> None:
    """Once a minute the smaller one asks for one, and the larger one for many."""
    large, bucket = hourly(40), Bucket(module_redis)
    total = 0
    for minute in range(240):
        total += bucket.take(small, 1) + bucket.take(large, 30) + bucket.take(small, 1, 0)
        assert total <= 40 + minute * 60_000_000 // min(small.emission_us, large.emission_us)
        bucket.now_us += 60_000_000
    assert total >= 40 + 3 * 40


def test_a_change_that_is_rolled_out_and_back_keeps_what_was_used(module_redis: RedisProcess) -> None:
    bucket, small, large = Bucket(module_redis), hourly(20), hourly(40)
    assert bucket.take(large, 30) == 30
    assert bucket.take(small, 5) == 0
    assert bucket.take(large, 50) == 10
    bucket.now_us += large.emission_us
    assert (bucket.take(small, 5), bucket.take(large, 5)) == (0, 1), (
        "of the larger one a token has come back, of the smaller one half"
    )


def test_the_same_price_of_a_token_is_not_the_same_limit(module_redis: RedisProcess) -> None:
    bucket, small, large = Bucket(module_redis), hourly(20), Window("w", 40, 2 * HOUR_US, None)
    assert small.emission_us == large.emission_us
    assert (bucket.take(small, 30), bucket.take(large, 30), bucket.take(small, 30), bucket.take(large, 30)) == (
        20,
        20,
        0,
        0,
    )
    bucket.now_us += small.emission_us
    assert (bucket.take(small, 5), bucket.take(large, 5)) == (1, 0)


def test_a_version_that_no_gateway_has_any_more_is_forgotten(module_redis: RedisProcess) -> None:
    """Ten changes of a limit in use, one an hour: the bucket stays as small as it was."""
    bucket = Bucket(module_redis)
    for limit in range(20, 30):
        for _ in range(60):
            bucket.take(hourly(limit), 1)
            bucket.now_us += 120_000_000
    bucket.take(hourly(29), 1)
    assert module_redis.ask("GET", "gw:1:{x}:w").count(b":") == 1


def test_a_hundred_versions_at_one_time_take_bounded_space(module_redis: RedisProcess) -> None:
    bucket = Bucket(module_redis)
    for limit in range(1, 100):
        bucket.take(hourly(limit), 1)
    assert len(module_redis.ask("GET", "gw:1:{x}:w")) < 500


def test_a_clock_that_goes_back_under_two_versions_locks_neither_out(module_redis: RedisProcess) -> None:
    bucket, both = Bucket(module_redis), [hourly(20), hourly(40)]
    for window in both:
        bucket.take(window, 50)
    bucket.now_us -= 10 * HOUR_US
    assert [bucket.ask(window, 1)[0] for window in both] == [0, 0]
    bucket.now_us += both[0].emission_us
    assert [bucket.ask(window, 1)[0] for window in both] == [1, 1]
