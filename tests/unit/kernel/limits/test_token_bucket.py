"""kernel/limits/token_bucket.py: what a bucket holds, gives and says."""

import msgspec
import pytest

from gateway.kernel.faults import RATE_LIMITED
from gateway.kernel.limits.quota import Meter, Posting
from gateway.kernel.limits.token_bucket import (
    UNLIMITED,
    Claim,
    Decision,
    Window,
    WindowState,
    carry,
    claim,
    decide,
    decide_alone,
    decision,
    granted,
    most,
)

MINUTE = Window("minute", 300, 60_000_000, "Minute")
DAY = Window("day", 1000, 86_400_000_000, "Day")
NOW = 1_700_000_000_000_000


def ask(
    tats_us: list[int], windows: tuple[Window, ...], cost: int = 1, now_us: int = NOW
) -> tuple[Decision, list[int]]:
    allowed, kept, over = decide(tats_us, windows, cost, now_us)
    return decision("local", kept, claim("a", windows, cost), now_us, over, allowed=allowed), kept


def spend(window: Window, calls: int, now_us: int = NOW) -> list[int]:
    tats_us = [0]
    for _ in range(calls):
        allowed, tats_us, _ = decide(tats_us, (window,), 1, now_us)
        assert allowed
    return tats_us


@pytest.mark.parametrize(
    ("limit", "per_us", "emission_us"), [(300, 60_000_000, 200_000), (7, 60_000_000, 8_571_429), (3, 1, 1), (1, 5, 5)]
)
def test_a_token_costs_its_share_of_time_rounded_up(limit: int, per_us: int, emission_us: int) -> None:
    window = Window("w", limit, per_us, None)
    assert window.emission_us == emission_us
    assert window.full_us == emission_us * limit


@pytest.mark.parametrize(("limit", "per_us"), [(0, 1), (-1, 1), (1, 0)])
def test_a_window_without_tokens_or_length_is_no_window(limit: int, per_us: int) -> None:
    with pytest.raises(ValueError, match="1 or more"):
        Window("w", limit, per_us, None)


@pytest.mark.parametrize("limit", [1, 3, 7, 300])
def test_a_fresh_bucket_holds_exactly_max(limit: int) -> None:
    window = Window("w", limit, 60_000_000, None)
    tats_us = spend(window, limit)
    answer, _ = ask(tats_us, (window,))
    assert not answer.allowed
    assert answer.states[0].remaining == 0


def test_remaining_counts_down_to_nothing() -> None:
    tats_us = [0]
    states = []
    for _ in range(3):
        answer, tats_us = ask(tats_us, (Window("w", 3, 3_000_000, None),))
        states.append((answer.states[0].remaining, answer.states[0].full_s, answer.states[0].retry_s))
    assert states == [(2, 1.0, 0.0), (1, 2.0, 0.0), (0, 3.0, 0.0)]


def test_a_refused_call_costs_nothing_and_has_the_time_when_it_fits() -> None:
    tats_us = spend(MINUTE, 300)
    answer, kept = ask(tats_us, (MINUTE,), now_us=NOW + 50_000)
    assert kept == tats_us
    assert (answer.states[0].retry_s, answer.states[0].full_s) == (0.15, 59.95)
    assert not decide(kept, (MINUTE,), 1, NOW + 199_999)[0]
    assert decide(kept, (MINUTE,), 1, NOW + 200_000)[0]


def test_part_of_a_token_is_no_token() -> None:
    answer, _ = ask(spend(MINUTE, 300), (MINUTE,), cost=0, now_us=NOW + 399_999)
    assert answer.states[0].remaining == 1


def test_after_any_idle_time_a_bucket_is_full_once() -> None:
    tats_us = spend(MINUTE, 300)
    for idle_us in (60_000_000, 10**13):
        again = tats_us
        for _ in range(300):
            allowed, again, _ = decide(again, (MINUTE,), 1, NOW + idle_us)
            assert allowed
        assert not decide(again, (MINUTE,), 1, NOW + idle_us)[0]


def test_a_cost_is_checked_before_it_is_charged() -> None:
    tats_us = spend(MINUTE, 298)
    answer, kept = ask(tats_us, (MINUTE,), cost=3)
    assert (answer.allowed, kept) == (False, tats_us)
    assert (answer.states[0].remaining, answer.states[0].retry_s) == (0, 0.2)
    answer, _ = ask(tats_us, (MINUTE,), cost=2)
    assert (answer.allowed, answer.states[0].remaining) == (True, 0)


def test_a_cost_above_max_never_fits() -> None:
    answer, _ = ask([0], (MINUTE,), cost=301)
    assert (answer.allowed, answer.states[0].remaining, answer.states[0].retry_s) == (False, 0, 0.2)


