"""One line for every request, whatever became of it; metrics that promtool likes; one trace through it all."""

import asyncio
import json
import re
import subprocess
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.fakes import End, reply, until
from tests.gateway_process import KEY, digest
from tests.journeys.backends import Front, ask, counted, counts, enveloped, fields, front, requesting
from tests.raw_client import RawClient

pytestmark = pytest.mark.asyncio(loop_scope="module")

ONCE, READER = "gw_test_key_that_may_call_once", "gw_test_key_that_may_only_read"
SECTIONS = {
    "plans": "[{id: unlimited, limits: []}, {id: once, limits: [{id: day, max: 1, per: 1d}]}]",
    "keys": f"""
- {{id: tester, secret_sha256: {digest(KEY)}, organizations: [acme], plan: unlimited}}
- {{id: once, secret_sha256: {digest(ONCE)}, organizations: [acme], plan: once}}
- {{id: reader, secret_sha256: {digest(READER)}, organizations: [acme], plan: unlimited, methods: [GET]}}
""",
    "server": '{drain_delay: 0s, listeners: [{id: public, address: "127.0.0.1:0", limits: {header_timeout: 200ms, body: 1KiB}}]}',
}
ALWAYS = {
    "event", "timestamp", "level", "request_id", "http.request.method", "http.response.status_code", "gateway.source", "gateway.outcome",
    "gateway.duration.total_ms", "gateway.duration.upstream_ms", "gateway.duration.overhead_ms", "http.request.body.size",
    "http.response.body.size", "client.address", "trace_id",
}  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here() -> AsyncIterator[Front]:
    async with front(**SECTIONS) as built:
        built.service.on("/v1/a", reply(b'{"a":1}'))
        built.service.on("/v1/error", reply(b"{}", status=b"404 Not Found"))
        built.service.on("/v1/reset", End.RESET)
        yield built


async def test_the_line_of_an_ordinary_request_has_every_field(here: Front) -> None:
    answer = await ask(here.gateway, "POST", "/v1/a", key=ONCE, body=b"[1,2]")
    record = await here.gateway.record("request_id", enveloped(answer)["requestId"])
    assert {
        name: record[name] for name in set(record) - {"timestamp", "trace_id", "request_id"} if not name.endswith("_ms")
    } == {
        "event": "request",
        "level": "info",
        "http.request.method": "POST",
        "http.route": "all",
        "url.path": "/v1/a",
        "http.response.status_code": 200,
        "gateway.source": "upstream",
        "gateway.outcome": "answered",
        "gateway.key_id": "once",
        "gateway.organization": "acme",
        "gateway.limiter.result": "allowed",
        "gateway.limiter.store": "local",
        "gateway.limiter.remaining": 0,
        "http.request.body.size": 5,
        "http.response.body.size": len(answer.body),
        "client.address": "127.0.0.1",
        "server.address": f"127.0.0.1:{here.service.port}",
    }
    total, upstream, overhead = (record[f"gateway.duration.{name}_ms"] for name in ("total", "upstream", "overhead"))
    assert 0 < upstream < total
    assert 0 < overhead <= total - upstream + 0.002  # the rest is what the client took to send its body


REFUSED = {
    "key_missing": requesting("GET", "/v1/a", key=None),
    "method_forbidden": requesting("POST", "/v1/a", key=READER),
    "no_route": requesting("GET", "/none"),
    "method_not_allowed": requesting("TRACE", "/v1/a"),
    "malformed_request": b"GARBAGE\r\n\r\n",
    "malformed_path": requesting("GET", "/v1/%2e%2e/b"),
    "request_timeout": b"GET /v1/a HTTP/1.1\r\nHost: h\r\n",
    "body_too_large": requesting("POST", "/v1/a", body=b"a" * 2000),
    "upstream_reset": requesting("POST", "/v1/reset", body=b"{}"),
    "rate_limited": requesting("GET", "/v1/a", key=ONCE),
}


async def test_refused_requests_have_their_line_as_well(here: Front) -> None:
    await ask(here.gateway, "GET", "/v1/a", key=ONCE)
    for fault, request in REFUSED.items():
        async with await RawClient.connect(here.gateway.port) as client:
            await client.send(request)
            answer = await client.reply()
        envelope = enveloped(answer)
        record = await here.gateway.record("request_id", envelope["requestId"])
        assert set(record) >= ALWAYS
        assert (record["gateway.reason"], record["gateway.code"]) == (fault, envelope["data"]["code"])
        assert (record["http.response.status_code"], record["gateway.source"]) == (answer.status, "gateway")
        assert len([each for each in here.gateway.records if each["request_id"] == envelope["requestId"]]) == 1


