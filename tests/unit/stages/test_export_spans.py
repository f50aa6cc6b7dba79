from typing import Any

import msgspec
import pytest

from gateway.exchange import Exchange
from gateway.kernel.faults import INTERNAL_ERROR, RATE_LIMITED, UPSTREAM_REFUSED, GatewayError
from gateway.kernel.ids import Ids
from gateway.kernel.limits.token_bucket import Decision
from gateway.stages.export_spans import SpanExport
from gateway.tracing.span import Span
from gateway.upstream.call import Answer, Resend
from tests.samples import exchange, route
from tests.unit.stages.recording import served
from tests.unit.upstream.calls import call

TRACE, SPAN, PARENT = "a" * 32, "b" * 16, "00f067aa0ba902b7"
ID = "07" * 8
KEY = "gw_" + "a1B2" * 10


class Spans:
    """Takes what is exported."""

    def __init__(self, *, full: bool = False) -> None:
        self.taken: list[Span] = []
        self._full = full
        self.noted: list[tuple[str, str, float, float]] = []
        ids = Ids(lambda n: b"\x07" * n)
        self._export = SpanExport(self._offer, lambda: 1_800_000_000.0, ids, lambda *noted: self.noted.append(noted))

    def _offer(self, spans: tuple[Span, ...]) -> bool:
        self.taken += spans
        return not self._full

    def of(self, x: Exchange, status: int = 200, total_s: float = 0.010, path: str | None = "/v1/orders") -> str | None:
        return self._export(x, status, total_s, lambda _: path)


def sampled(*, flags: str = "01", fields: tuple[tuple[str, str], ...] = (), **changes: Any) -> Exchange:
    x = served(traceparent=f"00-{TRACE}-{SPAN}-{flags}", **changes)
    x.headers = exchange(fields).headers
    x.decided, x.called, x.upstream_s, x.call = 0.001, 0.002, 0.004, call()
    return x


def parented(*, state: str = "", **changes: Any) -> Exchange:
    fields = (("traceparent", f"00-{TRACE}-{PARENT}-01"), *((("tracestate", state),) if state else ()))
    return sampled(fields=fields, **changes)


def at(milliseconds: int) -> int:
    """Unix time that long after the exchange began."""
    return 1_799_999_999_990_000_000 + milliseconds * 1_000_000


@pytest.mark.parametrize(
    ("flags", "status", "outcome", "exported"),
    [
        ("00", 200, "answered", False),
        ("02", 404, "answered", False),
        ("02", 499, "abandoned", False),
        ("01", 200, "answered", True),
        ("03", 429, "answered", True),
        ("00", 500, "answered", True),
        ("02", 200, "cut", True),
    ],
)
def test_sampled_traces_and_errors_are_exported(*, flags: str, status: int, outcome: Any, exported: bool) -> None:
    spans = Spans()
    assert spans.of(sampled(flags=flags, outcome=outcome), status) == (ID if exported else None)
    assert [span.flags for span in spans.taken] == ([int(flags, 16)] * 2 if exported else [])


def test_a_span_that_finds_no_room_is_nobody_s() -> None:
    full = Spans(full=True)
    assert full.of(sampled()) is None
    assert full.noted == []


def test_the_span_of_a_request() -> None:
    spans = Spans()
    spans.of(parented(state="vendor=1"))
    server = spans.taken[0]
    assert (server.name, server.kind, server.trace_id, server.span_id, server.parent_id, server.trace_state) == (
        "GET /v1/orders", "server", TRACE, ID, PARENT, "vendor=1",
    )  # fmt: skip
    assert (server.started_ns, server.ended_ns, server.failed) == (at(0), at(10), False)
    assert server.attributes == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.route": "/v1/orders",
        "url.scheme": "http",
        "url.path": "/v1/orders",
        "client.address": "192.0.2.7",
        "gateway.request_id": server.attributes["gateway.request_id"],
        "gateway.outcome": "answered",
        "gateway.route": "orders",
        "gateway.key_id": "acme-ci",
        "gateway.organization": "acme",
    }
    assert [(event.name, event.at_ns, event.attributes) for event in server.events] == [
        (
            "gateway.limiter",
            at(1),
            {"gateway.limiter.result": "allowed", "gateway.limiter.store": "local", "gateway.limiter.remaining": 299},
        )
    ]


