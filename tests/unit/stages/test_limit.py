"""stages/limit.py: what a spent limit says."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kernel.faults import CONCURRENCY_EXCEEDED, QUOTA_SPENT, RATE_LIMITED, GatewayError
from gateway.kernel.limits.quota import Meter, MeterState
from gateway.kernel.limits.token_bucket import Decision, Window, WindowState
from gateway.stages.limit import limit_error
from tests.samples import MINUTE

ODD = Window("burst", 5, 2_500_000, None)
SHARED = Window("organization/day", 1000, 86_400_000_000, "Day", "organization", "any-window")
OF_ROUTE = Window("route/orders/slow", 2, 864_000_000_000, None, "route")


def refused(*states: WindowState, cost: int = 1) -> GatewayError:
    raised = limit_error(Decision(allowed=False, store="local", states=states), cost)
    assert raised.fault is RATE_LIMITED
    return raised


def test_a_refused_call_names_the_windows_that_are_spent_and_when_to_come_back() -> None:
    error = refused(WindowState(MINUTE, 7, 58_000_000, 0), WindowState(ODD, 0, 2_500_000, 450_000))
    assert error.retry_after_s == 1
    assert [detail.text for detail in error.details] == [
        "Your limit of 5 per 2.5 seconds (burst) has no room for this call: 5 of 5 at once are used, this call costs 1, and it fits in 0.5 seconds."
    ]


def test_a_refusal_reports_the_used_tokens_and_the_cost_of_the_call() -> None:
    error = refused(WindowState(MINUTE, 0, 59_500_000, 300_000), cost=5)
    assert "per minute (minute)" in error.details[0].text
    assert "298 of 300 at once are used, this call costs 5, and it fits in 0.3 seconds." in error.details[0].text


def test_the_tightest_window_comes_first_and_names_its_owner() -> None:
    error = refused(
        WindowState(ODD, 0, 2_500_000, 500_000),
        WindowState(SHARED, 0, 86_227_000_000, 172_000_000),
        WindowState(OF_ROUTE, 0, 864_000_000_000, 432_000_000_000),
        cost=2,
    )
    assert error.retry_after_s == 432_000
    route, organization, key = [detail.text for detail in error.details]
    assert route.startswith("The limit of all callers of this route of 2 per 864000 seconds (route/orders/slow) ")
    assert route.endswith("2 of 2 at once are used, this call costs 2, and it fits in 5 days.")
    assert organization.startswith("Your organisation's limit of 1000 per day (organization/day) ")
    assert organization.endswith("500 of 500 at once are used, this call costs 2, and it fits in 2.9 minutes.")
    assert key.startswith("Your limit of 5 ")


def test_refusals_with_the_same_texts_are_one_error_and_others_are_not() -> None:
    error = refused(WindowState(MINUTE, 0, 60_000_000, 110_000))
    assert refused(WindowState(msgspec.structs.replace(MINUTE), 0, 59_900_000, 200_000)) is error
    others = [
        refused(WindowState(ODD, 0, 2_500_000, 110_000)),
        refused(WindowState(msgspec.structs.replace(MINUTE, max=301), 0, 60_000_000, 110_000)),
        refused(WindowState(MINUTE, 0, 59_800_000, 110_000)),
        refused(WindowState(MINUTE, 0, 60_000_000, 110_000), cost=2),
        refused(WindowState(MINUTE, 0, 60_000_000, 210_000)),
        refused(WindowState(MINUTE, 0, 60_000_000, 110_000), WindowState(ODD, 0, 2_500_000, 100_000)),
    ]
    assert len({each.details for each in (error, *others)}) == 1 + len(others)
    assert (error.__traceback__, error.kept()) == (None, error)


@given(st.integers(1, 10**14))
def test_a_wait_has_one_text_and_one_retry_for_all_of_its_tenths_of_a_second(retry_us: int) -> None:
    latest_us = -(-retry_us // 100_000) * 100_000
    several = (WindowState(ODD, 0, 2_500_000, 1),)  # nothing is remembered of two windows
    exact, latest = (refused(WindowState(MINUTE, 0, 60_000_000, us), *several) for us in (retry_us, latest_us))
    assert (exact.details[0], exact.retry_after_s) == (latest.details[0], latest.retry_after_s)
    assert exact.retry_after_s == -(-retry_us // 1_000_000)


@pytest.mark.parametrize(
    ("retry_s", "message"),
    [
        (0.000001, "0.1 seconds"),
        (120.0, "120 seconds"),
        (120.1, "2.1 minutes"),
        (7200.0, "120 minutes"),
        (9000.0, "2.5 hours"),
        (1e7, "115.8 days"),
    ],
)
def test_waits_are_rounded_up(retry_s: float, message: str) -> None:
    assert (
        refused(WindowState(MINUTE, 0, 60_000_000, round(retry_s * 1e6)))
        .details[0]
        .text.endswith(f"fits in {message}.")
    )


MONTHLY = Meter("encodings", "count", 3, "key", QUOTA_SPENT, monthly=True)
EVER = Meter("organization/gold/bytes", "sum", 1000, "organization", QUOTA_SPENT)
LEVEL = Meter("queued", "level", 2, "key", QUOTA_SPENT)
AT_ONCE = Meter("concurrency", "concurrency", 5, "key", CONCURRENCY_EXCEEDED)


def over(*spent: MeterState, states: tuple[WindowState, ...] = ()) -> GatewayError:
    return limit_error(Decision(allowed=False, store="local", states=states, spent=spent), 1)


@pytest.mark.parametrize(
    ("state", "retry_after_s", "text"),
    [
        (MeterState(MONTHLY, 3, 86_399.2), 86_400, "Your quota encodings is spent: 3 of 3 are used this month, and it opens again in 24 hours, when the month is over (UTC)."),
        (MeterState(MONTHLY, 3, 0.0), 1, "Your quota encodings is spent: 3 of 3 are used this month, and it opens again in 0 seconds, when the month is over (UTC)."),
        (MeterState(EVER, 1200, None), 86_400, "Your organisation's quota organization/gold/bytes is spent: 1200 of 1000 are used in all, and it does not open again by itself."),
        (MeterState(LEVEL, 2, 3600.0), 60, "Your quota queued is spent: 2 of 2 are used, and it opens when one of them is released, in 60 minutes at the latest."),
        (MeterState(LEVEL, 2, 0.5), 1, "Your quota queued is spent: 2 of 2 are used, and it opens when one of them is released, in 0.5 seconds at the latest."),
        (MeterState(AT_ONCE, 5, 7.0), 1, "Your limit of 5 requests at once (concurrency) has no room for this call: 5 are in flight, and it fits when one of them has ended."),
    ],
)  # fmt: skip
def test_an_exhausted_quota_reports_its_use_and_when_it_opens(state: MeterState, retry_after_s: int, text: str) -> None:
    error = over(state)
    assert (error.fault, error.row, error.retry_after_s) == (state.meter.fault, state.meter.fault, retry_after_s)
    assert [detail.text for detail in error.details] == [text]
    assert error.cause == state.meter.id


def test_the_first_of_several_names_the_fault_and_all_are_reported() -> None:
    window = WindowState(MINUTE, 0, 60_000_000, 7_200_000_000)
    error = over(MeterState(AT_ONCE, 5, 7.0), MeterState(LEVEL, 2, 3600.0), states=(window,))
    assert (error.fault, error.retry_after_s, len(error.details)) == (CONCURRENCY_EXCEEDED, 7200, 2)
    assert error.cause == "concurrency, queued"
