"""kernel/traffic/retry.py: which calls are sent again, and how many of all calls."""

import pytest

from gateway.kernel.faults import (
    CLIENT_CLOSED,
    UPSTREAM_INCOMPLETE,
    UPSTREAM_REFUSED,
    UPSTREAM_RESET,
    UPSTREAM_STREAMS_FULL,
    UPSTREAM_TIMEOUT,
    Fault,
)
from gateway.kernel.traffic.retry import FAILOVER, RetryBudget, RetryPolicy, retry_after_s

POLICY = RetryPolicy(words=FAILOVER | {"http_response_timeout"}, statuses=frozenset({503}))


@pytest.mark.parametrize(
    ("fault", "method", "with_body", "replayable", "repeated"),
    [
        (UPSTREAM_REFUSED, b"POST", True, True, True),
        (UPSTREAM_REFUSED, b"POST", True, False, True),
        (UPSTREAM_RESET, b"GET", False, True, True),
        (UPSTREAM_RESET, b"PUT", True, True, True),
        (UPSTREAM_RESET, b"PUT", True, False, False),
        (UPSTREAM_RESET, b"POST", True, True, False),
        (UPSTREAM_RESET, b"PATCH", False, True, False),
        (UPSTREAM_TIMEOUT, b"GET", False, True, True),
        (UPSTREAM_TIMEOUT, b"POST", False, True, False),
        (UPSTREAM_INCOMPLETE, b"GET", False, True, True),
        (UPSTREAM_INCOMPLETE, b"GET", True, True, False),
        (UPSTREAM_INCOMPLETE, b"DELETE", False, True, False),
        (UPSTREAM_STREAMS_FULL, b"GET", False, True, False),
        (CLIENT_CLOSED, b"GET", False, True, False),
    ],
)
def test_after_a_fault(fault: Fault, method: bytes, *, with_body: bool, replayable: bool, repeated: bool) -> None:
    assert POLICY.after_fault(fault, method, with_body=with_body, replayable=replayable) is repeated


def test_only_after_faults_that_are_named() -> None:
    policy = RetryPolicy(words=frozenset({"connection_refused"}))
    assert policy.after_fault(UPSTREAM_REFUSED, b"GET", with_body=False, replayable=True)
    assert not policy.after_fault(UPSTREAM_RESET, b"GET", with_body=False, replayable=True)
    assert not RetryPolicy().after_fault(UPSTREAM_TIMEOUT, b"GET", with_body=False, replayable=True)


@pytest.mark.parametrize(
    ("status", "method", "replayable", "repeated"),
    [
        (503, b"GET", True, True),
        (502, b"GET", True, False),
        (503, b"PUT", False, False),
        (503, b"POST", True, False),
    ],
)
def test_after_a_status(status: int, method: bytes, *, replayable: bool, repeated: bool) -> None:
    assert POLICY.after_status(status, method, replayable=replayable) is repeated


def test_a_narrower_list_of_methods() -> None:
    assert not RetryPolicy(methods=frozenset({b"GET"})).after_fault(
        UPSTREAM_RESET, b"PUT", with_body=False, replayable=True
    )


def test_waits_become_longer_up_to_a_second() -> None:
    policy = RetryPolicy(backoff_s=0.025)
    assert [policy.wait_s(attempts, 0.0) for attempts in (1, 2, 3, 9)] == [0.025, 0.05, 0.1, 1.0]
    assert policy.wait_s(1, 0.5) == pytest.approx(0.0225)


@pytest.mark.parametrize(
    ("value", "waits_s"),
    [
        (b"120", 120.0),
        (b"0", 0.0),
        (b"Fri, 15 Jan 2027 08:00:30 GMT", 30.0),
        (b"Fri, 15 Jan 2027 07:00:00 GMT", 0.0),
        (b"-5", 0.0),
        (b"soon", 0.0),
        (b"9" * 10, 0.0),
        (b"x" * 5000, 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: bytes, waits_s: float) -> None:
    assert retry_after_s(value, 1_800_000_000.0) == waits_s


class TestBudget:
    @pytest.mark.parametrize("calls", [5, 7, 100, 1000, 1001])
    @pytest.mark.parametrize("in_flight", [1, 8, 64])
    def test_while_all_fail_a_share_of_the_calls_is_added(self, calls: int, in_flight: int) -> None:
        budget, repeated, unanswered = RetryBudget(0.2), 0, 0
        for number in range(calls):
            budget.called()
            if budget.take():
                repeated += 1
                unanswered += 1
            if number % in_flight == 0:
                for _ in range(unanswered):
                    budget.failed()
                unanswered = 0
        assert 0 < repeated <= 0.2 * calls

    @pytest.mark.parametrize("calls", [150, 1000])
    def test_what_was_saved_before_does_not_add_to_that(self, calls: int) -> None:
        budget, repeated = RetryBudget(0.2), 0
        for _ in range(10_000):
            budget.called()
        for _ in range(calls):
            budget.called()
            if budget.take():
                repeated += 1
                budget.failed()
        assert repeated <= 0.2 * calls

    def test_attempts_that_succeed_use_the_whole_share(self) -> None:
        budget, repeated = RetryBudget(0.2), 0
        for _ in range(1000):
            budget.called()
            repeated += budget.take()
        assert repeated == 200

    def test_many_calls_that_fail_at_once_are_covered_by_what_was_saved(self) -> None:
        budget = RetryBudget(0.2)
        for _ in range(200):
            budget.called()
        assert sum(budget.take() for _ in range(100)) == RetryBudget.RESERVE

    def test_without_a_share_nothing_is_repeated(self) -> None:
        budget = RetryBudget(0.0)
        budget.called()
        assert not budget.take()
