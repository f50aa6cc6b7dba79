"""stages/steer.py: what keeps calls together."""

import msgspec
import pytest

from gateway.kernel.load_balancing import seed_of
from gateway.stages.steer import steer
from gateway.table import Caller
from gateway.table.steering import Affinity, Steering
from gateway.upstream.call import Call
from tests.samples import caller, exchange
from tests.unit.upstream.calls import call

CALLER = caller()


def affinity(rule: Affinity, path: str = "/v1/orders/7/lines/8", by: Caller = CALLER) -> int:
    sent: Call = call()
    steer(exchange([("X-Session", "s-1")], path=path), sent, by, Steering(rule))
    return sent.affinity


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        (Affinity("key"), CALLER.bucket),
        (Affinity("organization"), "acme"),
        (Affinity("header", "x-session"), "s-1"),
        (Affinity("header", "X-Other"), CALLER.bucket),
        (Affinity("path_parameter", segment=2), "7"),
        (Affinity("path_parameter", segment=2, rest=True), "7/lines/8"),
        (Affinity("path_parameter", segment=9), CALLER.bucket),
    ],
)
def test_calls_are_kept_together_by(rule: Affinity, value: str) -> None:
    assert affinity(rule) == seed_of(value)


def test_without_an_organisation_by_the_caller() -> None:
    visitor = msgspec.structs.replace(CALLER, organization=None)
    assert affinity(Affinity("organization"), by=visitor) == seed_of(CALLER.bucket)


@pytest.mark.parametrize(("plan", "priority"), [("standard", 5), ("unheard-of", 0)])
def test_the_plan_says_how_urgent_a_call_is(plan: str, priority: int) -> None:
    sent = call()
    steer(exchange(), sent, msgspec.structs.replace(CALLER, plan=plan), Steering(priorities={"standard": 5}))
    assert sent.priority == priority


def test_nothing_is_decided_without_a_rule() -> None:
    sent = call()
    steer(exchange(), sent, CALLER, Steering())
    assert (sent.affinity, sent.priority) == (0, 0)
