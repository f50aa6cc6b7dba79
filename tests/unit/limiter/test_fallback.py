"""limiter/fallback.py: shares of limits, and what Redis is charged when it is back."""

from functools import partial

import pytest

from gateway.kernel.limits.token_bucket import Claim, Window, claim, decide
from gateway.limiter.fallback import BATCH, MAX_DEBTS, Fallback
from gateway.redis_client.connection import RedisReply
from gateway.redis_client.server import AWAY
from tests.clocks import ManualClock

MINUTE = (Window("minute", 60, 60_000_000, "Minute"),)
BOTH = (*MINUTE, Window("second", 6, 1_000_000, "Second"))


class ModelRedis:
    """Stands for Redis: decides as the model does, at its own time.

    `away` counts the answers that it still owes nobody.
    """

    def __init__(self, time: ManualClock) -> None:
        self.time = time
        self.tats_us: dict[tuple[str, str], int] = {}
        self.charges: list[tuple[str, str, int]] = []
        self.answers_left = 1_000_000
        self._asked: dict[bytes, tuple[str, Window, int]] = {}

    def pack(self, claim: Claim) -> bytes:
        ((key,), (window,)) = claim.keys, claim.windows
        name = f"{key} {claim.cost}".encode()
        self._asked[name] = (key, window, claim.cost)
        return name

    async def call(self, command: bytes, tag: str) -> RedisReply:
        key, window, cost = self._asked[command]
        bucket = key.partition("}")[0][1:]
        assert tag == bucket
        if not self.answers_left:
            return AWAY
        self.answers_left -= 1
        now_us = self.time.now_us
        allowed, (tat_us,), _ = decide([self.tats_us.get((bucket, window.id), 0)], (window,), cost, now_us)
        if allowed:
            self.tats_us[bucket, window.id] = tat_us
            self.charges.append((bucket, window.id, cost))
        return [int(allowed), now_us, max(tat_us, now_us)]


@pytest.fixture
def time() -> ManualClock:
    return ManualClock()


@pytest.fixture
def redis(time: ManualClock) -> ModelRedis:
    return ModelRedis(time)


@pytest.fixture
def fallback(time: ManualClock) -> Fallback:
    return Fallback(time.clock)


def admitted(fallback: Fallback, calls: int, windows: tuple[Window, ...] = MINUTE, bucket: str = "a") -> int:
    return sum(fallback.decide_now(claim(bucket, windows)).allowed for _ in range(calls))


class TestShares:
    @pytest.mark.parametrize(("gateways", "share"), [(1, 60), (2, 30), (7, 8), (60, 1), (500, 1)])
    def test_a_share_is_the_limit_divided_and_at_least_one(
        self, fallback: Fallback, time: ManualClock, gateways: int, share: int
    ) -> None:
        fallback.gateways = gateways
        assert admitted(fallback, 100) == share
        time.advance(60.0)
        assert admitted(fallback, 100) == share

    def test_callers_see_the_whole_limit_and_what_remains_of_it_here(self, fallback: Fallback) -> None:
        fallback.gateways = 2
        decision = fallback.decide_now(claim("a", BOTH))
        assert (decision.allowed, decision.store) == (True, "fallback")
        assert [(state.window, state.remaining) for state in decision.states] == [(BOTH[0], 29), (BOTH[1], 2)]
        admitted(fallback, 2, BOTH)
        refused = fallback.decide_now(claim("a", BOTH))
        assert (refused.allowed, [state.remaining for state in refused.states]) == (False, [27, 0])
        assert 0 < refused.states[1].retry_s < 0.34

    def test_a_share_that_changes_keeps_what_was_used(self, fallback: Fallback) -> None:
        fallback.gateways = 2
        assert admitted(fallback, 20) == 20
        fallback.gateways = 4
        assert admitted(fallback, 20) == 0
        fallback.gateways = 1
        assert admitted(fallback, 100) == 45

    def test_shares_are_kept_for_so_many_plans(self, fallback: Fallback) -> None:
        fallback.gateways = 2
        assert admitted(fallback, 9, (Window("w", 10, 1_000_000, None),)) == 5
        fallback._shares.most = 64
        for number in range(1, 80):
            assert admitted(fallback, 1, (Window("w", 10, 1_000_000 + number, None),)) == 0
        assert len(fallback._shares) <= 64


async def test_a_bucket_that_was_renewed_is_full_and_owes_nothing(fallback: Fallback, redis: ModelRedis) -> None:
    assert (admitted(fallback, 60), admitted(fallback, 5, bucket="b")) == (60, 5)
    assert fallback.debts == 2
    fallback.renew_now(["{a}:minute", "{c}:minute"])
    assert fallback.debts == 1
    await fallback.pay_debts(redis.call, redis.pack)
    assert redis.charges == [("b", "minute", 5)]
    assert admitted(fallback, 99) == 60


