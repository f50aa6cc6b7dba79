"""stages/record.py: every exchange is counted and written, and no key with it."""

import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.exchange import CacheUse, Coded, Exchange, Reply, ShowPath
from gateway.history.activity import Activity
from gateway.history.feed import ActivityFeed
from gateway.kernel.faults import (
    CLIENT_CLOSED,
    KEY_AMBIGUOUS,
    LIMITER_UNAVAILABLE,
    NO_ROUTE,
    UPSTREAM_INCOMPLETE,
    UPSTREAM_REFUSED,
    GatewayError,
)
from gateway.upstream.call import Answer
from tests.samples import Pieces, exchange, route
from tests.unit.stages.recording import Recording, served

SECRET = "gw_canary_canary_canary"


@pytest.fixture
def recording() -> Recording:
    return Recording()


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
        {"path": "/v1/a-canary", "header_keys": ["", "a-canary"]},
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


@pytest.mark.parametrize("on_a_route", [True, False])
def test_a_tunnel_has_a_line_at_its_beginning_and_one_at_its_end(recording: Recording, *, on_a_route: bool) -> None:
    x = served()
    x.reply = Reply(101, [], b"", source="upstream", stream=Pieces())
    if not on_a_route:
        x.route = None
    name = "orders" if on_a_route else "-"
    recording.recorder.opened(x, 0.002)
    assert recording.value("gateway_tunnels_open", route=name) == 1
    assert (x.tunnel, x.outcome) == (True, "answered")
    line = recording.record(x)
    assert (line["http.response.status_code"], line["gateway.outcome"]) == (101, "answered")
    assert recording.value("gateway_tunnels_open", route=name) == 0


def test_without_access_lines_a_tunnel_is_only_counted() -> None:
    recording, x = Recording(access=False), served()
    recording.recorder.opened(x, 0.002)
    assert recording.value("gateway_tunnels_open", route="orders") == 1
    assert recording.record(x) == {}


def test_the_part_of_a_cache_is_counted_and_what_it_has_saved(recording: Recording) -> None:
    recording.record(served(reply=Reply(200, [], b"12345"), cache=CacheUse("hit"), sent_bytes=5))
    assert recording.value("gateway_cache_requests_total", route="orders", result="hit") == 1
    assert recording.value("gateway_cache_saved_bytes_total", route="orders") == 5


def test_what_did_not_come_from_a_cache_has_saved_nothing(recording: Recording) -> None:
    recording.record(served(reply=Reply(200, [], b"12345"), cache=CacheUse("miss"), sent_bytes=5))
    assert recording.value("gateway_cache_requests_total", route="orders", result="miss") == 1
    assert recording.value("gateway_cache_saved_bytes_total", route="orders") == 0


def test_a_call_without_a_client_counts_for_its_upstream(recording: Recording) -> None:
    recording.recorder.unattended(served(answer=Answer(200, [], b"", None, 0, "t")))
    recording.recorder.unattended(exchange())
    assert recording.value("gateway_upstream_requests_total", upstream="orders", code="200") == 1
    assert recording.value("gateway_requests_total") == 0


def test_a_compressed_reply_is_counted(recording: Recording) -> None:
    recording.record(served(reply=Reply(200, [], b"12345"), coded=Coded("br", 25, 5), sent_bytes=5))
    assert recording.value("gateway_compressed_replies_total", route="orders", coding="br") == 1
    assert recording.value("gateway_compression_saved_bytes_total", route="orders", coding="br") == 20


def test_the_line_has_the_id_of_the_span_that_is_exported() -> None:
    recording, seen = Recording(), []

    def export(x: Exchange, status: int, total_s: float, show_path: ShowPath) -> str | None:
        seen.append((status, total_s, show_path(x)))
        return "c" * 16

    recording.recorder.export_spans = export
    assert recording.record(served(path="/v1/gw_" + "a1B2" * 10))["span_id"] == "c" * 16
    assert seen == [(200, 0.010, "/v1/gw_***")]


def test_usage_is_counted_with_the_status_that_is_recorded() -> None:
    recording, seen = Recording(), []
    recording.recorder.count_usage = lambda x, status: seen.append((x.request_id, status))
    x = served()
    recording.record(x)
    assert seen == [(x.request_id, 200)]
    seen.clear()
    other = Recording()
    other.recorder.count_usage = lambda _, status: seen.append(("", status))
    other.record(served(outcome="abandoned"))
    assert seen == [("", 499)]


def test_an_exchange_is_counted_for_the_history(recording: Recording) -> None:
    feed = ActivityFeed()
    activity = Activity(feed)
    recording.recorder.count_activity = activity.count
    recording.record(served())
    activity.publish(1.0)
    assert len(feed.after(0)) == 1
