"""limiter/memory_limiter.py: buckets in memory, and how much memory."""

import pytest

from gateway.kernel.limits.token_bucket import Window, claim
from gateway.limiter.interface import Condition, Limiter, LimiterState
from gateway.limiter.memory_limiter import SHARED_SLOTS, SWEEP_BUCKETS, SWEEP_EVERY_CALLS, LocalLimiter
from tests.clocks import ManualClock
from tests.quota_limiter import COUNT, SUM, asks

THREE = (Window("second", 3, 3_000_000, None),)
SLOW = (Window("day", 3, 86_400_000_000, "Day"),)


def size(limiter: LocalLimiter) -> int:
    return int(repr(limiter).split()[1])


async def test_awaited_or_not_it_is_one_limiter() -> None:
    limiter = LocalLimiter(ManualClock().clock)
    assert (await limiter.decide(claim("a", THREE))).states[0].remaining == 2
    assert limiter.decide_now(claim("a", THREE)).states[0].remaining == 1
    assert limiter.decide_now(claim("a", THREE)).store == "local"


def test_time_gives_tokens_back_one_by_one() -> None:
    time = ManualClock()
    limiter = LocalLimiter(time.clock)
    for _ in range(3):
        assert limiter.decide_now(claim("a", THREE)).allowed
    refused = limiter.decide_now(claim("a", THREE))
    assert (refused.allowed, refused.states[0].retry_s) == (False, 1.0)
    time.advance(0.999999)
    assert not limiter.decide_now(claim("a", THREE)).allowed
    time.advance(0.000001)
    assert limiter.decide_now(claim("a", THREE)).allowed
    assert not limiter.decide_now(claim("a", THREE)).allowed


@pytest.mark.parametrize("back_s", [0.5, 3600.0])
def test_a_clock_that_goes_back_gives_nothing_and_locks_nobody_out(back_s: float) -> None:
    time = ManualClock(now_us=10**12)
    limiter = LocalLimiter(time.clock)
    for _ in range(3):
        limiter.decide_now(claim("a", THREE))
    time.advance(-back_s)
    assert not limiter.decide_now(claim("a", THREE)).allowed
    time.advance(1.0 if back_s > 3 else 1.0 + back_s)
    assert limiter.decide_now(claim("a", THREE)).allowed


