"""limiter/failure_policy.py: what each limit does while Redis is away."""

import pytest

from gateway.kernel.faults import QUOTA_SPENT
from gateway.kernel.limits.quota import Meter, Posting
from gateway.kernel.limits.token_bucket import Claim, OnFailure, Window, claim
from gateway.limiter.failure_policy import FailurePolicy
from gateway.limiter.fallback import Fallback
from tests.clocks import ManualClock


def window(name: str, limit: int, way: OnFailure | None = None, *, shadow: bool = False) -> Window:
    return Window(name, limit, 60_000_000, None, shadow=shadow, on_failure=way)


LOCAL, ALLOW, DENY = window("local", 4, "local"), window("allow", 3, "allow"), window("deny", 2, "deny")


@pytest.fixture
def fallback() -> Fallback:
    return Fallback(ManualClock().clock)


def failure_policy(fallback: Fallback, on_failure: OnFailure = "local") -> FailurePolicy:
    return FailurePolicy(on_failure, fallback)


def summary(made: FailurePolicy, asked: Claim) -> tuple[bool, str, list[tuple[str, int]]] | None:
    decision = made.decide_now(asked)
    return (
        None
        if decision is None
        else (decision.allowed, decision.store, [(state.window.id, state.remaining) for state in decision.states])
    )


@pytest.mark.parametrize("on_failure", ["local", "allow", "deny"])
def test_a_limit_without_on_failure_uses_the_common_one(fallback: Fallback, on_failure: OnFailure) -> None:
    silent, spoken = (
        failure_policy(fallback, on_failure).decide_now(claim(name, (window("w", 9, way),)))
        for name, way in (("a", None), ("b", on_failure))
    )
    assert (silent is None, silent and silent.store) == (spoken is None, spoken and spoken.store)


@pytest.mark.parametrize("windows", [(DENY,), (LOCAL, DENY), (DENY, ALLOW)])
def test_one_that_denies_is_enough_and_nothing_is_counted(fallback: Fallback, windows: tuple[Window, ...]) -> None:
    asked = claim("a", windows)
    assert failure_policy(fallback).decide_now(asked) is None
    assert "0 debtors" in repr(fallback)


@pytest.mark.parametrize("windows", [(ALLOW, LOCAL), (LOCAL, ALLOW)])
def test_counted_limits_decide_and_the_others_appear_unused(fallback: Fallback, windows: tuple[Window, ...]) -> None:
    made, asked = failure_policy(fallback, "deny"), claim("a", windows)
    remaining = [{"local": 4 - spent, "allow": 2} for spent in range(1, 5)] + [{"local": 0, "allow": 3}]
    expected = [
        (number < 4, "fallback", [(each.id, states[each.id]) for each in windows])
        for number, states in enumerate(remaining)
    ]
    assert [summary(made, asked) for _ in range(5)] == expected
    assert "1 debtors" in repr(fallback)


def test_shares_are_of_what_is_counted(fallback: Fallback) -> None:
    fallback.gateways = 2
    made, asked = failure_policy(fallback), claim("a", (ALLOW, LOCAL))
    decisions = [made.decide_now(asked) for _ in range(3)]
    assert [decision.allowed for decision in decisions if decision] == [True, True, False]
    assert decisions[2] is not None
    assert [(state.window, state.retry_s > 0) for state in decisions[2].states] == [(ALLOW, False), (LOCAL, True)]


@pytest.mark.parametrize(
    ("on_failure", "own", "expected"),
    [
        ("local", LOCAL, [(True, True), (False, False)]),
        ("local", ALLOW, [(True, True), (False, False)]),
        ("local", DENY, [None, None]),
        ("allow", LOCAL, [(True, False), (True, False)]),
        ("allow", ALLOW, [(True, False), (True, False)]),
        ("deny", ALLOW, [None, None]),
        ("local", None, [(True, True), (False, False)]),
        ("allow", None, [(True, False), (True, False)]),
    ],
)
def test_quotas_do_as_all_do(
    fallback: Fallback, on_failure: OnFailure, own: Window | None, expected: list[tuple[bool, bool] | None]
) -> None:
    """Whether a call is let through, and whether that has to be settled."""
    windows = () if own is None else (own,)
    posting = Posting("{a}:q", Meter("q", "count", 1, "key", QUOTA_SPENT))
    asked = Claim(tuple(f"{{a}}:{each.id}" for each in windows), windows, postings=(posting,))
    made = failure_policy(fallback, on_failure)
    decisions = [made.decide_now(asked) for _ in range(2)]
    assert [each and (each.allowed, each.reservation is not None) for each in decisions] == expected
    assert [each is not None and len(each.spent) for each in decisions][1] == (
        on_failure == "local" and own is not DENY
    )


def test_a_shadow_denies_no_call_and_is_counted_under_local(fallback: Fallback) -> None:
    made = failure_policy(fallback, "deny")
    assert summary(made, claim("a", (ALLOW, window("s", 1, shadow=True)))) == (True, "allow", [("allow", 2)])
    asked = claim("b", (ALLOW, window("s", 1, "local", shadow=True)))
    decisions = [made.decide_now(asked) for _ in range(2)]
    assert [[shadow.id for shadow in decision.shadows] for decision in decisions if decision] == [[], ["s"]]


def test_claims_are_remembered_in_bounded_memory(fallback: Fallback) -> None:
    made = failure_policy(fallback)
    made._plans.most = 64
    for number in range(80):
        made.decide_now(claim(f"a{number}", (ALLOW,)))
    assert len(made._plans) <= 64
