"""stages/limit.py: what a spent limit says."""

import pytest

from gateway.kernel.bucket import Decision, Window, WindowState
from gateway.kernel.faults import RATE_LIMITED, GatewayError
from gateway.stages.limit import refuse_spent
from tests.samples import MINUTE

ODD = Window("burst", 5, 2_500_000, None)


def test_an_allowed_call_passes() -> None:
    refuse_spent(Decision(True, "local", (WindowState(MINUTE, 1, 1.0, 0.0),)))


def test_a_refused_call_names_the_windows_that_are_spent_and_when_to_come_back() -> None:
    states = (WindowState(MINUTE, 7, 58.0, 0.0), WindowState(ODD, 0, 2.5, 0.5))
    with pytest.raises(GatewayError) as raised:
        refuse_spent(Decision(False, "local", states))
    assert raised.value.fault is RATE_LIMITED
    assert raised.value.retry_after_s == 1
    assert [detail.text for detail in raised.value.details] == ["The limit of 5 per 2.5 seconds (burst) is spent."]


def test_common_lengths_have_names() -> None:
    with pytest.raises(GatewayError) as raised:
        refuse_spent(Decision(False, "local", (WindowState(MINUTE, 0, 60.0, 0.2),)))
    assert raised.value.details[0].text == "The limit of 300 per minute (minute) is spent."