def test_full_buckets_are_dropped_as_calls_come() -> None:
    time = ManualClock()
    limiter = LocalLimiter(time.clock, kept_buckets=0)
    for number in range(1000):
        limiter.decide_now(claim(f"a{number}", THREE))
    assert size(limiter) == 1000
    time.advance(1.0)
    for _ in range(SWEEP_EVERY_CALLS * (1000 // SWEEP_BUCKETS + 1)):
        limiter.decide_now(claim("b", SLOW))
    assert size(limiter) == 1


def test_some_full_buckets_stay_for_callers_that_come_again() -> None:
    time = ManualClock()
    limiter = LocalLimiter(time.clock, kept_buckets=100)
    for number in range(1000):
        limiter.decide_now(claim(f"a{number}", THREE))
    time.advance(1.0)
    for _ in range(SWEEP_EVERY_CALLS * 20):
        limiter.decide_now(claim("b", SLOW))
    assert size(limiter) == 100


def test_a_bucket_that_is_not_full_is_never_dropped() -> None:
    time = ManualClock()
    limiter = LocalLimiter(time.clock, kept_buckets=0)
    for _ in range(3):
        limiter.decide_now(claim("a", SLOW))
    for number in range(20_000):
        time.advance(0.5)
        limiter.decide_now(claim(f"b{number}", THREE))
    assert not limiter.decide_now(claim("a", SLOW)).allowed
    assert size(limiter) < 1000


def test_at_the_cap_newcomers_share_and_known_callers_keep_their_own() -> None:
    limiter = LocalLimiter(ManualClock().clock, max_buckets=10)
    for number in range(10):
        limiter.decide_now(claim(f"a{number}", SLOW))
    admitted = sum(limiter.decide_now(claim(f"b{number}", SLOW)).allowed for number in range(5000))
    assert admitted <= 3 * SHARED_SLOTS
    assert size(limiter) <= 10 + SHARED_SLOTS
    assert [limiter.decide_now(claim(f"a{number}", SLOW)).states[0].remaining for number in range(10)] == [1] * 10


def test_a_claim_whose_bucket_was_dropped_finds_that_of_its_key() -> None:
    time = ManualClock()
    limiter = LocalLimiter(time.clock, kept_buckets=0)
    one, other = claim("a", THREE), claim("a", THREE)
    limiter.decide_now(one)
    time.advance(10.0)
    for _ in range(SWEEP_EVERY_CALLS):
        limiter.decide_now(claim("b", SLOW))
    assert limiter.names() == ["{b}:day"]
    assert [limiter.decide_now(each).states[0].remaining for each in (other, one, other)] == [2, 1, 0]


def test_a_claim_that_several_limiters_decide_about_has_a_bucket_in_each() -> None:
    clock = ManualClock().clock
    limiters, same = [LocalLimiter(clock), LocalLimiter(clock)], claim("a", THREE)
    assert [each.decide_now(same).states[0].remaining for each in limiters * 3] == [2, 2, 1, 1, 0, 0]


def test_a_claim_that_had_to_share_gets_a_bucket_of_its_own_when_there_is_room() -> None:
    time = ManualClock()
    limiter = LocalLimiter(time.clock, max_buckets=10, kept_buckets=0)
    for number in range(10):
        limiter.decide_now(claim(f"a{number}", THREE))
    newcomer = claim("newcomer", SLOW)
    limiter.decide_now(newcomer)
    assert "{newcomer}:day" not in limiter.names()
    time.advance(10.0)
    for _ in range(SWEEP_EVERY_CALLS):
        limiter.decide_now(claim("a0", SLOW))
    limiter.decide_now(newcomer)
    assert "{newcomer}:day" in limiter.names()


def test_a_window_that_a_claim_does_not_name_stays_as_it_is() -> None:
    limiter = LocalLimiter(ManualClock().clock)
    both = THREE + SLOW
    limiter.decide_now(claim("a", both))
    assert limiter.decide_now(claim("a", SLOW)).states[0].remaining == 1
    assert [state.remaining for state in limiter.decide_now(claim("a", both)).states] == [1, 0]


def test_a_successor_goes_on_where_it_ended() -> None:
    clock = ManualClock()
    first, second = LocalLimiter(clock.clock, max_buckets=1), LocalLimiter(clock.clock, max_buckets=1)
    for bucket in ("a", "b", "c"):
        assert first.decide_now(claim(bucket, SLOW)).allowed
    second.adopt(first.hand_over())
    for bucket in ("a", "b", "c", "a"):
        assert second.decide_now(claim(bucket, SLOW)) == first.decide_now(claim(bucket, SLOW))


def test_what_a_successor_knows_itself_it_knows_better() -> None:
    clock = ManualClock()
    first, second = LocalLimiter(clock.clock), LocalLimiter(clock.clock)
    first.decide_now(claim("a", SLOW))
    for _ in range(2):
        second.decide_now(claim("a", SLOW))
    before = second.decide_now(claim("a", SLOW, 0))
    second.adopt(first.hand_over())
    assert second.decide_now(claim("a", SLOW, 0)) == before


async def test_it_is_a_limiter_like_others() -> None:
    limiter: Limiter = LocalLimiter(ManualClock().clock)
    await limiter.start()
    assert (await limiter.decide(claim("a", SLOW, 3))).allowed
    assert (await limiter.decide(claim("a", ()))).store == "none"
    assert (await limiter.decide(asks(COUNT))).allowed
    assert [state.used for state in await limiter.read((COUNT,))] == [1]
    assert limiter.condition() == Condition("memory", "memory", None, 1, 0, 0)
    assert await limiter.renew(["{a}:day", "{b}:day"])
    assert (await limiter.decide(claim("a", SLOW, 3))).allowed
    assert await limiter.forget(COUNT.key)
    assert [state.used for state in await limiter.read((COUNT,))] == [0]
    assert (limiter.call, limiter.owed, limiter.lost) == (None, 0, 0)
    await limiter.close()


def test_what_another_process_took_is_taken_here_too() -> None:
    time = ManualClock()
    limiter = LocalLimiter(time.clock, max_buckets=1)
    price_us = SLOW[0].emission_us
    for key, tokens in (("{a}:day", 1), ("{a}:day", 1), ("{b}:day", 1), ("{a}:day", 0)):
        limiter.add(key, time.now_us + tokens * price_us, price_us)
    assert limiter.names() == ["{a}:day"]
    assert limiter.bucket("{a}:day") == (time.now_us + 2 * price_us, price_us)
    assert limiter.bucket("{b}:day") is None


def test_every_so_many_metered_calls_sweep_too() -> None:
    time = ManualClock()
    limiter = LocalLimiter(time.clock, kept_buckets=0)
    limiter.decide_now(claim("a", THREE))
    time.advance(10.0)
    for _ in range(SWEEP_EVERY_CALLS):
        limiter.decide_now(asks(SUM))
    assert limiter.buckets == 0


def test_nothing_to_adopt_changes_nothing() -> None:
    limiter = LocalLimiter(ManualClock().clock)
    limiter.adopt(LimiterState(), share_only=True)
    assert limiter.buckets == 0


def test_a_changed_limit_keeps_what_was_used() -> None:
    limiter = LocalLimiter(ManualClock().clock)
    slower = Window("second", 6, 12_000_000, None)
    limiter.decide_now(claim("a", THREE))
    assert limiter.decide_now(claim("a", (slower,))).states[0].remaining == 4
    two = (Window("second", 3, 3_000_000, None), Window("day", 9, 86_400_000_000, None))
    limiter.decide_now(claim("b", two))
    changed = (Window("second", 6, 12_000_000, None), two[1])
    assert [state.remaining for state in limiter.decide_now(claim("b", changed)).states] == [4, 7]