def test_a_cost_of_zero_charges_nothing() -> None:
    tats_us = spend(MINUTE, 300)
    answer, kept = ask(tats_us, (MINUTE,), cost=0)
    assert (answer.allowed, kept) == (True, tats_us)
    assert answer.states[0].remaining == 0


def test_windows_are_charged_together_or_not_at_all() -> None:
    minute = spend(MINUTE, 300)
    day = spend(DAY, 10)
    answer, kept = ask([*minute, *day], (MINUTE, DAY))
    assert not answer.allowed
    assert kept == [*minute, *day]
    spent, other = answer.states
    assert (spent.remaining, spent.retry_s) == (0, 0.2)
    assert (other.remaining, other.retry_s) == (990, 0.0)
    answer, kept = ask([0, *day], (MINUTE, DAY))
    assert answer.allowed
    assert [state.remaining for state in answer.states] == [299, 989]


def test_a_clock_that_goes_back_gives_no_tokens() -> None:
    answer, _ = ask(spend(MINUTE, 100), (MINUTE,), cost=0, now_us=NOW - 5_000_000)
    assert answer.states[0].remaining == 175
    answer, _ = ask(spend(MINUTE, 300), (MINUTE,), cost=0, now_us=NOW - 5_000_000)
    assert answer.states[0].remaining == 0


def test_a_clock_that_goes_back_locks_nobody_out_for_longer_than_an_empty_bucket() -> None:
    year_us = 365 * 86_400_000_000
    answer, kept = ask(spend(MINUTE, 1), (MINUTE,), now_us=NOW - year_us)
    assert (answer.allowed, answer.states[0].retry_s, answer.states[0].full_s) == (False, 0.2, 60.0)
    assert decide(kept, (MINUTE,), 1, NOW - year_us + 200_000)[0]


@pytest.mark.parametrize(
    ("old", "new", "remaining"),
    [
        pytest.param(Window("w", 10, 60_000_000, None), Window("w", 20, 60_000_000, None), 14, id="raised"),
        pytest.param(Window("w", 10, 60_000_000, None), Window("w", 8, 60_000_000, None), 2, id="lowered"),
        pytest.param(
            Window("w", 10, 60_000_000, None), Window("w", 5, 60_000_000, None), 0, id="lowered below what was used"
        ),
        pytest.param(Window("w", 10, 60_000_000, None), Window("w", 10, 3_600_000_000, None), 4, id="slower"),
    ],
)
def test_a_changed_limit_keeps_the_tokens_that_were_used(old: Window, new: Window, remaining: int) -> None:
    (tat_us,) = spend(old, 6)
    answer, _ = ask([carry(tat_us, old.emission_us, new.emission_us, NOW)], (new,), cost=0)
    assert answer.states[0].remaining == remaining


def test_a_full_bucket_stays_full_when_its_limit_changes() -> None:
    assert carry(NOW - 1, 10, 1000, NOW) == NOW - 1
    assert carry(NOW, 10, 1000, NOW) == NOW


def test_no_windows_is_no_limit() -> None:
    assert Decision(allowed=True, store="none", states=()) == UNLIMITED
    assert ask([], ())[0].allowed


def test_a_claim_names_the_bucket_of_each_window() -> None:
    made = claim("{a}", [MINUTE, DAY], 3)
    assert (made.keys, made.windows, made.cost) == (("{a}:minute", "{a}:day"), (MINUTE, DAY), 3)
    assert made != claim("{a}", [MINUTE, DAY], 3)


def test_a_claim_gives_nothing_back() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        claim("a", [MINUTE], -1)


@pytest.mark.parametrize(
    ("limit", "per_us", "burst", "emission_us"),
    [(300, 60_000_000, 150, 397_351), (1, 1000, 1, 1001), (2, 1000, 1, 501), (5, 9, 3, 4)],
)
def test_a_limit_that_holds_in_any_window_has_half_the_burst_and_half_the_refill(
    limit: int, per_us: int, burst: int, emission_us: int
) -> None:
    window = Window("w", limit, per_us, None, guarantee="any-window")
    assert (window.burst, window.emission_us, window.full_us) == (burst, emission_us, burst * emission_us)
    assert most((window,), 1, per_us) == limit


def test_the_worst_case_of_a_burst_is_twice_as_much() -> None:
    assert [most((MINUTE,), 1, span_us) for span_us in (0, 1_000_000, 60_000_000, 120_000_000)] == [300, 305, 600, 900]
    assert most((MINUTE, DAY), 1, 86_400_000_000) == 2000
    assert most((MINUTE,), 7, 60_000_000) == 85
    assert most((MINUTE,), 301, 60_000_000) == 0


