"""kernel/traffic/concurrency_limit.py: how many calls a service stands, in a simulation with a clock of its own."""

import random
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import pairwise
from typing import NamedTuple

import pytest

from gateway.kernel.traffic.concurrency_limit import ConcurrencyLimit, LimitBounds

CALL_S = 0.05


class Outcome(NamedTuple):
    """The calls per second, and the limit at the end."""

    per_second: float
    limit: int


def simulate(
    duration_s: Callable[[int], float],
    *,
    callers: int = 200,
    noise: float = 0.2,
    for_s: float = 24.0,
    least: int = 5,
    most: int = 1000,
) -> Outcome:
    """`callers` call again and again, as many at once as the limit allows.

    `duration_s` is how long a call takes while so many are under way. The first quarter of the time does not count.
    """
    chance = random.Random(1)
    limit = ConcurrencyLimit(LimitBounds(least, most))
    now = work = 0.0
    waiting, answered = callers, 0
    calls: list[tuple[float, float]] = []
    while now < for_s:
        while waiting and len(calls) < limit.limit:
            waiting -= 1
            heappush(calls, (work + 1 + noise * (2 * chance.random() - 1), now))
        in_flight = len(calls)
        done_at, began = heappop(calls)
        now += (done_at - work) * duration_s(in_flight)
        work = done_at
        limit.done(began, now, in_flight)
        waiting += 1
        answered += now > for_s / 4
    return Outcome(answered / (for_s * 3 / 4), limit.limit)


BEST = 50 / CALL_S


@pytest.mark.parametrize("noise", [0.0, 0.2, 0.5])
def test_a_service_that_is_twice_as_slow_past_50_calls_is_kept_near_its_best(noise: float) -> None:
    outcome = simulate(lambda calls: CALL_S * (1 if calls <= 50 else 2), noise=noise, callers=90)
    assert outcome.per_second >= 0.9 * BEST
    assert 40 <= outcome.limit <= 55


def simulate_on_the_way(way_s: float, for_s: float = 30.0) -> float:
    """Return the calls per second of 90 callers whose calls and replies are up to `way_s` on their way.

    The service takes twice as long for calls that arrive while it has 50, and it never knows of all that are under way.
    """
    chance = random.Random(1)
    limit = ConcurrencyLimit(LimitBounds(10, 500))
    now, waiting, calls, served, answered = 0.0, 90, 0, 0, 0
    events: list[tuple[float, str, float]] = []
    while now < for_s:
        while waiting and calls < limit.limit:
            waiting, calls = waiting - 1, calls + 1
            heappush(events, (now + chance.random() * way_s, "arrives", now))
        now, event, began = heappop(events)
        if event == "arrives":
            served += 1
            heappush(events, (now + 2 * CALL_S * (1 if served <= 50 else 2), "is served", began))
        elif event == "is served":
            served -= 1
            heappush(events, (now + chance.random() * way_s, "ends", began))
        else:
            limit.done(began, now, calls)
            waiting, calls = waiting + 1, calls - 1
            answered += now > for_s / 3
    return answered / (for_s * 2 / 3)


@pytest.mark.parametrize("way_s", [0.003, 0.01, 0.02])
def test_calls_on_their_way_do_not_hide_that_fewer_are_served_better(way_s: float) -> None:
    assert simulate_on_the_way(way_s) >= 0.84 * 50 / (2 * CALL_S + way_s)


def test_a_service_that_serves_50_at_once_is_used_and_others_wait_here() -> None:
    outcome = simulate(lambda calls: CALL_S * max(1, calls / 50))
    assert outcome.per_second >= 0.97 * BEST
    assert outcome.limit < 100


def test_where_more_calls_do_no_harm_the_limit_grows_as_far_as_it_is_used() -> None:
    assert simulate(lambda _: CALL_S, callers=300, for_s=8.0).limit >= 300
    assert simulate(lambda _: CALL_S, callers=30, for_s=8.0).limit < 60


def test_a_service_that_becomes_slower_for_good_is_given_as_many_calls_again() -> None:
    class Slower:
        def __init__(self) -> None:
            self.calls = 0

        def __call__(self, _calls: int) -> float:
            self.calls += 1
            return CALL_S * (1 if self.calls < 5_000 else 4)

    outcome = simulate(Slower(), callers=50, for_s=100.0)
    assert outcome.per_second >= 0.9 * 50 / (4 * CALL_S)
    assert outcome.limit < 100


def test_the_limit_keeps_within_its_bounds() -> None:
    assert simulate(lambda _: CALL_S, callers=300, most=70, for_s=8.0).limit <= 70
    assert simulate(lambda calls: CALL_S * calls**2, least=7).limit <= 14


def test_calls_that_began_under_another_limit_do_not_count() -> None:
    limit = ConcurrencyLimit(LimitBounds(10, 100))
    for _ in range(30):
        limit.done(0.0, 1.0, 10)
    assert limit.limit == 15
    assert limit.mean_s == pytest.approx(1.0)
    for _ in range(100):
        limit.done(0.5, 9.0, 10)
    assert limit.mean_s == pytest.approx(1.0)


def test_what_was_too_high_again_and_again_is_tried_less_and_less_often() -> None:
    limit, now, falls, before = ConcurrencyLimit(LimitBounds(5, 1000)), 0.0, list[float](), 0
    while now < 60.0:  # every call sees as many others as the limit allows
        took, calls = CALL_S * (1 if limit.limit <= 50 else 2), limit.limit
        now += took
        for _ in range(calls):
            limit.done(now - took, now, calls)
        if limit.limit < before and before > 50:
            falls.append(now)
        before = limit.limit
    pauses = [later - earlier for earlier, later in pairwise(falls)]
    assert max(pauses) > 3 * min(pauses)
    assert len(falls) < 20
