"""What limits promise, against an oracle that counts every stretch of time there is."""

from collections.abc import Sequence

import hypothesis.strategies as st
from hypothesis import given

from gateway.kernel.limits.token_bucket import Window, decide, most

START_US = 10**15
any_window = st.builds(
    lambda limit, per_us: Window("w", limit, per_us, None, guarantee="any-window"),
    st.integers(1, 12),
    st.one_of(st.integers(1, 200), st.sampled_from([1_000_000, 60_000_000])),
)
either = st.builds(
    lambda limit, per_us, guarantee: Window("w", limit, per_us, None, guarantee=guarantee),
    st.integers(1, 12),
    st.integers(1, 200),
    st.sampled_from(["burst", "any-window"]),
)


def worst_stretch(taken: Sequence[tuple[int, int]], span_us: int) -> int:
    """The most that was taken between two instants `span_us` apart, both included."""
    return max(
        (sum(cost for at_us, cost in taken if from_us <= at_us <= from_us + span_us) for from_us, _ in taken), default=0
    )


@st.composite
def arrivals(draw: st.DrawFn, window: Window) -> list[tuple[int, int]]:
    """Instants and costs: anyhow, and just when tokens come back or windows end."""
    telling = [0, 1, window.emission_us - 1, window.emission_us, window.per_us - 1, window.per_us, window.full_us]
    waits_us = st.one_of(st.sampled_from(telling), st.integers(0, 2 * window.per_us))
    now_us, found = START_US, []
    for wait_us, cost in draw(st.lists(st.tuples(waits_us, st.sampled_from([1, 1, 1, 2, 3])), max_size=80)):
        now_us += wait_us
        found.append((now_us, cost))
    return found


@given(st.data(), any_window)
def test_no_stretch_as_long_as_the_window_sees_more_than_max(data: st.DataObject, window: Window) -> None:
    taken, tats_us = [], [0]
    for now_us, cost in data.draw(arrivals(window)):
        allowed, tats_us, _ = decide(tats_us, (window,), cost, now_us)
        if allowed:
            taken.append((now_us, cost))
    assert worst_stretch(taken, window.per_us) <= window.max


@given(st.lists(either, min_size=1, max_size=3), st.integers(1, 3), st.integers(0, 600))
def test_the_worst_case_is_what_a_greedy_caller_gets_and_no_more(
    windows: list[Window], cost: int, span_us: int
) -> None:
    """Greedy: it asks at every microsecond until it is refused."""
    reported = most(windows, cost, span_us)
    tats_us, got = [0] * len(windows), 0
    for now_us in range(START_US, START_US + span_us + 1):
        while (answer := decide(tats_us, windows, cost, now_us))[0]:
            tats_us, got = answer[1], got + 1
    assert got == reported