def test_without_a_limit_or_a_cost_there_is_no_worst_case() -> None:
    assert most((), 1, 1) is None
    assert most((MINUTE,), 0, 1) is None


class TestShadows:
    FEW = Window("few", 2, 60_000_000, "Minute", shadow=True)
    NONE = Window("none", 1, 60_000_000, None, shadow=True)

    def test_shadows_refuse_nothing_and_report_what_they_would_have(self) -> None:
        tats_us, reported = [0, 0, 0], []
        for _ in range(4):
            answer, kept = ask(tats_us, (MINUTE, self.FEW, self.NONE))
            assert answer.allowed
            assert [state.window for state in answer.states] == [MINUTE]
            tats_us = kept
            reported.append([window.id for window in answer.shadows])
        assert reported == [[], ["none"], ["few", "none"], ["few", "none"]]

    def test_each_counts_what_it_alone_would_have_let_through(self) -> None:
        _, kept = ask([0, 0, NOW + 60_000_000], (MINUTE, self.FEW, self.NONE))
        assert kept == [NOW + 200_000, NOW + 30_000_000, NOW + 60_000_000]

    def test_a_call_that_another_limit_refuses_is_none_of_theirs(self) -> None:
        answer, kept = ask([NOW + 60_000_000, 0, NOW + 60_000_000], (MINUTE, self.FEW, self.NONE))
        assert (answer.allowed, answer.shadows) == (False, ())
        assert kept == [NOW + 60_000_000, 0, NOW + 60_000_000]

    def test_one_alone_is_no_limit(self) -> None:
        answer, kept = ask([0], (self.NONE,))
        assert (answer.allowed, answer.states, answer.shadows, kept) == (True, (), (), [NOW + 60_000_000])
        answer, kept = ask(kept, (self.NONE,))
        assert (answer.allowed, answer.states, answer.shadows, kept) == (True, (), (self.NONE,), [NOW + 60_000_000])

    def test_one_that_lies_too_far_ahead_is_brought_back(self) -> None:
        assert ask([0, NOW + 10**12], (MINUTE, self.FEW), cost=0)[1] == [0, NOW + 60_000_000]

    def test_a_cost_of_zero_is_reported_by_no_shadow(self) -> None:
        assert ask([NOW + 60_000_000], (self.NONE,), cost=0)[0].shadows == ()

    def test_they_come_last(self) -> None:
        with pytest.raises(ValueError, match="come last"):
            claim("a", (self.FEW, MINUTE))


def test_the_tokens_that_are_used_include_those_that_are_partly_refilled() -> None:
    assert [WindowState(MINUTE, 0, full_us, 0).used for full_us in (0, 100_000, 200_000, 300_000)] == [0, 1, 1, 2]


@pytest.mark.parametrize("cost", [0, 1, 7, 300, 301])
@pytest.mark.parametrize("used_us", [-1, 0, 1, 59_800_000, 59_800_001, 60_000_000, 90_000_000])
def test_one_window_alone_is_decided_as_among_others(used_us: int, cost: int) -> None:
    asked, tat_us = claim("a", (MINUTE,), cost), NOW + used_us
    allowed, kept, over = decide((tat_us,), asked.windows, cost, NOW)
    expected = max(kept[0], NOW), decision("local", kept, asked, NOW, over, allowed=allowed)
    assert decide_alone(tat_us, MINUTE, asked, NOW, "local") == expected
    if allowed:
        assert granted("local", MINUTE, max(kept[0], NOW) - NOW) == expected[1]
    among_others = claim("a", (MINUTE, DAY), cost)
    assert decision("local", [*kept, NOW], among_others, NOW, allowed=allowed).states[0] == expected[1].states[0]


def test_a_claim_is_alone_that_is_one_enforced_window_and_a_cost() -> None:
    shadow, posting = (
        msgspec.structs.replace(MINUTE, shadow=True),
        Posting("{a}:m", Meter("m", "count", 5, "key", RATE_LIMITED)),
    )
    for cost in (0, 7):
        asked = claim("a", (MINUTE,), cost)
        assert (asked.alone, asked.alone_us) == (MINUTE, cost * MINUTE.emission_us)
    others = [
        claim("a", ()), claim("a", (MINUTE, MINUTE)), claim("a", (shadow,)),
        claim("a", (MINUTE, shadow)), Claim(("{a}:minute",), (MINUTE,), postings=(posting,)),
    ]  # fmt: skip
    assert [each.alone for each in others] == [None] * 5


def test_a_bucket_that_is_full_has_all_that_it_holds() -> None:
    window = Window("minute", 60, 60_000_000, None)
    (state,) = decision("local", [0], claim("a", (window,)), 5_000_000, allowed=True).states
    assert (state.remaining, state.full_s) == (60, 0.0)
