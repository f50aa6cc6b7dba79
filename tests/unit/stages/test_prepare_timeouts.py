"""stages/prepare.py: the time that a call has left."""

import pytest

from gateway.stages.prepare import ANSWERED_WITHIN_S, SHORTEST_CALL_S, prepare, shorten_timeout
from tests.samples import caller, exchange, route


@pytest.mark.parametrize(
    ("total_s", "spent_s", "left_s"),
    [
        (30.0, 1.0, 30.0),
        (ANSWERED_WITHIN_S, 10.0, ANSWERED_WITHIN_S - 10.0),
        (30.0, ANSWERED_WITHIN_S, SHORTEST_CALL_S),
        (ANSWERED_WITHIN_S + 1, 10.0, ANSWERED_WITHIN_S + 1),
    ],
)
def test_a_call_is_answered_in_time_as_far_as_its_route_allows(total_s: float, spent_s: float, left_s: float) -> None:
    call = prepare(exchange(), route(total_timeout_s=total_s), caller(), "X-Request-Id")
    shorten_timeout(call, spent_s)
    assert call.total_timeout_s == left_s
