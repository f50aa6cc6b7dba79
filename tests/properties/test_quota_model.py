"""The scripts in Redis and the quotas in memory count the same, whatever happens and whenever."""

from typing import Any, NamedTuple

import hypothesis.strategies as st
from hypothesis import given, settings

from gateway.kernel.faults import QUOTA_SPENT
from gateway.kernel.limits.quota import (
    Meter,
    MeterKind,
    MeterUpdate,
    Posting,
    Reservation,
    concurrency_releases,
    end_of,
    month_of,
    refunds,
    reports,
)
from gateway.kernel.limits.token_bucket import Claim, Window, decision
from gateway.limiter.memory_limiter import LocalLimiter
from gateway.limiter.redis_limiter import SCRIPT
from gateway.limiter.redis_quotas import quota_script, rates
from gateway.limiter.settlements import METERS
from gateway.limiter.settlements import SCRIPT as SETTLE
from tests.clocks import ManualClock
from tests.redis_server import RedisProcess

EPOCH_S = 4_000_000_000
"""Later than any test runs: for Redis, whose clock cannot be replaced, nothing expires."""
TIME_SOURCE = b"redis.call('TIME')"

KINDS: list[tuple[MeterKind, bool]] = [
    ("count", True),
    ("count", False),
    ("sum", True),
    ("sum", False),
    ("level", False),
]
KNOWN = [
    Meter(f"{kind}{most}{monthly}", kind, most, "key", QUOTA_SPENT, monthly, 90_000)
    for kind, monthly in KINDS
    for most in (1, 3)
]
WINDOWS = (Window("w", 4, 40_000_000, None), Window("v", 9, 90_000_000, None))
POSTINGS = [Posting(f"{{x}}:{meter.id}", meter) for meter in KNOWN]
RELEASES = [Posting(posting.key, posting.meter, "release") for posting in POSTINGS if posting.meter.kind == "level"]


class Call(NamedTuple):
    """One that is let through is settled when so many others were asked for."""

    after_s: int
    claim: Claim
    succeeds: bool
    amount: int
    lasts: int


def claim(charged: list[Posting], released: list[Posting], windows: int, cost: int) -> Claim:
    charged_keys = {posting.key for posting in charged}
    postings = (*charged, *(posting for posting in released if posting.key not in charged_keys))
    return Claim(
        tuple(f"{{x}}:{window.id}" for window in WINDOWS[:windows]), WINDOWS[:windows], cost, postings=postings
    )


claims = st.builds(
    claim,
    st.lists(st.sampled_from(POSTINGS), min_size=1, max_size=3, unique=True),
    st.lists(st.sampled_from(RELEASES), max_size=1),
    st.integers(0, 2),
    st.integers(0, 3),
)
waits_s = st.one_of(st.just(0), st.integers(0, 200), st.integers(0, 70 * 86_400))
calls = st.builds(Call, waits_s, claims, st.booleans(), st.integers(0, 5), st.integers(0, 4))


