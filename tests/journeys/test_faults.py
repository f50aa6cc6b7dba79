"""One journey for every row of the catalogue of faults: a real client sees it, it is logged, and it is counted."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gateway.kernel.faults import CATALOGUE
from tests.fakes import End, reply, until
from tests.journeys.backends import ask, counted, counts, enveloped, fields, requesting
from tests.journeys.fault_journeys import (
    HUGE,
    Journey,
    again_after_a_large_reply,
    another_with_the_same_key,
    answered,
    beside_a_stream,
    beyond_its_share,
    bomb,
    by_a_bug,
    calling,
    calling_again,
    cut_off,
    in_a_crowd,
    sending,
    the_same_at_once,
    too_often,
    two_at_once,
    with_a_plan_that_there_is_not,
    with_large_bodies,
    without_connection,
    without_keys,
    without_store,
)
from tests.journeys.fault_scenarios import (
    DISABLED,
    EXPIRED,
    NARROW,
    OF_A_DISABLED,
    ONCE,
    PAGE,
    READER,
    SPENT,
    FaultScenarios,
    fault_scenarios,
)
from tests.raw_client import RawClient

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here() -> AsyncIterator[FaultScenarios]:
    async with fault_scenarios() as built:
        yield built


JOURNEYS: dict[str, Journey] = {
    "malformed_request": Journey(sending(b"GET /v1/a b HTTP/1.1\r\nHost: h\r\n\r\n"), 400, 1001),
    "malformed_path": Journey(calling("GET", "/v1/%2e%2e/a"), 400, 1001),
    "request_timeout": Journey(sending(b"GET /v1/a HTTP/1.1\r\nHost: h\r\n"), 408, 1001),
    "body_too_large": Journey(calling("POST", "/v1/a", body=b"a" * 1025), 413, 1001, "all"),
    "url_too_long": Journey(calling("GET", "/v1/" + "a" * 512), 414, 1001),
    "expectation_failed": Journey(calling("POST", "/v1/a", "Expect: a miracle", body=b"{}"), 417, 1001),
    "headers_too_large": Journey(calling("GET", "/v1/a", "X-A: " + "a" * 1500, "X-B: " + "b" * 1500), 431, 1001),
    "transfer_coding_unsupported": Journey(calling("POST", "/v1/a", "Transfer-Encoding: gzip, chunked"), 501, 1001),
    "http_version_unsupported": Journey(sending(b"GET /v1/a HTTP/2.0\r\nHost: h\r\n\r\n"), 505, 1001),
    "upgrade_unsupported": Journey(
        calling("GET", "/v1/a", "Connection: Upgrade", "Upgrade: websocket"), 426, 1001, "all"
    ),
    "request_incomplete": Journey(calling("POST", "/described", body=b"{}"), 400, 1000, "described"),
    "request_invalid": Journey(calling("POST", "/described", body=b'{"age": -1}'), 400, 1001, "described"),
    "media_type_unsupported": Journey(
        calling("POST", "/described", "Content-Type: text/xml", body=b"<a/>"), 415, 1001, "described"
    ),
    "bodies_full": Journey(with_large_bodies, 503, 1004, "described", "connection_limit_reached"),
    "key_missing": Journey(calling("GET", "/v1/a", key=None), 401, 1002, "all"),
    "key_ambiguous": Journey(calling("GET", "/v1/a", "X-Api-Key: another-key"), 401, 1002, "all"),
    "key_unknown": Journey(calling("GET", "/v1/a", key="nobody's key"), 401, 1002, "all"),
    "key_expired": Journey(calling("GET", "/v1/a", key=EXPIRED), 401, 1002, "all"),
    "route_forbidden": Journey(calling("GET", "/v1/a", key=NARROW), 403, 1003, "all"),
    "method_forbidden": Journey(calling("DELETE", "/v1/a", key=READER), 403, 1003, "all"),
    "organization_forbidden": Journey(calling("GET", "/v1/a", "X-Tenant-Org-Id: initech"), 403, 1003, "all"),
    "address_forbidden": Journey(calling("GET", "/inside"), 403, 1003, "inside"),
    "referrer_forbidden": Journey(calling("GET", "/v1/a", "Origin: https://b.example", key=PAGE), 403, 1003, "all"),
    "origin_forbidden": Journey(
        calling("OPTIONS", "/pages", "Origin: https://b.example", "Access-Control-Request-Method: GET"),
        403,
        1003,
        "pages",
    ),
    "key_disabled": Journey(calling("GET", "/v1/a", key=DISABLED), 403, 8007, "all"),
    "organization_disabled": Journey(calling("GET", "/v1/a", key=OF_A_DISABLED), 403, 8007, "all"),
    "key_unusable": Journey(with_a_plan_that_there_is_not, 403, 1003, "all"),
    "keys_unavailable": Journey(without_keys, 503, 1004, "all"),
    "no_route": Journey(calling("GET", "/v2"), 404, 1005),
    "method_not_allowed": Journey(calling("DELETE", "/read-only"), 405, 1006),
    "rate_limited": Journey(calling_again(ONCE), 429, 8000, "all"),
    "quota_spent": Journey(calling_again(SPENT), 429, 8001, "all"),
    "concurrency_exceeded": Journey(two_at_once, 429, 8000, "all"),
    "idempotency_key_invalid": Journey(
        calling("POST", "/once/a", "Idempotency-Key: a", "Idempotency-Key: b", body=b"{}"), 400, 1001, "once-only"
    ),
    "idempotency_conflict": Journey(the_same_at_once, 409, 1001, "once-only"),
    "idempotency_reply_not_kept": Journey(again_after_a_large_reply, 409, 1001, "once-only"),
    "idempotency_mismatch": Journey(another_with_the_same_key, 422, 1001, "once-only"),
    "limiter_unavailable": Journey(without_store, 503, 1004, "all"),
    "upstream_refused": Journey(calling("GET", "/refused"), 503, 1004, "refused", "connection_refused"),
    "upstream_unreachable": Journey(
        calling("GET", "/unreachable"), 503, 1004, "unreachable", "destination_unavailable"
    ),
    "upstream_name_unresolved": Journey(calling("GET", "/unresolved"), 503, 1004, "unresolved", "dns_error"),
    "upstream_tls_failed": Journey(calling("GET", "/untrusted"), 503, 1004, "untrusted", "tls_certificate_error"),
    "upstream_connect_timeout": Journey(calling("GET", "/full"), 503, 1004, "full", "connection_timeout"),
    "upstream_circuit_open": Journey(too_often, 503, 1004, "broken", "destination_unavailable"),
    "upstream_saturated": Journey(without_connection, 503, 1004, "single", "connection_limit_reached"),
    "upstream_share_spent": Journey(beyond_its_share, 503, 1004, "shared", "connection_limit_reached"),
    "upstream_streams_full": Journey(beside_a_stream, 503, 1004, "streaming", "connection_limit_reached"),
    "upstream_reset": Journey(answered("/v1/reset", End.RESET), 503, 1004, "all", "connection_terminated"),
    "upstream_timeout": Journey(answered("/v1/late", asyncio.Event()), 503, 1004, "all", "http_response_timeout"),
    "upstream_incomplete": Journey(
        answered("/v1/cut", reply(b'{"a":1}')[:-1], End.CLOSE), 503, 1004, "all", "http_response_incomplete"
    ),
    "upstream_protocol_error": Journey(
        answered("/v1/odd", b"SIP/2.0 200 OK\r\n\r\n"), 503, 1004, "all", "http_protocol_error"
    ),
    "upstream_headers_too_large": Journey(
        answered("/v1/huge", HUGE), 503, 1004, "all", "http_response_header_section_size"
    ),
    "upstream_body_invalid": Journey(answered("/v1/garbage", reply(b"{")), 503, 1004, "all", "http_protocol_error"),
    "upstream_coding_invalid": Journey(
        answered("/v1/coded", reply(b"{}", b"Content-Encoding: gzip")), 503, 1004, "all", "http_response_content_coding"
    ),
    "upstream_body_too_large": Journey(answered("/small/bomb", bomb()), 503, 1004, "small", "http_response_body_size"),
    "upstream_type_refused": Journey(
        answered("/json-only/image", b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 1\r\n\r\n\x89"),
        503,
        1004,
        "json-only",
        "http_protocol_error",
    ),
    "maintenance": Journey(calling("GET", "/closed"), 503, 1004, "closed"),
    "internal_error": Journey(by_a_bug, 500, 1004, "all", "proxy_internal_error"),
    "too_many_connections": Journey(in_a_crowd, 503, 1004, None, "connection_limit_reached"),
    "shutting_down": Journey(cut_off, 503, 1004, "all", "http_request_denied"),
}
"""By fault. The others have tests of their own: nobody is there to be answered, or nobody reads the answer."""

UNANSWERED, UNREAD = "client_closed", "reply_not_taken"
IN_TEST_WEBSOCKETS = "tunnel_idle"


async def test_every_row_of_the_catalogue_has_its_journey() -> None:
    assert {*JOURNEYS, UNANSWERED, UNREAD, IN_TEST_WEBSOCKETS} == set(CATALOGUE)


@pytest.mark.parametrize("fault", JOURNEYS)
async def test_a_fault_is_answered_logged_and_counted(here: FaultScenarios, fault: str) -> None:
    journey = JOURNEYS[fault]
    labels = {"reason": fault, "code": str(journey.code)}
    before = sum(
        counted(position, "gateway_rejected_total", **labels)
        for position in (here.gateway, here.storeless, here.stored, here.buggy)
    )
    position, answer = await journey.provoke(here)

    envelope = enveloped(answer)
    assert (answer.status, envelope["data"]["code"]) == (journey.status, journey.code)
    assert envelope["data"]["message"]
    assert envelope["data"]["developerMessage"]
    assert (answer.field("WWW-Authenticate") is not None) == (journey.status == 401)
    assert (answer.field("Allow") is not None) == (journey.status == 405)
    assert (answer.field("Retry-After") is not None) == CATALOGUE[fault].retryable
    assert int(answer.field("Retry-After") or 1) >= 1
    assert answer.field("Proxy-Status") == (None if journey.proxy is None else f"gateway; error={journey.proxy}")

    record = await position.record("request_id", envelope["requestId"])
    assert (record["gateway.reason"], record["gateway.code"], record["gateway.source"]) == (
        fault,
        journey.code,
        "gateway",
    )
    assert record["http.response.status_code"] == journey.status
    assert record.get("http.route") == journey.route
    after = sum(
        counted(each, "gateway_rejected_total", **labels)
        for each in (here.gateway, here.storeless, here.stored, here.buggy)
    )
    assert after == before + 1


async def test_retryable_is_what_the_contract_answers_with_503_429_and_500() -> None:
    assert {CATALOGUE[fault].retryable for fault, journey in JOURNEYS.items() if journey.status in {429, 503, 500}} == {
        True
    }
    assert {
        CATALOGUE[fault].retryable for fault, journey in JOURNEYS.items() if journey.status not in {429, 503, 500}
    } == {False}


async def test_a_client_that_leaves_is_logged_counted_and_its_upstream_call_cancelled(here: FaultScenarios) -> None:
    here.service.on("/json-only/left", asyncio.Event())
    async with await RawClient.connect(here.gateway.port) as client:
        await client.send(requesting("GET", "/json-only/left", "User-Agent: leaver"))
        await until(lambda: bool(here.service.at("/json-only/left")))
    (request,) = here.service.at("/json-only/left")
    await here.service.closed(request.connection)
    record = await here.gateway.record("request_id", fields(request, "X-Request-Id")[0])
    assert (record["http.response.status_code"], record["gateway.outcome"]) == (499, "abandoned")
    assert (record["gateway.reason"], record["http.route"]) == (UNANSWERED, "json-only")
    await counts(here.gateway, "gateway_requests_total", 1, route="json-only", code="499")
    assert counted(here.gateway, "gateway_rejected_total", reason=UNANSWERED) == 0  # the gateway refused nothing


async def test_a_bug_leaves_its_traceback_in_the_log_under_the_request_id(here: FaultScenarios) -> None:
    envelope = enveloped(await ask(here.buggy, "GET", "/v1/a"))
    await here.buggy.record("request_id", envelope["requestId"])
    (line,) = [
        line for line in here.buggy.lines if line["event"] == "bug" and line["request_id"] == envelope["requestId"]
    ]
    assert "RuntimeError: a bug" in line["exception"]
    assert "a bug" not in str(envelope)
