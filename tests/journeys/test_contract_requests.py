"""The request rules of the contract: keys, organisations, odd clients, methods, and what the backend is told."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.fakes import reply
from tests.gateway_process import KEY, digest
from tests.journeys.backends import Front, ask, enveloped, fields, front, requesting, target
from tests.raw_client import RawClient

pytestmark = pytest.mark.asyncio(loop_scope="module")

OTHER = "gw_test_the_key_of_another_caller"
SECTIONS = {
    "organizations": "[{id: acme}, {id: globex}, {id: initech}]",
    "keys": f"""
- {{id: tester, secret_sha256: {digest(KEY)}, organizations: [acme, globex], plan: unlimited}}
- {{id: other, secret_sha256: {digest(OTHER)}, organizations: [initech], plan: unlimited}}
""",
    "routes": """
- {id: all, match: {prefix: /v1}, upstream: backend}
- {id: item, match: {path: "/items/{id}", methods: [GET, DELETE]}, upstream: backend}
- {id: open, match: {path: /status}, upstream: backend, auth: none}
""",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here() -> AsyncIterator[Front]:
    async with front(**SECTIONS) as built:
        for path in ("/v1/a", "/items/a%2Fb", "/status"):
            built.service.on(path, reply(b'{"a":1}'))
        yield built


def callers(here: Front) -> list[str]:
    return fields(here.service.requests[-1], "X-Caller-Id")


# Keys


@pytest.mark.parametrize(
    ("path", "header", "caller"),
    [
        ("/v1/a", KEY, "tester"),
        (f"/v1/a?X-Api-Key={KEY}", None, "tester"),
        (f"/v1/a?X-Api-Key=%67{KEY[1:]}", None, "tester"),
        (f"/v1/a?X%2DApi%2DKey={KEY}", None, "tester"),
        (f"/v1/a?b=1&X-Api-Key={KEY}&c=2", None, "tester"),
        (f"/v1/a?X-Api-Key={KEY}&X-Api-Key={KEY}", None, "tester"),
        (f"/v1/a?X-Api-Key={OTHER}", KEY, "tester"),
        ("/v1/a?X-Api-Key=unknown", KEY, "tester"),
    ],
)
async def test_a_key_in_header_or_url_names_the_caller_and_stays_here(
    here: Front, path: str, header: str | None, caller: str
) -> None:
    answer = await ask(here.gateway, "GET", path, key=header)
    assert enveloped(answer)["data"]["result"] == {"a": 1}
    assert callers(here) == [caller]
    seen = here.service.requests[-1]
    assert b"gw_test" not in seen.head
    assert b"api-key" not in seen.head.lower()
    assert target(seen) in {"/v1/a", "/v1/a?b=1&c=2"}


@pytest.mark.parametrize(
    ("path", "lines"),
    [
        ("/v1/a", ()),
        ("/v1/a", ("X-Api-Key:",)),
        ("/v1/a?X-Api-Key=", ()),
        ("/v1/a", ("X-Api-Key: unknown",)),
        ("/v1/a", (f"X-Api-Key: {KEY}", f"X-Api-Key: {OTHER}")),
        (f"/v1/a?X-Api-Key={KEY}&X-Api-Key={OTHER}", ()),
        (f"/v1/a?x-api-key={KEY}", ()),
        ("/v1/a", (f"Authorization: Bearer {KEY}",)),
    ],
)
async def test_without_one_good_key_there_is_a_401(here: Front, path: str, lines: tuple[str, ...]) -> None:
    before = len(here.service.requests)
    answer = await ask(here.gateway, "GET", path, *lines, key=None)
    assert (answer.status, enveloped(answer)["data"]["code"]) == (401, 1002)
    assert answer.field("WWW-Authenticate")
    assert KEY.encode() not in answer.body
    assert len(here.service.requests) == before


async def test_the_canary_is_in_no_line_and_no_metric(here: Front) -> None:
    for request in (
        requesting("GET", f"/v1/{KEY}"),
        requesting("GET", f"/v1/a?x-api-key={KEY}"),
        f"GET /v1/a?X-Api-Key={KEY} b HTTP/1.1\r\nHost: h\r\n\r\n".encode(),
        f"GET /v1/a HTTP/1.1\r\nHost: h\r\nX-Api-Key {KEY}\r\n\r\n".encode(),
        f"POST /v1/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Api-Key: {KEY}\r\n\r\n".encode(),
    ):
        async with await RawClient.connect(here.gateway.port) as client:
            await client.send(request)
            answer = await client.reply()
            assert KEY.encode() not in answer.body
            await here.gateway.record("request_id", enveloped(answer)["requestId"])
    assert not [line for line in here.gateway.lines if KEY in line]
    assert KEY not in here.gateway.admin("/metrics")[1]


# Organisations


async def test_the_organisation_can_be_chosen_among_the_keys_own(here: Front) -> None:
    await ask(here.gateway, "GET", "/v1/a")
    assert fields(here.service.requests[-1], "X-Caller-Organization") == ["acme"]
    answer = await ask(here.gateway, "GET", "/v1/a", "X-Tenant-Org-Id: globex")
    assert fields(here.service.requests[-1], "X-Caller-Organization") == ["globex"]
    assert fields(here.service.requests[-1], "X-Tenant-Org-Id") == ["globex"]
    record = await here.gateway.record("request_id", answer.field("X-Request-Id"))
    assert record["gateway.organization"] == "globex"
    answer = await ask(here.gateway, "GET", "/v1/a", "X-Tenant-Org-Id: initech")
    assert (answer.status, enveloped(answer)["data"]["code"]) == (403, 1003)


async def test_a_client_cannot_say_who_it_is(here: Front) -> None:
    lies = (
        "X-Caller-Id: admin",
        "X_Caller_Id: admin",
        "x-caller-plan: gold",
        "X-Original-URL: /admin",
        "X-Forwarded-For: 1.2.3.4",
        "X-Real-IP: 1.2.3.4",
    )
    await ask(here.gateway, "GET", "/v1/a", *lies)
    seen = here.service.requests[-1]
    assert (fields(seen, "X-Caller-Id"), fields(seen, "X-Caller-Plan")) == (["tester"], ["unlimited"])
    assert b"admin" not in seen.head
    assert b"1.2.3.4" not in seen.head
    assert fields(seen, "X-Forwarded-For") == ["127.0.0.1"]
    assert fields(seen, "Via") == ["1.1 gateway"]


async def test_an_open_route_asks_for_no_key(here: Front) -> None:
    assert (await ask(here.gateway, "GET", "/status", key=None)).status == 200
    assert callers(here) == []


# Odd clients


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_json_content_type_without_a_body(here: Front, method: str) -> None:
    answer = await ask(here.gateway, method, "/v1/a", "Content-Type: application/json", "Content-Length: 0")
    assert (answer.status, here.service.requests[-1].size) == (200, 0)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PATCH"])
async def test_a_body_that_is_null(here: Front, method: str) -> None:
    answer = await ask(here.gateway, method, "/v1/a", "Content-Type: application/json", body=b"null")
    assert (answer.status, here.service.requests[-1].body) == (200, b"null")


async def test_http_1_0_and_a_new_connection_per_call(here: Front) -> None:
    for line in ("GET /v1/a HTTP/1.0", "GET /v1/a HTTP/1.1"):
        async with await RawClient.connect(here.gateway.port) as client:
            await client.send(f"{line}\r\nHost: h\r\nConnection: close\r\nX-Api-Key: {KEY}\r\n\r\n".encode())
            assert enveloped(await client.reply())["data"]["result"] == {"a": 1}
            assert await client.at_eof()


@pytest.mark.parametrize("url", ["/v1/a b", "/v1/a?q=a b", "/v1/ä", "/v1/a\tb"])
async def test_raw_spaces_in_the_url_are_answered_in_the_envelope(here: Front, url: str) -> None:
    async with await RawClient.connect(here.gateway.port) as client:
        await client.send(f"GET {url} HTTP/1.1\r\nHost: h\r\nX-Api-Key: {KEY}\r\n\r\n".encode())
        answer = await client.reply()
    assert (answer.status, enveloped(answer)["data"]["code"]) == (400, 1001)


@pytest.mark.parametrize("url", ["/v1/a/../b", "/v1//../a", "/v1/%2e%2e/a", "/v1/a\\b", "/v1/a;b=1/../c", "/items/%2e"])
async def test_a_path_with_two_readings_reaches_nobody(here: Front, url: str) -> None:
    before = len(here.service.requests)
    answer = await ask(here.gateway, "GET", url)
    assert (answer.status, enveloped(answer)["data"]["code"]) in {(400, 1001), (404, 1005)}
    assert len(here.service.requests) == before


async def test_slashes_in_a_row_are_a_base_url_with_one_too_many(here: Front) -> None:
    assert (await ask(here.gateway, "GET", "//v1//a?b=//")).status == 200
    assert target(here.service.requests[-1]) == "/v1/a?b=//"


async def test_an_encoded_slash_in_a_parameter_survives(here: Front) -> None:
    assert (await ask(here.gateway, "GET", "/items/a%2Fb?q=%2F+%20")).status == 200
    assert target(here.service.requests[-1]) == "/items/a%2Fb?q=%2F+%20"


# Methods


async def test_methods(here: Front) -> None:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"):
        here.service.on("/v1/methods", reply(b'{"a":1}')[: -7 if method == "HEAD" else None])
        assert (await ask(here.gateway, method, "/v1/methods")).status == 200
        assert here.service.requests[-1].head.startswith(method.encode() + b" ")
    for method in ("TRACE", "OPTIONS", "BREW", "CONNECT", "get"):
        before = len(here.service.requests)
        answer = await ask(here.gateway, method, "/v1/methods")
        assert (answer.status, enveloped(answer)["data"]["code"]) == (405, 1006), method
        assert {"GET", "POST"} <= set((answer.field("Allow") or "").split(", "))
        assert len(here.service.requests) == before
    answer = await ask(here.gateway, "POST", "/items/a%2Fb", body=b"{}")
    assert (answer.status, answer.field("Allow")) == (405, "DELETE, GET, HEAD")


# Expect: 100-continue


async def test_a_client_that_waits_is_reported_to_go_on_once_it_is_known(here: Front) -> None:
    body = b'{"big":1}'
    async with await RawClient.connect(here.gateway.port) as client:
        await client.send(requesting("POST", "/v1/a", "Expect: 100-continue", body=body)[: -len(body)])
        assert await client.interim() == 100
        await client.send(body)
        assert (await client.reply()).status == 200
    assert here.service.requests[-1].body == body
    assert fields(here.service.requests[-1], "Expect") == []


@pytest.mark.parametrize(
    ("path", "key", "length", "status"), [("/v1/a", None, 9, 401), ("/none", KEY, 9, 404), ("/v1/a", KEY, 1 << 30, 413)]
)
async def test_a_refused_upload_is_never_sent(
    here: Front, path: str, key: str | None, length: int, status: int
) -> None:
    async with await RawClient.connect(here.gateway.port) as client:
        await client.send(requesting("POST", path, "Expect: 100-continue", f"Content-Length: {length}", key=key))
        assert await client.interim() == status


# What else goes through


async def test_bodies_and_fields_arrive_as_they_were_sent(here: Front) -> None:
    body = json.dumps({"name": "é", "n": 2**53 + 1}).encode()
    lines = (
        "Content-Type: application/json; charset=utf-8",
        "Accept-Language: de",
        "Connection: X-Hop",
        "X-Hop: 1",
        "Keep-Alive: 5",
        "X-Custom: a, b",
    )
    await ask(here.gateway, "POST", "/v1/a", *lines, body=body)
    seen = here.service.requests[-1]
    assert seen.body == body
    assert fields(seen, "Content-Type") == ["application/json; charset=utf-8"]
    assert (fields(seen, "X-Custom"), fields(seen, "Accept-Language")) == (["a, b"], ["de"])
    assert fields(seen, "X-Hop") == fields(seen, "Keep-Alive") == []


async def test_a_chunked_body_is_read_and_its_connection_closed(here: Front) -> None:
    async with await RawClient.connect(here.gateway.port) as client:
        await client.send(
            requesting("POST", "/v1/a", "Transfer-Encoding: chunked") + b'3\r\n{"a\r\n4\r\n":1}\r\n0\r\n\r\n'
        )
        assert (await client.reply()).status == 200
        assert await client.at_eof()
    assert here.service.requests[-1].body == b'{"a":1}'


async def test_pipelined_requests_are_answered_in_order(here: Front) -> None:
    for number in range(10):
        here.service.on(f"/v1/p{number}", reply(b"%d" % number))
    async with await RawClient.connect(here.gateway.port) as client:
        await client.send(b"".join(requesting("GET", f"/v1/p{number}") for number in range(10)))
        async with asyncio.timeout(5):
            assert [enveloped(await client.reply())["data"]["result"] for _ in range(10)] == list(range(10))