def test_the_span_of_a_call_has_the_id_that_the_service_got() -> None:
    spans = Spans()
    x = sampled()
    assert x.call is not None
    x.call.resent = (Resend(0.003, "connection_refused"), Resend(99.0, "503"))
    spans.of(x)
    client = spans.taken[1]
    assert (client.name, client.kind, client.span_id, client.parent_id) == ("GET", "client", SPAN, ID)
    assert (client.started_ns, client.ended_ns, client.failed) == (at(2), at(6), False)
    assert client.attributes == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.request.resend_count": 2,
        "server.address": "127.0.0.1",
        "server.port": 3000,
        "gateway.upstream": client.attributes["gateway.upstream"],
    }
    assert [(event.at_ns, event.attributes) for event in client.events] == [
        (at(3), {"gateway.retry.reason": "connection_refused"}),
        (at(10), {"gateway.retry.reason": "503"}),
    ]


def test_a_call_without_an_answer_names_its_upstream_and_the_fault() -> None:
    spans = Spans()
    x = sampled(error=GatewayError(UPSTREAM_REFUSED))
    x.answer = None
    assert x.call is not None
    x.call.upstream = "canary"
    spans.of(x, 503)
    server, client = spans.taken
    assert (server.failed, server.attributes["error.type"]) == (True, UPSTREAM_REFUSED.name)
    assert client.attributes == {
        "http.request.method": "GET",
        "server.address": "canary",
        "gateway.upstream": "canary",
        "error.type": UPSTREAM_REFUSED.name,
    }
    assert client.failed


@pytest.mark.parametrize(("status", "error"), [(399, None), (404, "404"), (500, "500")])
def test_a_call_has_failed_from_400_on_and_a_request_from_500_on(status: int, error: str | None) -> None:
    spans = Spans()
    x = sampled()
    x.answer = Answer(status, [], b"", None, 0, "[::1]:80")
    spans.of(x, status)
    server, client = spans.taken
    assert (client.failed, client.attributes.get("error.type")) == (error is not None, error)
    assert (client.attributes["server.address"], client.attributes["server.port"]) == ("::1", 80)
    assert (server.failed, server.attributes.get("error.type")) == (status >= 500, error if status >= 500 else None)


def test_a_bug_of_the_gateway_is_no_failure_of_the_call() -> None:
    spans = Spans()
    spans.of(sampled(error=GatewayError(INTERNAL_ERROR)), 500)
    assert [span.attributes.get("error.type") for span in spans.taken] == [INTERNAL_ERROR.name, None]


def test_a_stream_and_a_tunnel_last_until_the_end() -> None:
    spans = Spans()
    spans.of(sampled(tunnel=True), 101)
    assert spans.taken[1].ended_ns == at(10)


def test_a_request_that_was_refused_has_one_span() -> None:
    spans = Spans()
    x = exchange(traceparent=f"00-{TRACE}-{SPAN}-01", method="BREW", error=GatewayError(RATE_LIMITED))
    x.decision = Decision(allowed=False, store="redis", states=())
    assert spans.of(x, 429, path=None) == ID
    [server] = spans.taken
    assert (server.name, server.parent_id, server.trace_state) == ("HTTP", "", "")
    assert server.attributes["http.request.method"] == "_OTHER"
    assert not server.attributes.keys() & {"url.path", "http.route", "gateway.key_id", "gateway.organization"}
    assert [event.attributes for event in server.events] == [
        {"gateway.limiter.result": "refused", "gateway.limiter.store": "redis"}
    ]
    peeked = Spans()
    x.peeked = True
    peeked.of(x, 429)
    assert peeked.taken[0].events == ()


def test_a_route_for_a_prefix_is_named_with_what_is_below() -> None:
    spans = Spans()
    x = sampled()
    x.route = msgspec.structs.replace(route(), prefix=True, pattern="/v1/", upstream=None)
    spans.of(x)
    assert [span.name for span in spans.taken] == ["GET /v1/**", "GET"]
    assert spans.taken[1].attributes["gateway.upstream"] == ""


@pytest.mark.parametrize("state", [f"a={KEY}", "a=the-SECRET-key", "a=" + "b" * 600])
def test_a_state_that_may_hold_a_key_or_is_too_long_is_left_out(state: str) -> None:
    spans = Spans()
    x = parented(state=state)
    x.header_keys = ["", "The-Secret-Key"]
    spans.of(x)
    assert [span.trace_state for span in spans.taken] == ["", ""]


def test_a_parent_of_another_trace_is_no_parent() -> None:
    spans = Spans()
    spans.of(sampled(fields=(("traceparent", f"00-{'f' * 32}-{PARENT}-01"), ("tracestate", "a=b"))))
    assert (spans.taken[0].parent_id, spans.taken[0].trace_state) == ("", "")


def test_the_trace_is_noted_beside_the_duration() -> None:
    spans = Spans()
    spans.of(sampled(), total_s=0.25)
    spans.of(sampled(flags="00"))
    x = sampled()
    x.route = None
    spans.of(x)
    assert spans.noted == [("orders", TRACE, 0.25, 1_800_000_000.0), ("-", TRACE, 0.010, 1_800_000_000.0)]
