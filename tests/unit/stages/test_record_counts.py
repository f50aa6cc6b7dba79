"""stages/record.py: quotas that could not be charged, requests that break their contract, and paths that are known."""

from types import SimpleNamespace
from typing import Any

import pytest

from gateway.kernel.faults import RATE_LIMITED
from gateway.kernel.http.request_fields import RequestLine
from gateway.kernel.limits.quota import Meter, MeterState
from gateway.kernel.limits.token_bucket import Decision
from tests.samples import route
from tests.unit.stages.recording import Recording, served


def test_a_call_that_was_charged_nothing_is_counted() -> None:
    recording = Recording()
    recording.recorder.unmeasured("traffic")
    assert recording.value("gateway_quota_unmeasured_total") == 1


@pytest.mark.parametrize("shadow", [True, False])
def test_a_request_that_breaks_its_contract_is_counted_by_mode(*, shadow: bool) -> None:
    recording = Recording()
    contract: Any = SimpleNamespace(shadow=shadow)
    x = served(request_faults=2)
    x.route = route(request=contract)
    recording.record(x)
    assert (
        recording.value("gateway_requests_at_fault_total", route="orders", mode="shadow" if shadow else "enforce") == 1
    )


def test_the_path_of_a_request_line_that_is_remembered_is_written_as_it_is() -> None:
    line = RequestLine("GET", "/v1/other/7", "", remembered=True)
    assert Recording().record(served(path=line.path, line=line))["url.path"] == "/v1/other/7"


def test_whoever_is_shown_a_failure_is_shown_the_path_of_a_line_that_is_remembered() -> None:
    recording = Recording()
    shown: list[tuple[int, str | None]] = []
    recording.recorder.capture = lambda x, status, show_path: shown.append((status, show_path(x)))
    line = RequestLine("GET", "/v1/other/7", "", remembered=True)
    recording.record(served(path=line.path, line=line, outcome="cut"))
    assert shown == [(200, "/v1/other/7")]


def test_quotas_that_refuse_a_call_are_counted() -> None:
    recording, x = Recording(), served()
    spent = MeterState(Meter("jobs", "count", 5, "key", RATE_LIMITED), 5, None)
    x.decision = Decision(allowed=False, store="redis", states=(), spent=(spent,))
    recording.record(x)
    assert recording.value("gateway_quota_refused_total", quota="jobs") == 1