async def test_a_backends_own_error_is_the_backends(here: Front) -> None:
    answer = await ask(here.gateway, "GET", "/v1/error")
    record = await here.gateway.record("request_id", enveloped(answer)["requestId"])
    assert (record["gateway.source"], record["http.response.status_code"], record["gateway.code"]) == (
        "upstream",
        404,
        1001,
    )
    assert "gateway.reason" not in record


async def test_an_abandoned_request_has_its_line(here: Front) -> None:
    here.service.on("/v1/slow", asyncio.Event())
    async with await RawClient.connect(here.gateway.port) as client:
        await client.send(requesting("GET", "/v1/slow"))
        await until(lambda: bool(here.service.at("/v1/slow")))
    record = await here.gateway.record("request_id", fields(here.service.at("/v1/slow")[0], "X-Request-Id")[0])
    assert set(record) >= ALWAYS
    assert (record["gateway.outcome"], record["http.response.status_code"], record["gateway.key_id"]) == (
        "abandoned",
        499,
        "tester",
    )


async def test_as_many_lines_as_requests(here: Front) -> None:
    before = len(here.gateway.records)
    requests = [
        requesting("GET", "/v1/a"),
        requesting("GET", "/none"),
        requesting("GET", "/v1/a", key=None),
        requesting("GET", "/v1/error"),
    ] * 25
    async with await RawClient.connect(here.gateway.port) as client:
        await client.send(b"".join(requests))
        ids = [enveloped(await client.reply())["requestId"] for _ in requests]
    for each in ids:
        await here.gateway.record("request_id", each)
    assert [record["request_id"] for record in here.gateway.records[before:]] == ids


async def test_metrics_are_clean_and_add_up(here: Front) -> None:
    def series() -> tuple[float, ...]:
        return (
            counted(here.gateway, "gateway_requests_total"),
            counted(here.gateway, "gateway_requests_total", route="all", method="GET", code="200", source="upstream"),
            counted(here.gateway, "gateway_request_duration_seconds_count", route="all"),
            counted(here.gateway, "gateway_upstream_requests_total", upstream="backend", code="200"),
        )

    before = series()
    for _ in range(3):
        await ask(here.gateway, "GET", "/v1/a")
    await counts(here.gateway, "gateway_requests_total", before[0] + 3)
    assert [after - earlier for earlier, after in zip(before, series(), strict=True)] == [3, 3, 3, 3]
    assert counted(here.gateway, "gateway_requests_in_flight") == 0
    text = here.gateway.admin("/metrics")[1]
    checked = await asyncio.to_thread(
        subprocess.run,
        ["promtool", "check", "metrics"],
        input=text,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    for name in (
        "gateway_build_info",
        "gateway_config_info",
        "gateway_limiter_decisions_total",
        "gateway_overhead_seconds_bucket",
    ):
        assert name in text
    assert "/v1/a" not in text
    assert "127.0.0.1" not in re.sub(r'target="[^"]*"', "", text)  # clients come from there, too


# Traces

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"


async def traced(here: Front, *lines: str) -> tuple[str, str, list[str]]:
    """The traceparent at the backend, the trace id in the log, the backend's tracestate."""
    answer = await ask(here.gateway, "GET", "/v1/a", *lines)
    record = await here.gateway.record("request_id", answer.field("X-Request-Id"))
    seen = here.service.requests[-1]
    (parent,) = fields(seen, "traceparent")
    return parent, record["trace_id"], fields(seen, "tracestate")


async def test_a_trace_is_passed_on(here: Front) -> None:
    parent, logged, state = await traced(here, f"traceparent: {PARENT}", "tracestate: vendor=1")
    assert parent.split("-")[:2] == ["00", TRACE_ID]
    assert parent.split("-")[2] != "00f067aa0ba902b7"
    assert (parent[-2:], logged, state) == ("01", TRACE_ID, ["vendor=1"])


@pytest.mark.parametrize(
    "lines",
    [(), ("traceparent: nonsense", "tracestate: vendor=1"), (f"traceparent: 00-{'0' * 32}-00f067aa0ba902b7-01",)],
)
async def test_a_trace_is_begun(here: Front, lines: tuple[str, ...]) -> None:
    parent, logged, state = await traced(here, *lines)
    assert parent.split("-")[1] == logged
    assert len(logged) == 32
    assert state == []


async def test_every_line_is_json_on_one_line(here: Front) -> None:
    for line in here.gateway.lines:
        assert json.loads(line)["event"]
