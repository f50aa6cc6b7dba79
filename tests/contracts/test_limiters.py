"""What every store of buckets must do, and the faults of other limiters that none may have.

Windows of a day move by themselves too little to matter while a test runs; those of milliseconds are waited for.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest

from gateway.kernel.clock import Clock
from gateway.kernel.limits.token_bucket import Claim, Decision, Store, Window, claim
from gateway.limiter.interface import Limiter
from gateway.limiter.memory_limiter import LocalLimiter
from gateway.limiter.redis_limiter import RedisLimiter
from tests.redis_cluster import RedisCluster
from tests.redis_sentinels import RedisSentinels
from tests.redis_server import RedisProcess

CLOCK = Clock(time.monotonic, time.time)
DAY_US = 86_400_000_000
DAY = Window("day", 5, DAY_US, "Day")
HOUR = Window("hour", 3, 3_600_000_000, "Hour")
QUICK = Window("quick", 4, 80_000, None)


KINDS: dict[str, Store] = {
    "local": "local",
    "redis": "redis",
    "sentinel": "redis",
    "cluster": "redis",
    "fallback": "fallback",
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store(kind: str) -> Store:
    return KINDS[kind]


def empty_url(kind: str, request: pytest.FixtureRequest) -> str:
    """Where a Redis of that kind is that holds nothing."""
    if kind in {"sentinel", "cluster"}:
        servers: RedisSentinels | RedisCluster = request.getfixturevalue(
            "calm_sentinels" if kind == "sentinel" else "calm_cluster"
        )
        return servers.url
    server: RedisProcess = request.getfixturevalue("redis_server")
    if kind == "fallback":
        server.kill()
    return server.url


@pytest.fixture
async def limiter(kind: str, request: pytest.FixtureRequest) -> AsyncIterator[Limiter]:
    if kind == "local":
        yield LocalLimiter(CLOCK)
        return
    limiter = RedisLimiter(empty_url(kind, request), "gw", 2.0, "local", CLOCK)
    await limiter.start()
    yield limiter
    await limiter.close()


def remaining(decision: Decision) -> list[int]:
    return [state.remaining for state in decision.states]


async def admitted(limiter: Limiter, calls: int, *windows: Window, cost: int = 1) -> int:
    answers = await asyncio.gather(*(limiter.decide(claim("a", windows, cost)) for _ in range(calls)))
    return sum(answer.allowed for answer in answers)


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while True:
            await asyncio.sleep(0)
            if reached():
                return


async def until_admitted(limiter: Limiter, *windows: Window) -> None:
    async with asyncio.timeout(10):
        while True:
            await asyncio.sleep(0)
            if (await limiter.decide(claim("a", windows))).allowed:
                return


async def test_no_windows_is_no_limit(limiter: Limiter) -> None:
    assert await limiter.decide(claim("a", ())) == Decision(allowed=True, store="none", states=())


async def test_the_decision_names_who_decided(limiter: Limiter, store: Store) -> None:
    assert (await limiter.decide(claim("a", (DAY,)))).store == store


async def test_remaining_counts_down_and_the_next_call_is_refused(limiter: Limiter) -> None:
    answers = [await limiter.decide(claim("a", (DAY,))) for _ in range(6)]
    assert [answer.allowed for answer in answers] == [True] * 5 + [False]
    assert [answer.states[0].remaining for answer in answers] == [4, 3, 2, 1, 0, 0]
    assert all(answer.states[0].window is DAY for answer in answers)
    assert answers[4].states[0].retry_s == 0.0
    assert DAY_US / 5e6 - 10 < answers[5].states[0].retry_s <= DAY_US / 5e6


async def test_callers_in_the_same_instant_get_no_more(limiter: Limiter) -> None:
    assert await admitted(limiter, 50, DAY) == 5


async def test_callers_and_windows_are_apart(limiter: Limiter) -> None:
    assert await admitted(limiter, 9, DAY) == 5
    assert remaining(await limiter.decide(claim("b", (DAY,)))) == [4]
    assert remaining(await limiter.decide(claim("a", (HOUR,)))) == [2]


async def test_several_windows_are_decided_together(limiter: Limiter) -> None:
    answers = [await limiter.decide(claim("a", (DAY, HOUR))) for _ in range(4)]
    assert [remaining(answer) for answer in answers] == [[4, 2], [3, 1], [2, 0], [2, 0]]
    refused = answers[3]
    assert not refused.allowed
    assert [state.retry_s > 0 for state in refused.states] == [False, True]


def of_two(own: str, cost: int = 1) -> Claim:
    """What a key of an organisation claims: three a day of its own, of the five that its keys share."""
    three = Window("day", 3, DAY_US, "Day")
    shared = Window("organization/day", 5, DAY_US, "Day", "organization")
    return Claim((f"{{x}}:{own}:day", "{x}:acme:organization/day"), (three, shared), cost)


async def test_buckets_of_several_owners_are_decided_together(limiter: Limiter) -> None:
    answers = [await limiter.decide(of_two("one")) for _ in range(4)]
    assert [remaining(answer) for answer in answers] == [[2, 4], [1, 3], [0, 2], [0, 2]]
    answers = [await limiter.decide(of_two("other")) for _ in range(3)]
    assert [remaining(answer) for answer in answers] == [[2, 1], [1, 0], [1, 0]]
    assert [answer.allowed for answer in answers] == [True, True, False]


async def test_a_cost_is_taken_from_the_buckets_of_every_owner(limiter: Limiter) -> None:
    assert remaining(await limiter.decide(of_two("one", 3))) == [0, 2]
    refused = await limiter.decide(of_two("other", 3))
    assert (refused.allowed, remaining(refused)) == (False, [3, 0])
    assert remaining(await limiter.decide(of_two("other", 2))) == [1, 0]


async def test_a_shadow_counts_and_refuses_nothing(limiter: Limiter) -> None:
    shadow = Window("shadow", 2, DAY_US, None, shadow=True)
    answers = [await limiter.decide(claim("a", (HOUR, shadow))) for _ in range(4)]
    assert [answer.allowed for answer in answers] == [True, True, True, False]
    assert [answer.shadows for answer in answers] == [(), (), (shadow,), ()]
    assert [remaining(answer) for answer in answers] == [[2], [1], [0], [0]]
    assert remaining(await limiter.decide(claim("a", (Window("shadow", 2, DAY_US, None),), 0))) == [0]


async def test_what_a_refusal_promises_holds(limiter: Limiter) -> None:
    while (refused := await limiter.decide(claim("a", (QUICK,)))).allowed:
        pass
    asked_at = time.monotonic()
    await until_admitted(limiter, QUICK)
    assert time.monotonic() - asked_at < refused.states[0].retry_s + 5.0
    assert 0 < refused.states[0].retry_s <= QUICK.emission_us / 1e6


async def test_a_cost_of_zero_asks_and_charges_nothing(limiter: Limiter) -> None:
    for _ in range(3):
        answer = await limiter.decide(claim("a", (HOUR,), 0))
        assert (answer.allowed, remaining(answer)) == (True, [3])
    assert await admitted(limiter, 9, HOUR) == 3
    answer = await limiter.decide(claim("a", (HOUR,), 0))
    assert (answer.allowed, remaining(answer)) == (True, [0])


@pytest.mark.parametrize(("new_max", "expected"), [(8, 6), (4, 2), (1, 0)])
async def test_a_changed_limit_keeps_what_was_used(limiter: Limiter, new_max: int, expected: int) -> None:
    assert await admitted(limiter, 2, DAY) == 2
    assert await admitted(limiter, 9, Window("day", new_max, DAY_US, "Day")) == expected


async def test_a_refusal_under_a_changed_limit_promises_what_holds(limiter: Limiter) -> None:
    """Lowered to far less than what was used: the caller waits for the new limit's next token, not for the old debt."""
    assert await admitted(limiter, 5, Window("day", 5, 20_000_000, None)) == 5
    smaller = (Window("day", 1, 50_000, None),)
    refused = await limiter.decide(claim("a", smaller))
    assert (refused.allowed, refused.states[0].retry_s <= 0.05) == (False, True)
    await until_admitted(limiter, *smaller)


