"""The script in Redis and the arithmetic in the kernel are one limiter.

Two ways: the script as it is, against the model fed with the time that the script says it was; and the script with its
source of time replaced, against the model on histories of years with clocks that jump.
"""

from dataclasses import dataclass
from math import ceil

import hypothesis.strategies as st
from hypothesis import given, settings
from msgspec.structs import replace

from gateway.kernel.limits.token_bucket import Claim, Window, carry, decide
from gateway.limiter.memory_limiter import LocalLimiter
from gateway.limiter.redis_limiter import SCRIPT
from tests.clocks import ManualClock
from tests.redis_server import RedisProcess

TIME_SOURCE = "redis.call('TIME')"
GIVEN_TIME = "{ARGV[#ARGV - 1], ARGV[#ARGV]}"
EPOCH_US = 4_000_000_000_000_000
"""Later than any test runs: for Redis, whose clock cannot be replaced, nothing expires."""

Step = tuple[int, Claim]
"""How long after the step before, in microseconds; what is claimed."""

guarantees = st.sampled_from(["burst", "any-window"])
windows = st.builds(
    lambda name, limit, per_us, guarantee: Window(name, limit, per_us, None, guarantee=guarantee),
    st.sampled_from(["a", "b", "c"]),
    st.integers(1, 50),
    st.one_of(st.integers(1, 100_000), st.sampled_from([1_000_000, 60_000_000, 86_400_000_000, 2_678_400_000_000])),
    guarantees,
)
limits = st.lists(windows, min_size=1, max_size=3, unique_by=lambda window: window.id).map(tuple)
short_limits = st.lists(
    st.builds(
        lambda name, limit, per_us: Window(name, limit, per_us, None),
        st.sampled_from(["a", "b"]),
        st.integers(1, 5),
        st.integers(1, 4000),
    ),
    min_size=1,
    max_size=2,
    unique_by=lambda window: window.id,
).map(tuple)
"""Short enough for tokens to come back between two commands."""
waits_us = st.one_of(st.just(0), st.integers(0, 2_000_000), st.integers(0, 10**13))
jumps_us = st.one_of(waits_us, st.integers(-(10**13), 0))


owners = st.sampled_from(["{x}:one", "{x}:other", "{x}:everybody"])
"""Two claims may share some of their buckets and not others, as two keys of an organisation do."""


@st.composite
def claims(draw: st.DrawFn, limit: st.SearchStrategy[tuple[Window, ...]] = limits, most: int = 60) -> Claim:
    made = draw(limit)
    enforced = draw(st.one_of(st.just(len(made)), st.integers(0, len(made))))
    made = tuple(replace(window, shadow=index >= enforced) for index, window in enumerate(made))
    keys = tuple(f"{draw(owners)}:{window.id}" for window in made)
    return Claim(keys, made, draw(st.one_of(st.just(1), st.integers(0, most))))


@st.composite
def histories(draw: st.DrawFn, steps_us: st.SearchStrategy[int]) -> list[Step]:
    possible = draw(st.lists(claims(), min_size=1, max_size=4))
    return draw(st.lists(st.tuples(steps_us, st.sampled_from(possible)), min_size=1, max_size=30))


class Model:
    """Buckets by key, as a process has them in its memory, each with the price at which its time was written."""

    def __init__(self) -> None:
        self._tats_us: dict[str, int] = {}
        self._prices_us: dict[str, int] = {}

    def decide(self, asked: Claim, now_us: int) -> list[int]:
        """What the script returns."""
        for key, window in zip(asked.keys, asked.windows, strict=True):
            tat_us = self._tats_us.setdefault(key, 0)
            if tat_us >= now_us:
                price_us = self._prices_us[key]
                self._tats_us[key] = (
                    carry(tat_us, price_us, window.emission_us, now_us) if price_us != window.emission_us else tat_us
                )
                self._prices_us[key] = window.emission_us
        allowed, tats_us, over = decide([self._tats_us[key] for key in asked.keys], asked.windows, asked.cost, now_us)
        for index, (key, window, tat_us) in enumerate(zip(asked.keys, asked.windows, tats_us, strict=True)):
            if index not in over or tat_us > now_us:  # a full bucket that is too small for the call stays as it is
                self._tats_us[key] = tat_us
            if allowed and asked.cost and index not in over:
                self._prices_us[key] = window.emission_us
        return [int(allowed), now_us, *(max(tat_us, now_us) for tat_us in tats_us), *(index + 1 for index in over)]


@dataclass
class Version:
    """What the bucket of one version of a limit says. `full_us` is 0 where nobody has said it yet."""

    tat_us: int
    price_us: int
    full_us: int
    until_us: int


