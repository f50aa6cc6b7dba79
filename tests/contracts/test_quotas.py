"""What every store of quotas must do, beside what it must do of rates (`test_limiters.py`)."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

import pytest

from gateway.kernel.clock import Clock
from gateway.kernel.faults import QUOTA_SPENT
from gateway.kernel.limits.quota import Meter, Posting
from gateway.kernel.limits.token_bucket import Claim, Decision, Window
from gateway.limiter.interface import Limiter
from gateway.limiter.memory_limiter import LocalLimiter
from gateway.limiter.redis_limiter import RedisLimiter
from tests.redis_cluster import RedisCluster
from tests.redis_server import RedisProcess

CLOCK = Clock(time.monotonic, time.time)
DAY = Window("day", 5, 86_400_000_000, "Day")
COUNT = Meter("count", "count", 3, "key", QUOTA_SPENT, monthly=True)
EVER = Meter("ever", "count", 3, "key", QUOTA_SPENT)
SUM = Meter("sum", "sum", 100, "key", QUOTA_SPENT, monthly=True)
LEVEL = Meter("level", "level", 2, "key", QUOTA_SPENT, lasts_ms=60_000)
CONCURRENCY = Meter("concurrency", "concurrency", 2, "key", QUOTA_SPENT)

NOBODY = "redis://127.0.0.1:1/0"
KINDS = ("local", "redis", "cluster", "fallback")


@pytest.fixture(params=KINDS)
async def limiter(request: pytest.FixtureRequest) -> AsyncIterator[Limiter]:
    if request.param == "local":
        yield LocalLimiter(CLOCK)
        return
    url = NOBODY
    if request.param == "redis":
        server: RedisProcess = request.getfixturevalue("module_redis")
        server.ask("FLUSHALL")
        url = server.url
    elif request.param == "cluster":
        cluster: RedisCluster = request.getfixturevalue("calm_cluster")
        url = cluster.url
    limiter = RedisLimiter(url, "gw", 2.0, "local", CLOCK)
    await limiter.start()
    yield limiter
    await limiter.close()


def asks(*meters: Meter, windows: tuple[Window, ...] = (), release: tuple[Meter, ...] = (), cost: int = 1) -> Claim:
    charged = [Posting(f"{{a}}:{meter.id}", meter) for meter in meters]
    released = [Posting(f"{{a}}:{meter.id}", meter, "release") for meter in release]
    return Claim(tuple([f"{{a}}:{window.id}" for window in windows]), windows, cost, postings=(*charged, *released))


async def finished(decision: Decision, amounts: Mapping[str, int] | None = None, *, succeeded: bool = True) -> None:
    """Settle and end what was let through."""
    assert decision.reservation is not None
    settled = decision.reservation.commit(amounts or {}, succeeded=succeeded)
    if settled is not None:
        await settled
    decision.reservation.release()


async def admitted(limiter: Limiter, claim: Claim, calls: int, *, succeeded: bool = True) -> int:
    """How many of so many calls, one after the other."""
    got = 0
    for _ in range(calls):
        decision = await limiter.decide(claim)
        if decision.allowed:
            got += 1
            await finished(decision, succeeded=succeeded)
    return got


@pytest.mark.parametrize("meter", [COUNT, EVER])
async def test_so_many_calls_and_no_more(limiter: Limiter, meter: Meter) -> None:
    assert await admitted(limiter, asks(meter), 5) == 3


async def test_callers_in_the_same_instant_get_no_more(limiter: Limiter) -> None:
    answers = await asyncio.gather(*(limiter.decide(asks(COUNT)) for _ in range(20)))
    assert sum(answer.allowed for answer in answers) == 3


@pytest.mark.parametrize("meter", [COUNT, EVER, LEVEL])
async def test_a_failed_call_costs_nothing(limiter: Limiter, meter: Meter) -> None:
    assert await admitted(limiter, asks(meter), 9, succeeded=False) == 9
    assert await admitted(limiter, asks(meter), 9) == meter.max


async def test_a_reservation_is_committed_only_the_first_time(limiter: Limiter) -> None:
    first = await limiter.decide(asks(COUNT))
    await finished(first, succeeded=False)
    await finished(first, succeeded=False)
    assert await admitted(limiter, asks(COUNT), 9) == 3


async def test_a_refusal_names_the_quota_how_much_is_used_and_when_it_opens(limiter: Limiter) -> None:
    await admitted(limiter, asks(COUNT, EVER), 3)
    before = datetime.now(UTC)
    refused = await limiter.decide(asks(LEVEL, COUNT, EVER))
    assert (refused.allowed, refused.reservation) == (False, None)
    monthly, ever = refused.spent
    assert (monthly.meter, monthly.used, ever.meter, ever.used, ever.opens_s) == (COUNT, 3, EVER, 3, None)
    turn = datetime(before.year + before.month // 12, before.month % 12 + 1, 1, tzinfo=UTC)
    assert monthly.opens_s is not None
    assert abs(monthly.opens_s - (turn - before).total_seconds()) < 5
    assert await admitted(limiter, asks(LEVEL), 9) == 2


async def test_a_sum_is_what_replies_say_and_the_last_one_may_go_beyond(limiter: Limiter) -> None:
    for amount in (60, 0, 39, 70):
        decision = await limiter.decide(asks(SUM))
        assert decision.allowed
        await finished(decision, amounts={"sum": amount})
    refused = await limiter.decide(asks(SUM))
    assert [(state.meter, state.used) for state in refused.spent] == [(SUM, 169)]


async def test_a_failed_call_adds_nothing_to_a_sum(limiter: Limiter) -> None:
    await finished(await limiter.decide(asks(SUM)), succeeded=False, amounts={"sum": 1000})
    assert (await limiter.decide(asks(SUM))).allowed


async def test_a_level_goes_up_and_down_and_never_below_nothing(limiter: Limiter) -> None:
    release = asks(release=(LEVEL,))
    assert await admitted(limiter, release, 3) == 3
    assert await admitted(limiter, asks(LEVEL), 5) == 2
    refused = await limiter.decide(asks(LEVEL))
    (state,) = refused.spent
    assert (state.used, state.opens_s is not None and 50 < state.opens_s <= 60) == (2, True)
    assert await admitted(limiter, release, 1, succeeded=False) == 1
    assert not (await limiter.decide(asks(LEVEL))).allowed
    assert await admitted(limiter, release, 1) == 1
    assert await admitted(limiter, asks(LEVEL), 5) == 1


async def test_a_level_that_nobody_lowers_forgets_each_unit(limiter: Limiter) -> None:
    short = asks(Meter("short", "level", 2, "key", QUOTA_SPENT, lasts_ms=100))
    began = time.monotonic()
    assert await admitted(limiter, short, 3) == 2
    async with asyncio.timeout(10):
        while not (await limiter.decide(short)).allowed:
            pass
    assert time.monotonic() - began >= 0.09


async def test_concurrency_is_how_many_are_in_flight(limiter: Limiter) -> None:
    first, second, third = [await limiter.decide(asks(CONCURRENCY)) for _ in range(3)]
    assert [first.allowed, second.allowed, third.allowed] == [True, True, False]
    assert [(state.meter, state.used) for state in third.spent] == [(CONCURRENCY, 2)]
    await finished(first)
    await finished(first)
    again, more = [await limiter.decide(asks(CONCURRENCY)) for _ in range(2)]
    assert (again.allowed, more.allowed) == (True, False)


async def test_a_call_that_a_quota_refuses_costs_no_tokens(limiter: Limiter) -> None:
    await admitted(limiter, asks(LEVEL), 2)
    for _ in range(9):
        refused = await limiter.decide(asks(LEVEL, COUNT, windows=(DAY,)))
        assert (refused.allowed, [state.remaining for state in refused.states]) == (False, [5])
    assert await admitted(limiter, asks(COUNT), 9) == 3


async def test_a_call_that_a_window_refuses_reserves_nothing(limiter: Limiter) -> None:
    six = asks(COUNT, LEVEL, CONCURRENCY, SUM, windows=(DAY,), cost=6)
    for _ in range(9):
        refused = await limiter.decide(six)
        assert (refused.allowed, refused.spent, refused.reservation) == (False, (), None)
        assert [(state.remaining, state.retry_s > 0) for state in refused.states] == [(0, True)]
    all_of_them = await limiter.decide(asks(COUNT, LEVEL, CONCURRENCY, windows=(DAY,)))
    assert (all_of_them.allowed, [state.remaining for state in all_of_them.states]) == (True, [4])
    assert await admitted(limiter, asks(COUNT), 9) == 2
    assert await admitted(limiter, asks(LEVEL), 9) == 1


async def test_a_changed_quota_keeps_what_was_used(limiter: Limiter) -> None:
    await admitted(limiter, asks(EVER), 3)
    assert await admitted(limiter, asks(Meter("ever", "count", 5, "key", QUOTA_SPENT)), 9) == 2


ALL = (COUNT, EVER, SUM, LEVEL, CONCURRENCY)


async def states(limiter: Limiter, *meters: Meter) -> dict[str, tuple[int, float | None]]:
    """What meters say that are read, by their ids."""
    states = await limiter.read(asks(*meters).postings)
    assert [state.meter for state in states] == list(meters)
    return {state.meter.id: (state.used, state.opens_s) for state in states}


async def test_what_meters_say_is_read_at_no_cost(limiter: Limiter) -> None:
    assert [used for used, _ in (await states(limiter, *ALL)).values()] == [0] * 5
    assert await limiter.read(()) == []
    decision = await limiter.decide(asks(*ALL))
    assert decision.reservation is not None
    decision.reservation.commit({"sum": 70}, succeeded=True)
    await states(limiter, *ALL)
    found = await states(limiter, *ALL)
    assert {name: used for name, (used, _) in found.items()} == {
        "count": 1,
        "ever": 1,
        "sum": 70,
        "level": 1,
        "concurrency": 1,
    }
    month_s = found["count"][1]
    assert month_s is not None
    assert 0 < month_s <= 31 * 86_400
    assert found["ever"][1] is None
    assert 50 < (found["level"][1] or 0) <= 60
    decision.reservation.release()
    assert await admitted(limiter, asks(LEVEL), 9) == 1
    assert await admitted(limiter, asks(CONCURRENCY), 9) == 9


async def test_a_meter_that_is_reset_is_unused_and_others_stay(
    limiter: Limiter, request: pytest.FixtureRequest
) -> None:
    kind = request.node.callspec.params["limiter"]
    for meter in (COUNT, EVER, LEVEL):
        await admitted(limiter, asks(meter), 9)
    for meter in (COUNT, LEVEL):
        assert await limiter.forget(asks(meter).postings[0].key) is (kind != "fallback")
    assert [used for used, _ in (await states(limiter, COUNT, EVER, LEVEL)).values()] == [0, 3, 0]
    assert await admitted(limiter, asks(COUNT), 9) == 3
    assert await admitted(limiter, asks(LEVEL), 9) == 2


async def test_a_shadow_beside_quotas_is_reported_and_refuses_nothing(limiter: Limiter) -> None:
    windows = (Window("day", 9, 86_400_000_000, "Day"), Window("soon", 1, 86_400_000_000, None, shadow=True))
    asked = Claim(("{a}:day", "{a}:soon"), windows, postings=(Posting("{a}:count", COUNT),))
    decisions = [await limiter.decide(asked) for _ in range(2)]
    assert [[shadow.id for shadow in each.shadows] for each in decisions] == [[], ["soon"]]
    assert [(each.allowed, each.states[0].remaining) for each in decisions] == [(True, 8), (True, 7)]
