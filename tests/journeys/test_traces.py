"""Spans that a collector gets, and what of them a service and the log know."""

import asyncio
from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from tests.fakes import reply
from tests.gateway_process import configuration, running
from tests.journeys.backends import Service, ask, counted, counts, enveloped, fields
from tests.journeys.test_targets import of
from tests.otlp_collector import Collector

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
RETRY = "{attempts: 2, on: [500], backoff: 1ms, budget: 100%}"


def observed(collector: Collector, more: str = "") -> str:
    return (
        f"{{log: {{format: json}}, traces: {{endpoint: '{collector.endpoint}', service_name: front, "
        f"headers: {{Authorization: Bearer a-secret}}{more}}}}}"
    )


async def test_the_spans_are_those_that_the_service_and_the_log_know(tmp_path: Path) -> None:
    async with Service() as service:
        service.on("/v1/a", reply(b'{"a":1}'))
        with Collector() as collector:
            sections = {"observability": observed(collector)}
            with running(configuration(service.port, **sections), tmp_path) as gateway:
                answer = await ask(
                    gateway, "GET", "/v1/a?q=hidden", f"traceparent: 00-{TRACE}-{PARENT}-01", "tracestate: vendor=1"
                )
                record = await gateway.record("request_id", enveloped(answer)["requestId"])
                server, client = await asyncio.to_thread(collector.wait_for, 2)
                accept = {"Accept": "application/openmetrics-text"}
                metrics = (await asyncio.to_thread(gateway.admin, "/metrics", "GET", accept))[1]
                assert await asyncio.to_thread(gateway.terminate) == 0
    samples = [sample for family in parse_openmetrics(metrics) for sample in family.samples if sample.exemplar]  # type: ignore[no-untyped-call]
    assert [(each.name, each.labels["route"], each.exemplar.labels) for each in samples] == [
        ("gateway_request_duration_seconds_bucket", "all", {"trace_id": TRACE})
    ]
    [sent] = service.requests
    assert fields(sent, "tracestate") == ["vendor=1"]
    assert fields(sent, "traceparent") == [f"00-{TRACE}-{client['span_id']}-01"]
    assert (record["trace_id"], record["span_id"]) == (TRACE, server["span_id"])
    assert [(span["kind"], span["trace_id"], span["parent_id"], span["trace_state"]) for span in (server, client)] == [
        ("server", TRACE, PARENT, "vendor=1"),
        ("client", TRACE, server["span_id"], "vendor=1"),
    ]
    assert (server["name"], client["name"]) == ("GET /v1/**", "GET")
    assert server["resource"]["service.name"] == "front"
    assert (
        server["attributes"].items()
        >= {
            "http.request.method": "GET",
            "http.route": "/v1/**",
            "http.response.status_code": 200,
            "url.path": "/v1/a",
            "url.scheme": "http",
            "client.address": "127.0.0.1",
            "gateway.request_id": record["request_id"],
        }.items()
    )
    assert (
        client["attributes"].items()
        >= {
            "server.address": "127.0.0.1",
            "server.port": service.port,
            "http.response.status_code": 200,
        }.items()
    )
    assert server["started_ns"] <= client["started_ns"] <= client["ended_ns"] <= server["ended_ns"]
    [(name, at_ns, decision)] = server["events"]
    assert (name, decision["gateway.limiter.result"]) == ("gateway.limiter", "allowed")
    assert server["started_ns"] <= at_ns <= client["started_ns"]
    assert collector.fields[0]["authorization"] == "Bearer a-secret"
    assert not any(b"hidden" in body or b"gw_test" in body for body in collector.bodies)


async def test_errors_and_retries_are_exported_although_nothing_is_sampled(tmp_path: Path) -> None:
    async with Service() as one, Service() as other:
        for service in (one, other):
            service.on("/v1/e", reply(b"{}", status=b"500 Internal Server Error"))
            service.on("/v1/a", reply(b"{}"))
        with Collector() as collector:
            upstreams = of(*(f"http://127.0.0.1:{service.port}" for service in (one, other)), retry=RETRY)
            sections = {"upstreams": upstreams, "observability": observed(collector, ", sample: 0%")}
            with running(configuration(0, **sections), tmp_path) as gateway:
                well = await ask(gateway, "GET", "/v1/a")
                bad = await ask(gateway, "GET", "/v1/e")
                unseen = await gateway.record("request_id", enveloped(well)["requestId"])
                seen = await gateway.record("request_id", enveloped(bad)["requestId"])
                assert await asyncio.to_thread(gateway.terminate) == 0  # which sends what waits
        server, client = collector.spans
    assert "span_id" not in unseen
    assert seen["span_id"] == server["span_id"]
    assert server["parent_id"] == ""
    assert server["failed"]
    assert client["failed"]
    assert (server["attributes"]["error.type"], client["attributes"]["error.type"]) == ("500", "500")
    assert client["attributes"]["http.request.resend_count"] == 1
    assert [(name, attributes) for name, _, attributes in client["events"]] == [
        ("gateway.retry", {"gateway.retry.reason": "500"})
    ]
    sent = [fields(request, "traceparent") for service in (one, other) for request in service.at("/v1/e")]
    assert sent == [[f"00-{seen['trace_id']}-{client['span_id']}-02"]] * 2


async def test_a_collector_that_takes_nothing_costs_spans_and_nothing_else(tmp_path: Path) -> None:
    async with Service() as service:
        service.on("/v1/a", reply(b"{}"))
        with Collector() as collector:
            collector.status = 400
            sections = {"observability": observed(collector, ", sample: 100%")}
            with running(configuration(service.port, **sections), tmp_path) as gateway:
                assert (await ask(gateway, "GET", "/v1/a")).status == 200
                await gateway.line(lambda line: "spans are not exported" in line, 20.0)
                await counts(gateway, "gateway_spans_dropped_total", 2)
                assert counted(gateway, "gateway_spans_exported_total") == 0
    [sent] = service.requests
    assert fields(sent, "traceparent")[0].endswith("-03")