class TestSettling:
    async def test_admitted_calls_are_charged_only_the_first_time(self, fallback: Fallback, redis: ModelRedis) -> None:
        assert (admitted(fallback, 5), admitted(fallback, 3, bucket="b")) == (5, 3)
        assert repr(fallback) == "<Fallback 1/1 of each limit, 2 debtors>"
        for _ in range(2):
            await fallback.pay_debts(redis.call, redis.pack)
        assert redis.charges == [("a", "minute", 5), ("b", "minute", 3)]
        assert admitted(fallback, 2) == 2
        await fallback.pay_debts(redis.call, redis.pack)
        assert redis.charges[2:] == [("a", "minute", 2)]

    async def test_refused_calls_and_costs_of_zero_owe_nothing(self, fallback: Fallback, redis: ModelRedis) -> None:
        fallback.decide_now(claim("a", MINUTE, 0))
        fallback.decide_now(claim("a", MINUTE, 61))
        await fallback.pay_debts(redis.call, redis.pack)
        assert redis.charges == []

    async def test_tokens_that_were_refilled_since_are_not_owed(
        self, fallback: Fallback, redis: ModelRedis, time: ManualClock
    ) -> None:
        for _ in range(600):
            assert admitted(fallback, 1) == 1
            time.advance(1.0)
        admitted(fallback, 10)
        time.advance(4.5)
        await fallback.pay_debts(redis.call, redis.pack)
        assert redis.charges == [("a", "minute", 6)]

    async def test_no_more_is_charged_than_is_there(self, fallback: Fallback, redis: ModelRedis) -> None:
        assert isinstance(await redis.call(redis.pack(claim("a", MINUTE, 50)), "a"), list)
        assert isinstance(await redis.call(redis.pack(claim("b", MINUTE, 60)), "b"), list)
        assert (admitted(fallback, 30), admitted(fallback, 30, bucket="b")) == (30, 30)
        redis.charges.clear()
        await fallback.pay_debts(redis.call, redis.pack)
        assert redis.charges == [("a", "minute", 10)]

    async def test_each_window_pays_for_itself(self, fallback: Fallback, redis: ModelRedis, time: ManualClock) -> None:
        for _ in range(3):
            assert admitted(fallback, 6, BOTH) == 6
            time.advance(1.002)
        await fallback.pay_debts(redis.call, redis.pack)
        assert redis.charges == [("a", "minute", 15)]

    async def test_three_gateways_leave_what_one_would_have(self, time: ManualClock, redis: ModelRedis) -> None:
        gateways = [Fallback(time.clock) for _ in range(3)]
        for each in gateways:
            each.gateways = 3
        assert sum(admitted(each, 100) for each in gateways) == 60
        time.advance(20.0)
        for each in gateways:
            await each.pay_debts(redis.call, redis.pack)
        assert sum(tokens for _, _, tokens in redis.charges) == 42

    async def test_redis_goes_away_again_meanwhile(self, fallback: Fallback, redis: ModelRedis) -> None:
        for number in range(BATCH * 2):
            admitted(fallback, 2, bucket=f"a{number}")
        redis.answers_left = BATCH + 5
        await fallback.pay_debts(redis.call, redis.pack)
        assert len(redis.charges) == BATCH + 5
        admitted(fallback, 1, bucket=f"a{BATCH * 2 - 1}")
        redis.answers_left = 1000
        await fallback.pay_debts(redis.call, redis.pack)
        assert len(redis.charges) == BATCH * 2
        assert sum(tokens for _, _, tokens in redis.charges) == 4 * BATCH + 1

    async def test_a_debtor_who_called_again_meanwhile_owes_both(self, fallback: Fallback, redis: ModelRedis) -> None:
        async def calls_again(command: bytes, tag: str, fallback: Fallback) -> RedisReply:
            admitted(fallback, 1)
            return AWAY

        admitted(fallback, 2)
        await fallback.pay_debts(partial(calls_again, fallback=fallback), redis.pack)
        await fallback.pay_debts(redis.call, redis.pack)
        assert redis.charges == [("a", "minute", 3)]

    def test_so_many_debtors_are_remembered(self, fallback: Fallback) -> None:
        for number in range(MAX_DEBTS + 10):
            fallback.decide_now(claim(f"a{number}", MINUTE))
        assert repr(fallback) == f"<Fallback 1/1 of each limit, {MAX_DEBTS} debtors>"

    async def test_shadows_owe_what_they_counted(self, fallback: Fallback, redis: ModelRedis) -> None:
        shadow = Window("shadow", 2, 60_000_000, None, shadow=True)
        assert admitted(fallback, 3, (*MINUTE, shadow)) == 3
        await fallback.pay_debts(redis.call, redis.pack)
        assert redis.charges == [("a", "minute", 3), ("a", "shadow", 2)]


def test_debts_are_listed_and_forgotten(fallback: Fallback) -> None:
    (key,) = claim("a", MINUTE).keys
    admitted(fallback, 2)
    assert fallback.debtors() == [key]
    debt = fallback.debt(key)
    assert debt is not None
    assert debt.tokens == 2
    fallback.forget_debts()
    assert (fallback.debtors(), fallback.debt(key)) == ([], None)
