"""Replies in content codings, as real clients ask for them and undo them."""

import gzip
import json
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from gateway.kernel.http.content_coding import decode
from tests.envelope_schema import check_envelope
from tests.fakes import End, reply
from tests.gateway_process import KEY
from tests.journeys.backends import Front, ask, counted, counts, front

pytestmark = pytest.mark.asyncio(loop_scope="module")

ITEMS = json.dumps([{"id": number, "name": f"item {number}"} for number in range(10_000)]).encode()
SMALL = json.dumps([{"id": number} for number in range(200)]).encode()
EVENTS = b"data: one\n\n" * 200
CODED = gzip.compress(SMALL)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here() -> AsyncIterator[Front]:
    sections = {
        "defaults": "{compression: {codings: [zstd, br, gzip]}, envelope: {binary: passthrough}}",
        "routes": """
- {id: all, match: {prefix: /v1}, upstream: backend}
- {id: raw, match: {prefix: /raw}, upstream: backend, envelope: {mode: passthrough}}
- {id: plain, match: {prefix: /plain}, upstream: backend, compression: {codings: []}}
""",
    }
    async with front(**sections) as built:
        service = built.service
        for path in ("/v1/items", "/raw/items", "/plain/items"):
            service.on(path, reply(ITEMS, b'ETag: "one"'))
        service.on("/v1/small", reply(SMALL, b'ETag: "two"'))
        service.on("/v1/kept", reply(SMALL, b"Cache-Control: no-transform"))
        service.on("/v1/tiny", reply(b'{"a":1}'))
        events = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" + EVENTS
        service.on("/v1/events", events, End.CLOSE)
        service.on("/raw/coded", reply(CODED, b"Content-Encoding: gzip"))
        yield built


async def test_a_client_library_undoes_each_coding(here: Front) -> None:
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{here.gateway.port}", headers={"X-Api-Key": KEY}
    ) as client:
        assert "zstd" in client.headers["Accept-Encoding"]
        for coding in ("gzip", "br", "zstd", client.headers["Accept-Encoding"]):
            for path, data in (("/v1/items", ITEMS), ("/v1/small", SMALL)):
                answer = await client.get(path, headers={"Accept-Encoding": coding})
                assert answer.json()["data"]["result"] == json.loads(data)
                assert answer.headers["Content-Encoding"] == (coding if "," not in coding else "zstd")
                assert {"Accept-Encoding", "X-Api-Key"} <= set(answer.headers["Vary"].split(", "))
                assert int(answer.headers["Content-Length"]) < len(data) // 3


@pytest.mark.parametrize(
    ("path", "coding", "vary"),
    [
        ("/v1/small", "gzip", True),
        ("/v1/tiny", None, True),
        ("/v1/kept", None, False),
        ("/v1/events", None, False),
        ("/raw/items", "gzip", True),
        ("/plain/items", None, False),
    ],
)
async def test_what_is_coded(here: Front, path: str, coding: str | None, *, vary: bool) -> None:
    answer = await ask(here.gateway, "GET", path, "Accept-Encoding: gzip")
    assert (answer.status, answer.field("Content-Encoding")) == (200, coding)
    assert ("Accept-Encoding" in (answer.field("Vary") or "")) is vary
    body = decode(answer.body, b"gzip", 1 << 24) if coding else answer.body
    if path.startswith("/v1/events"):
        assert body == EVENTS
    elif path.startswith("/raw"):
        assert (body, answer.field("ETag")) == (ITEMS, 'W/"one"')
    else:
        assert check_envelope(answer.status, answer.fields, body)["status"] == "SUCCESS"


async def test_what_a_service_has_coded_passes_through(here: Front) -> None:
    answer = await ask(here.gateway, "GET", "/raw/coded", "Accept-Encoding: gzip, br")
    assert (answer.field("Content-Encoding"), answer.body) == ("gzip", CODED)


async def test_head_has_the_fields_of_get(here: Front) -> None:
    answer = await ask(here.gateway, "HEAD", "/raw/items", "Accept-Encoding: gzip")
    assert (answer.field("Content-Encoding"), answer.field("Content-Length"), answer.field("ETag")) == (
        *("gzip", None),
        'W/"one"',
    )


async def test_it_is_counted_and_logged(here: Front) -> None:
    before = counted(here.gateway, "gateway_compressed_replies_total", route="all", coding="br")
    answer = await ask(here.gateway, "GET", "/v1/items", "Accept-Encoding: br")
    await counts(here.gateway, "gateway_compressed_replies_total", before + 1, route="all", coding="br")
    saved = counted(here.gateway, "gateway_compression_saved_bytes_total", route="all", coding="br")
    record = await here.gateway.record("request_id", answer.field("X-Request-Id"))
    assert record["gateway.compression.coding"] == "br"
    assert record["http.response.body.size"] == len(answer.body)
    assert saved >= record["gateway.compression.saved_bytes"] > len(ITEMS) // 2