class SharedModel:
    """Buckets by key, as Redis has them: one for each version of a limit, all of them charged with every call."""

    def __init__(self) -> None:
        self._versions: dict[str, list[Version]] = {}

    def decide(self, asked: Claim, now_us: int) -> list[int]:
        """What the script returns."""
        found = [self._find(key, window, now_us) for key, window in zip(asked.keys, asked.windows, strict=True)]
        allowed, tats_us, over = decide([own.tat_us for own, _, _ in found], asked.windows, asked.cost, now_us)
        for index, (_, others, changed) in enumerate(found):
            key, window, tat_us = asked.keys[index], asked.windows[index], tats_us[index]
            charged = allowed and asked.cost > 0 and index not in over
            if charged or changed:
                cost = asked.cost if charged else 0
                own = Version(max(tat_us, now_us), window.emission_us, 0, 0)
                if others:
                    own.full_us, own.until_us = window.full_us, now_us + window.full_us
                for other in others if cost else []:
                    other.tat_us += cost * other.price_us
                    if other.full_us:
                        other.tat_us = min(other.tat_us, now_us + other.full_us)
                self._versions[key] = [own, *others]
        return [int(allowed), now_us, *(max(tat_us, now_us) for tat_us in tats_us), *(index + 1 for index in over)]

    def _find(self, key: str, window: Window, now_us: int) -> tuple[Version, list[Version], bool]:
        """The bucket of this version, those of others, and whether there is something to be written in any case."""
        kept = [replace_version(each) for each in self._versions.get(key, [])]
        price_us, empty_us = window.emission_us, now_us + window.full_us
        fresh = Version(now_us, price_us, 0, 0)
        if not kept:
            return fresh, [], False
        if len(kept) == 1:
            (one,) = kept
            if one.price_us == price_us and one.tat_us <= empty_us:
                one.tat_us = max(one.tat_us, now_us)
                return one, [], False
            one.full_us, one.until_us = 0, max(one.tat_us, empty_us)
        own: Version | None = None
        others: list[Version] = []
        for each in kept:
            mine = each.price_us == price_us and (
                each.full_us == window.full_us or (each.full_us == 0 and each.tat_us <= empty_us)
            )
            if mine and own is None:
                own = each
            elif each.tat_us > now_us and each.until_us > now_us and len(others) < 7:
                others.append(each)
        if own is None:
            used = max([(each.tat_us - now_us) / each.price_us for each in others], default=0)
            fresh.tat_us = min(now_us + ceil(used * price_us), empty_us)
            return fresh, others, fresh.tat_us > now_us
        changed = own.tat_us > empty_us or (bool(others) and own.until_us < now_us + window.full_us / 2)
        own.tat_us = min(max(own.tat_us, now_us), empty_us)
        return own, others, changed


def replace_version(version: Version) -> Version:
    """A copy, which a refused call leaves unused."""
    return Version(version.tat_us, version.price_us, version.full_us, version.until_us)


def evaluate(server: RedisProcess, script: str, asked: Claim, *more: int) -> list[int]:
    keys = [f"gw:1:{key}" for key in asked.keys]
    rates = [number for window in asked.windows for number in (window.emission_us, window.full_us)]
    reply: list[int] = server.ask("EVAL", script, len(keys), *keys, asked.cost, *rates, asked.enforced, *more)
    return reply


@settings(max_examples=150, deadline=None)
@given(histories(jumps_us))
def test_the_script_is_the_model_whatever_the_clock_does(module_redis: RedisProcess, history: list[Step]) -> None:
    script = SCRIPT.decode()
    assert script.count(TIME_SOURCE) == 1
    script = script.replace(TIME_SOURCE, GIVEN_TIME)
    module_redis.ask("FLUSHALL")
    model, now_us = SharedModel(), EPOCH_US
    for wait_us, asked in history:
        now_us = max(now_us + wait_us, EPOCH_US // 2)
        expected = model.decide(asked, now_us)
        assert evaluate(module_redis, script, asked, now_us // 1_000_000, now_us % 1_000_000) == expected


@settings(max_examples=40, deadline=None)
@given(st.lists(claims(short_limits, 8), min_size=1, max_size=60))
def test_the_script_agrees_with_the_model_at_the_time_that_it_returns(
    module_redis: RedisProcess, history: list[Claim]
) -> None:
    module_redis.ask("FLUSHALL")
    model = SharedModel()
    for asked in history:
        reply = evaluate(module_redis, SCRIPT.decode(), asked)
        assert reply == model.decide(asked, reply[1])


@given(histories(waits_us))
def test_the_limiter_in_memory_is_the_model(history: list[Step]) -> None:
    """Its clock is monotonic."""
    time, model = ManualClock(now_us=10**15), Model()
    limiter = LocalLimiter(time.clock)
    for wait_us, asked in history:
        time.now_us += wait_us
        answer = limiter.decide_now(asked)
        allowed, now_us, *tats_us = model.decide(asked, time.now_us)
        assert answer.allowed == bool(allowed)
        assert [state.full_s for state in answer.states] == [
            (tat_us - now_us) / 1e6 for tat_us in tats_us[: asked.enforced]
        ]
        assert answer.shadows == tuple(asked.windows[number - 1] for number in tats_us[len(asked.windows) :])


@given(windows, st.lists(st.tuples(waits_us, st.integers(1, 60)), max_size=60))
def test_no_caller_gets_more_than_a_full_bucket_and_the_refill(window: Window, history: list[tuple[int, int]]) -> None:
    """In any stretch of a history, whatever the arrival times."""
    now_us, tats_us = EPOCH_US, [0]
    admitted: list[tuple[int, int]] = []
    for wait_us, cost in history:
        now_us += wait_us
        allowed, tats_us, _ = decide(tats_us, (window,), cost, now_us)
        if allowed:
            admitted.append((now_us, cost))
    for first, (from_us, _) in enumerate(admitted):
        total = 0
        for until_us, cost in admitted[first:]:
            total += cost
            assert (total - window.burst) * window.emission_us <= until_us - from_us
