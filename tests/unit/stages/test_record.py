"""stages/record.py: every exchange is counted and written, and no key with it."""

import json
import os
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from gateway.exchange import Exchange, Reply
from gateway.kernel.faults import (
    CLIENT_CLOSED,
    KEY_AMBIGUOUS,
    LIMITER_UNAVAILABLE,
    NO_ROUTE,
    UPSTREAM_INCOMPLETE,
    UPSTREAM_REFUSED,
    GatewayError,
)
from gateway.kernel.limits.token_bucket import Decision, WindowState
from gateway.observe.access_log import AccessLog
from gateway.observe.metrics import Metrics
from gateway.observe.recent_errors import ErrorLog, ErrorRing, Lane
from gateway.observe.writer import Writer
from gateway.stages.record import Recorder
from gateway.upstream.call import Answer
from tests.samples import MINUTE, Pieces, caller, exchange, route
from tests.scrape import scraped

SECRET = "gw_canary_canary_canary"


class Recording:
    """A Recorder with what it writes on."""

    def __init__(self, *, access: bool = True) -> None:
        self.metrics = Metrics()
        self._read, self._write = os.pipe()
        self._writer = Writer(self._write)
        self.errors = ErrorRing()
        kept = ErrorLog(self.errors, lambda: 1_800_000_000.0)
        self.recorder = Recorder(self.metrics, AccessLog(self._writer, lambda: 0.0, enabled=access), "X-Api-Key", kept)

    def record(self, x: Exchange, now_s: float = 0.010) -> dict[str, object]:
        """Record `x` and return its line, {} without one."""
        self.recorder.begin()
        assert self.metrics.in_flight.value == 1
        self.recorder.record(x, now_s)
        assert self.metrics.in_flight.value == 0
        self._writer.close(1.0)
        os.close(self._write)
        with os.fdopen(self._read) as lines:
            line = lines.read()
        return json.loads(line.splitlines()[-1]) if line else {}

    def value(self, name: str, **labels: str) -> float:
        """The sum of all samples called `name` that have these labels."""
        families = text_string_to_metric_families(scraped(self.metrics).decode())
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


@pytest.fixture
def recording() -> Recording:
    return Recording()


def served(**changes: Any) -> Exchange:
    x = exchange(route=route(), caller=caller(), upstream_s=0.004, limiter_s=0.0001, **changes)
    x.decision = Decision(True, "local", (WindowState(MINUTE, 299, 0.2, 0.0),))
    x.answer = Answer(200, [], b"{}", None, 2, "127.0.0.1:3000")
    x.reply, x.sent_bytes = Reply(200, [], b"12345", source="upstream"), 5
    return x


def test_an_answered_exchange(recording: Recording) -> None:
    line = recording.record(served(body=Pieces()))
    assert line["http.route"] == "orders"
    assert line["http.response.status_code"] == 200
    assert (line["gateway.key_id"], line["gateway.organization"], line["gateway.limiter.remaining"]) == (
        "acme-ci",
        "acme",
        299,
    )
    assert (
        line["gateway.duration.total_ms"],
        line["gateway.duration.upstream_ms"],
        line["gateway.duration.overhead_ms"],
    ) == (
        10.0,
        4.0,
        6.0,
    )
    assert (line["server.address"], line["http.response.body.size"], line["url.path"]) == (
        "127.0.0.1:3000",
        5,
        "/v1/orders",
    )
    assert recording.value("gateway_requests_total", route="orders", method="GET", code="200", source="upstream") == 1
    assert recording.value("gateway_limiter_decisions_total", store="local", result="allowed") == 1
    assert recording.value("gateway_upstream_requests_total", upstream="orders", code="200") == 1
    assert recording.value("gateway_overhead_seconds_count", route="orders") == 1
    assert recording.value("gateway_rejected_total") == 0


def test_whose_time_it_was(recording: Recording) -> None:
    x = served(client_s=0.003)
    x.reply = Reply(200, [], b"", source="upstream", stream=Pieces())
    line = recording.record(x)
    parts = [line[f"gateway.duration.{name}_ms"] for name in ("total", "upstream", "client", "overhead")]
    assert parts == [10.0, 4.0, 3.0, 3.0]
    assert recording.value("gateway_client_wait_seconds_sum", route="orders") == pytest.approx(0.003)
    assert recording.value("gateway_overhead_seconds_sum", route="orders") == pytest.approx(0.003)


def test_who_never_kept_us_waiting_is_no_part_of_that(recording: Recording) -> None:
    recording.record(served())
    assert recording.value("gateway_client_wait_seconds_count") == 0