@pytest.mark.parametrize(
    ("window", "expected"),
    [(Window("day", 5, 3 * DAY_US, None), 3), (Window("day", 5, DAY_US // 2, None), 3), (Window("day", 9, DAY_US, None, "key", "any-window"), 3)],
)  # fmt: skip
async def test_another_length_or_guarantee_keeps_it_too(limiter: Limiter, window: Window, expected: int) -> None:
    assert await admitted(limiter, 2, DAY) == 2
    assert await admitted(limiter, 9, window) == expected


async def test_a_renewed_bucket_is_as_good_as_never_used(limiter: Limiter, kind: str) -> None:
    """Others are not. What is remembered of refusals does not stand in the way."""
    assert await admitted(limiter, 9, DAY, HOUR) == 3
    assert (await limiter.decide(claim("b", (DAY,)))).allowed
    assert await limiter.renew(["{a}:hour", "{never}:used"]) is (kind != "fallback")
    assert await admitted(limiter, 9, HOUR) == 3
    assert remaining(await limiter.decide(claim("a", (DAY,), 0))) == [2]
    assert remaining(await limiter.decide(claim("b", (DAY,), 0))) == [4]


async def test_operators_see_its_condition(limiter: Limiter, kind: str) -> None:
    await limiter.decide(claim("a", (DAY, HOUR)))
    condition = limiter.condition()
    assert condition.store == ("memory" if kind == "local" else "redis")
    assert condition.decides == {"local": "memory", "fallback": "local"}.get(kind, "redis")
    assert (condition.buckets, condition.debts) == {"local": (2, 0), "fallback": (2, 2)}.get(kind, (0, 0))
    assert (condition.redis is None) is (kind == "local")
    if condition.redis is not None:
        assert condition.redis.up is (kind != "fallback")
        assert bool(condition.redis.reason) is (kind == "fallback")
        assert condition.redis.since is not None
        assert {(server.up, server.availability) for server in condition.redis.servers} == {
            (False, "open") if kind == "fallback" else (True, "closed")
        }
        assert len(condition.redis.servers) == (3 if kind == "cluster" else 1)
        assert condition.redis.gateways == 1


class TestFaultsOfOtherLimiters:
    async def test_refused_calls_that_count(self, limiter: Limiter) -> None:
        await admitted(limiter, 5, DAY)
        before = await limiter.decide(claim("a", (DAY,)))
        await admitted(limiter, 200, DAY)
        after = await limiter.decide(claim("a", (DAY,)))
        assert after.states[0].full_s <= before.states[0].full_s
        assert after.states[0].retry_s <= before.states[0].retry_s

    async def test_refused_calls_charged_to_the_other_windows(self, limiter: Limiter) -> None:
        assert await admitted(limiter, 50, DAY, HOUR) == 3
        assert remaining(await limiter.decide(claim("a", (DAY,), 0))) == [2]

    async def test_a_refusing_window_that_comes_last(self, limiter: Limiter) -> None:
        assert await admitted(limiter, 3, HOUR) == 3
        assert await admitted(limiter, 5, DAY, HOUR) == 0
        assert remaining(await limiter.decide(claim("a", (DAY,), 0))) == [5]

    async def test_cost_checked_after_it_was_charged(self, limiter: Limiter) -> None:
        assert await admitted(limiter, 1, DAY, cost=3) == 1
        assert await admitted(limiter, 3, DAY, cost=3) == 0
        assert await admitted(limiter, 1, DAY, cost=2) == 1
        assert await admitted(limiter, 1, DAY) == 0

    async def test_a_cost_above_max_let_through_on_a_fresh_bucket(self, limiter: Limiter) -> None:
        refused = await limiter.decide(claim("a", (DAY,), 6))
        assert (refused.allowed, remaining(refused)) == (False, [0])
        assert await admitted(limiter, 9, DAY) == 5

    async def test_refill_credited_twice_after_idling(self, limiter: Limiter) -> None:
        assert await admitted(limiter, 4, QUICK) >= 4
        idle_until = time.monotonic() + 3 * QUICK.per_us / 1e6
        await until(lambda: time.monotonic() >= idle_until)
        began = time.monotonic()
        got = await admitted(limiter, 40, QUICK)
        entitled = 4 + (time.monotonic() - began) * 1e6 / QUICK.emission_us
        assert 4 <= got <= entitled

    async def test_state_that_expires_too_early(self, limiter: Limiter) -> None:
        """A greedy caller over many refills: never more than a full bucket and what came back meanwhile."""
        window = Window("w", 20, 100_000, None)
        began = time.monotonic()
        got = 0
        while time.monotonic() - began < 0.5:
            got += await admitted(limiter, 10, window)
        entitled = 20 + (time.monotonic() - began) * 1e6 / window.emission_us
        assert 20 < got <= entitled