class Books:
    """The same decisions and settlements in Redis and in memory, at the same time of their clocks."""

    def __init__(self, server: RedisProcess) -> None:
        self._server = server
        self._server.ask("FLUSHALL")
        self.time = ManualClock(EPOCH_S * 1_000_000)
        self._memory = LocalLimiter(self.time.clock)
        self._calls = 0

    def evaluate(self, script: bytes, keys: list[str], *arguments: str | bytes | int) -> Any:
        seconds = b"{'%d', '0'}" % (self.time.now_us // 1_000_000)
        return self._server.ask("EVAL", script.replace(TIME_SOURCE, seconds), len(keys), *keys, *arguments)

    def ask(self, call: Call) -> "Open | None":
        """Both say the same of every meter and window. None for a call that is refused."""
        self._calls += 1
        charged = [posting for posting in call.claim.postings if posting.act == "charge"]
        given, unit = rates(call.claim), f"unit{self._calls}"
        meters = [
            int(number)
            for meter in (posting.meter for posting in charged)
            for number in (meter.max, meter.monthly, 0 if meter.tallied else meter.lasts_ms, meter.kind != "sum")
        ]
        keys = [*call.claim.keys, *(posting.key for posting in charged), f"{{x}}:counted/{unit}"]
        reply = self.evaluate(quota_script(SCRIPT), keys, len(given), *given, *meters, 60_000, unit)
        after = len(call.claim.windows) + 2
        decided = decision("local", reply[2:after], call.claim, reply[1], allowed=reply[0] == 1)
        mine = self._memory.decide_now(call.claim)
        assert (decided.allowed, decided.states) == (mine.allowed, mine.states)
        assert reply[after] == month_of(reply[1] // 1_000_000)
        spent = {
            p.key: used
            for p, used in zip(charged, reply[after + 1 :: 2], strict=True)
            if not decided.allowed and used >= p.meter.max
        }
        assert spent == {p.key: state.used for p in charged for state in mine.spent if state.meter == p.meter}
        ends = dict(zip([p.key for p in charged], reply[after + 2 :: 2], strict=True))
        for p in charged:
            for state in mine.spent:
                if state.meter == p.meter and not p.meter.tallied:
                    assert state.opens_s == ends[p.key] / 1000 - self.time.now_us / 1e6
        return Open(call, unit, reply[after], mine.reservation, self._calls) if mine.reservation is not None else None

    def settle(self, it: "Open") -> None:
        postings = it.call.claim.postings
        amounts = {posting.meter.id: it.call.amount for posting in postings}
        it.reservation.commit(amounts, succeeded=it.call.succeeds)
        it.reservation.release()
        updates = reports(postings, amounts) if it.call.succeeds else refunds(postings, it.unit, it.month)
        self.make(updates + concurrency_releases(postings, it.unit), it.unit)

    def make(self, updates: list[MeterUpdate], name: str) -> None:
        """Twice, as when an answer was lost."""
        numbers = [part for update in updates for part in (update.what, update.number, update.month, update.unit)]
        keys = [*(update.key for update in updates), f"{{x}}:settled/{name}"]
        assert [self.evaluate(SETTLE, keys, 60_000, *numbers) for _ in range(2)] == [1, 0]


class Open(NamedTuple):
    call: Call
    unit: str
    month: int
    reservation: Reservation
    number: int


@settings(max_examples=60, deadline=None)
@given(st.lists(calls, min_size=1, max_size=25))
def test_redis_and_memory_agree(module_redis: RedisProcess, history: list[Call]) -> None:
    books, flying = Books(module_redis), list[Open]()
    for number, call in enumerate(history):
        books.time.advance(call.after_s)
        for over in [it for it in flying if it.number + it.call.lasts <= number]:
            flying.remove(over)
            books.settle(over)
        begun = books.ask(call)
        if begun is not None:
            flying.append(begun)
    for it in flying:
        books.settle(it)


def test_what_is_given_back_in_another_month_is_forgotten(module_redis: RedisProcess) -> None:
    books = Books(module_redis)
    three = next(posting for posting in POSTINGS if posting.meter.id == "count3True")
    failing, fine = [Call(0, claim([three], [], 0, 1), succeeds, 0, 0) for succeeds in (False, True)]
    begun = [books.ask(failing), books.ask(failing)]
    books.time.advance(40 * 86_400)
    begun += [books.ask(fine), books.ask(fine)]
    for it in begun:
        assert it is not None
        books.settle(it)
    assert [books.ask(fine) is not None for _ in range(2)] == [True, False]


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 200_000_000_000))
def test_the_calendar_of_the_scripts_is_that_of_the_kernel(module_redis: RedisProcess, seconds: int) -> None:
    script = METERS.replace(TIME_SOURCE, b"{'%d', '0'}" % seconds) + b"return {this_month, end_of(this_month)}"
    assert module_redis.ask("EVAL", script, 0) == [month_of(seconds), end_of(month_of(seconds)) * 1000]