async def test_bytes_are_counted(recording: Recording) -> None:
    body = Pieces(b"1234567")
    await body.read()
    assert recording.record(served(body=body))["http.request.body.size"] == 7
    assert recording.value("gateway_request_bytes_total") == 7
    assert recording.value("gateway_response_bytes_total") == 5


def test_series_are_found_again(recording: Recording) -> None:
    recording.recorder.begin()
    recording.recorder.record(served(), 0.010)
    recording.record(served())
    assert recording.value("gateway_requests_total") == 2
    assert recording.value("gateway_upstream_duration_seconds_count") == 2


def test_an_error_whose_code_is_0_has_a_code(recording: Recording) -> None:
    assert recording.record(exchange(route=route(), reply=Reply(503, [], b"", code=0)))["gateway.code"] == 0


def test_a_refused_exchange(recording: Recording) -> None:
    x = exchange(error=GatewayError(NO_ROUTE), reply=Reply(404, [], b"", code=1005))
    line = recording.record(x)
    assert (line["gateway.reason"], line["gateway.code"], line["gateway.source"]) == ("no_route", 1005, "gateway")
    assert recording.value("gateway_rejected_total", reason="no_route", code="1005") == 1
    assert recording.value("gateway_requests_total", route="-", method="GET", code="404", source="gateway") == 1


def test_an_upstream_that_failed(recording: Recording) -> None:
    x = exchange(
        route=route(),
        upstream_s=0.1,
        error=GatewayError(UPSTREAM_REFUSED, cause="errno 111"),
        reply=Reply(503, [], b"", code=1004),
    )
    assert recording.record(x)["gateway.cause"] == "errno 111"
    assert recording.value("gateway_upstream_errors_total", upstream="orders", reason="upstream_refused") == 1
    assert recording.value("gateway_upstream_requests_total") == 0


def test_a_client_that_closed_its_connection(recording: Recording) -> None:
    line = recording.record(exchange(route=route(), outcome="abandoned", error=GatewayError(CLIENT_CLOSED)))
    assert (line["http.response.status_code"], line["gateway.outcome"]) == (499, "abandoned")
    assert recording.value("gateway_requests_total", route="orders", method="GET", code="499", source="gateway") == 1
    assert recording.value("gateway_overhead_seconds_count") == 0


def test_a_reply_that_broke_off(recording: Recording) -> None:
    x = served(outcome="cut", error=GatewayError(UPSTREAM_INCOMPLETE))
    assert recording.record(x)["gateway.reason"] == "upstream_incomplete"
    assert recording.value("gateway_upstream_errors_total", upstream="orders", reason="upstream_incomplete") == 1


def test_a_client_that_leaves_is_no_failure_of_the_upstream(recording: Recording) -> None:
    recording.record(served(outcome="abandoned", error=GatewayError(CLIENT_CLOSED)))
    assert recording.value("gateway_upstream_errors_total") == 0
    assert recording.value("gateway_rejected_total") == 0


def test_limits_that_were_only_peeked_at_are_no_decision(recording: Recording) -> None:
    line = recording.record(served(peeked=True))
    assert recording.value("gateway_limiter_decisions_total") == 0
    assert "gateway.limiter.result" not in line
    assert line["gateway.limiter.remaining"] == 299


def test_a_limiter_that_cannot_decide_is_counted(recording: Recording) -> None:
    recording.record(exchange(error=GatewayError(LIMITER_UNAVAILABLE), reply=Reply(503, [], b"", code=1004)))
    assert recording.value("gateway_limiter_decisions_total", store="redis", result="error") == 1


def test_an_exchange_in_words_shows_no_key() -> None:
    x = exchange([("X-Api-Key", SECRET)], query=f"X-Api-Key={SECRET}", header_keys=[SECRET], query_keys=[SECRET])
    assert repr(x) == f"<Exchange {x.request_id} GET ->"


def test_methods_that_a_client_invents_make_no_series(recording: Recording) -> None:
    for method in ("BREW", "WHEN"):
        recording.recorder.begin()
        recording.recorder.record(exchange(method=method, reply=Reply(405, [], b"")), 0.0)
    assert recording.value("gateway_requests_total", route="-", method="other", code="405", source="gateway") == 2


def test_no_line_when_access_lines_are_off() -> None:
    assert Recording(access=False).record(served()) == {}


MADE_HERE = "gw_" + "Ab1" * 13


@pytest.mark.parametrize(
    "changes",
    [
        {"path": f"/v1/{SECRET}", "header_keys": [SECRET]},
        {"path": "/v1/%67w_canary_canary_canary", "query_keys": [SECRET]},
        {"path": f"/v1;X-Api-Key={SECRET}"},
        {"path": f"/v1%3FX%2DApi%2DKey={SECRET}"},
        {"path": f"/v1%253FX%252DApi%252DKey={SECRET}"},
        {"path": f"/v1/{SECRET}\udcff"},
        {"path": f"/v1/{SECRET}", "head_error": GatewayError(NO_ROUTE)},
    ],
)
def test_a_path_that_may_contain_a_key_is_not_written(recording: Recording, changes: dict[str, Any]) -> None:
    line = recording.record(exchange(**changes))
    assert "url.path" not in line
    assert "canary" not in json.dumps(line)
    (kept,) = recording.errors.records()
    assert (kept.path, "canary" in repr(kept)) == (None, False)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (f"/v1/{MADE_HERE}/orders", "/v1/gw_***/orders"),
        (f"/v1/%67w_{MADE_HERE[3:]}", None),
        (f"/v1/gw%255F{MADE_HERE[3:]}", None),
        ("/v1/%67w_orders", "/v1/%67w_orders"),
    ],
)
def test_a_key_that_nobody_sent_as_one_is_masked_in_a_path(recording: Recording, path: str, shown: str | None) -> None:
    line = recording.record(exchange(path=path))
    assert line.get("url.path") == shown
    (kept,) = recording.errors.records()
    assert kept.path == shown


def test_an_error_is_kept_with_what_is_known_about_it() -> None:
    recording = Recording(access=False)
    x = served(error=GatewayError(UPSTREAM_REFUSED, cause="errno 111"))
    x.reply = Reply(503, [], b"", code=1004)
    recording.record(x)
    (kept,) = recording.errors.records()
    assert (kept.at, kept.request_id, kept.trace_id, kept.status, kept.code, kept.method) == (
        *(1_800_000_000.0, x.request_id, x.trace_id),
        *(503, 1004, "GET"),
    )
    assert (kept.route, kept.path, kept.source, kept.outcome) == ("orders", "/v1/orders", "gateway", "answered")
    assert (kept.reason, kept.cause, kept.target) == ("upstream_refused", "errno 111", "127.0.0.1:3000")
    assert (kept.key_id, kept.organization, kept.total_ms, kept.upstream_ms) == ("acme-ci", "acme", 10.0, 4.0)


@pytest.mark.parametrize(
    ("changes", "status", "lane"),
    [
        ({}, 200, None),
        ({}, 503, Lane.fault),
        ({"outcome": "cut"}, 200, Lane.fault),
        ({}, 404, Lane.caller),
        ({}, 429, Lane.stranger),
        ({"outcome": "abandoned"}, 200, Lane.stranger),
        ({"caller": None}, 401, Lane.stranger),
        ({"route": None}, 404, Lane.caller),
        ({"route": route(open=True)}, 404, Lane.stranger),
    ],
)
def test_what_can_be_brought_about_in_any_number_is_kept_apart(
    recording: Recording, changes: dict[str, Any], status: int, lane: Lane | None
) -> None:
    x = served()
    x.reply = Reply(status, [], b"")
    for name, value in changes.items():
        setattr(x, name, value)
    recording.record(x)
    assert [each for each in Lane if list(recording.errors.entries(each))] == ([] if lane is None else [lane])


def test_errors_are_kept_only_where_there_is_a_place_for_them(recording: Recording) -> None:
    x = exchange(reply=Reply(404, [], b""))
    recording.recorder.begin()
    Recorder(recording.metrics, AccessLog(Writer(1), lambda: 0.0, enabled=False), "X-Api-Key").record(x, 0.0)
    assert list(recording.errors.records()) == []


def test_a_bug_is_logged_with_where_it_happened(recording: Recording) -> None:
    with capture_logs() as lines:
        try:
            raise ZeroDivisionError
        except ZeroDivisionError as bug:
            recording.recorder.bug(bug, "the-id")
    (line,) = lines
    assert (line["event"], line["request_id"], line["log_level"]) == ("bug", "the-id", "error")
    assert isinstance(line["exc_info"], ZeroDivisionError)


def test_a_path_beside_too_many_keys_is_not_written(recording: Recording) -> None:
    assert "url.path" not in recording.record(
        exchange(error=GatewayError(KEY_AMBIGUOUS), reply=Reply(401, [], b"", code=1002))
    )
