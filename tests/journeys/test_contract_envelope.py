"""The rules of the envelope for what goes well, as a client sees them: raw backends, enveloped ones, and garbage."""

import gzip
import json
import zlib
from collections.abc import AsyncIterator

import brotli  # type: ignore[import-untyped]
import pytest
import pytest_asyncio
import zstandard

from tests.fakes import End, reply
from tests.journeys.backends import Front, ask, chunked, enveloped, fields, front, requesting
from tests.raw_client import RawClient

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROUTES = """
- {id: all, match: {prefix: /v1}, upstream: backend}
- {id: wrapped, match: {prefix: /wrap}, upstream: backend, envelope: {mode: wrap}}
- {id: through, match: {prefix: /through}, upstream: backend, envelope: {mode: passthrough}}
"""
THEIR_ID = "11111111-2222-4333-8444-555555555555"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here() -> AsyncIterator[Front]:
    async with front(routes=ROUTES) as built:
        yield built


def typed(kind: str, body: bytes, *more: bytes) -> bytes:
    """A reply of a content type; "" for none."""
    lines = [
        b"HTTP/1.1 200 OK",
        b"Content-Length: %d" % len(body),
        *([b"Content-Type: " + kind.encode()] if kind else []),
        *more,
    ]
    return b"\r\n".join([*lines, b"", body])


def envelope_of(result: bytes) -> bytes:
    """What a backend that speaks the envelope itself says."""
    return b'{"requestId":"%b","status":"SUCCESS","data":{"result":%b}}' % (THEIR_ID.encode(), result)


ITEM = b'{"id":"a1","name":"first"}'


@pytest.mark.parametrize("speaks", ["raw", "enveloped"])
async def test_create_read_list_delete(here: Front, speaks: str) -> None:
    def envelope(result: bytes) -> bytes:
        return envelope_of(result) if speaks == "enveloped" else result

    path = f"/v1/{speaks}"
    here.service.on(path, reply(envelope(ITEM), b"Location: /v1/items/a1", status=b"201 Created"))
    created = await ask(here.gateway, "POST", path, "Content-Type: application/json", body=b'{"name":"first"}')
    assert (created.status, enveloped(created)["data"]["result"]) == (201, json.loads(ITEM))
    assert created.field("Location") == "/v1/items/a1"
    here.service.on(path, reply(envelope(b'{"totalCount":1,"items":[%b]}' % ITEM)))
    assert enveloped(await ask(here.gateway, "GET", path))["data"]["result"] == {
        "totalCount": 1,
        "items": [json.loads(ITEM)],
    }
    here.service.on(path, reply(envelope(b'{"id":"a1"}')))
    assert enveloped(await ask(here.gateway, "DELETE", path))["data"]["result"] == {"id": "a1"}
    assert [request.head.split(b" ")[0] for request in here.service.at(path)] == [b"POST", b"GET", b"DELETE"]
    assert here.service.at(path)[0].body == b'{"name":"first"}'


EXACT = [
    b"9007199254740993",
    b"1e400",
    b"-0.10",
    b"9" * 5000,
    b'{"b":1,"a":2,"b":3}',
    b'{ "spaced" : [ 1 ,\n\t2 ] }',
    rb'"\u00e9\ud83d\ude00\/\u0000 \ud800"',
    '"é😀"'.encode(),
    b"[]",
    b'""',
    b"false",
    b"[" * 900 + b"]" * 900,
    b'{"a":' * 900 + b"1" + b"}" * 900,
    b'[{"requestId":"x","status":"SUCCESS","data":{}}]',
]


@pytest.mark.parametrize("speaks", ["raw", "enveloped"])
@pytest.mark.parametrize("result", EXACT, ids=lambda result: result[:20].decode("ascii", "replace"))
async def test_a_result_survives_byte_for_byte(here: Front, result: bytes, speaks: str) -> None:
    path = here.service.on("/v1/exact", reply(envelope_of(result) if speaks == "enveloped" else result))
    answer = await ask(here.gateway, "GET", path)
    our_id = answer.field("X-Request-Id") or ""
    assert answer.body == envelope_of(result).replace(THEIR_ID.encode(), our_id.encode())
    assert answer.status == 200


GARBAGE = [
    b"NaN",
    b'{"a":Infinity}',
    b"\xef\xbb\xbf{",
    b'{"a":"\xff"}',
    b'{"a":"\xed\xa0\x80"}',
    b'{"a":1} and more',
    b'{"a":1}{"b":2}',
    b'{"a":1',
    b"{'a':1}",
    b"[1,]",
    b"01",
    b'"\x01"',
    b"<html>oops</html>",
    b"\x00",
]


@pytest.mark.parametrize("speaks", ["raw", "enveloped"])
@pytest.mark.parametrize("body", GARBAGE, ids=repr)
async def test_garbage_is_no_success(here: Front, body: bytes, speaks: str) -> None:
    path = here.service.on("/v1/garbage", reply(envelope_of(body) if speaks == "enveloped" else body))
    answer = await ask(here.gateway, "GET", path)
    assert (answer.status, enveloped(answer)["data"]["code"]) == (503, 1004)


PACKED = gzip.compress(b'{"a":1}', mtime=0)
BROKEN = {
    "length": (reply(b'{"a":1}')[:-1], End.CLOSE),
    "chunks": (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n",
        b'{"a":1}',
        End.CLOSE,
    ),
    "reset": (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{", End.RESET),
    "gzip": (reply(PACKED[:-4], b"Content-Encoding: gzip"),),
    "more than gzip": (reply(PACKED + b"more", b"Content-Encoding: gzip"),),
    "not gzip": (reply(b"{}", b"Content-Encoding: gzip"),),
    "unknown coding": (reply(b"{}", b"Content-Encoding: compress"),),
    "two lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",),
    "bad chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxx\r\n{}\r\n0\r\n\r\n",),
}


@pytest.mark.parametrize("how", BROKEN)
async def test_a_broken_reply_is_no_success_and_the_next_one_is_untouched(here: Front, how: str) -> None:
    broken, whole = here.service.on("/v1/broken", *BROKEN[how]), here.service.on("/v1/whole", reply(b'{"whole":1}'))
    async with await RawClient.connect(here.gateway.port) as client:
        await client.send(requesting("GET", broken))
        answer = await client.reply()
        assert (answer.status, enveloped(answer)["data"]["code"]) == (503, 1004)
        assert answer.field("Retry-After")
        await client.send(requesting("GET", whole))
        assert enveloped(await client.reply())["data"]["result"] == {"whole": 1}


RAW_DEFLATE = zlib.compressobj(wbits=-15)
CODED = {
    "gzip": PACKED,
    "x-gzip": PACKED,
    "deflate": zlib.compress(b'{"a":1}'),
    "Deflate": RAW_DEFLATE.compress(b'{"a":1}') + RAW_DEFLATE.flush(),
    "br": brotli.compress(b'{"a":1}'),
    "zstd": zstandard.compress(b'{"a":1}'),
    "gzip, br": brotli.compress(PACKED),
    "identity": b'{"a":1}',
}


@pytest.mark.parametrize("coding", CODED)
async def test_what_is_coded_unasked_is_decoded(here: Front, coding: str) -> None:
    path = here.service.on("/v1/coded", reply(CODED[coding], b"Content-Encoding: " + coding.encode()))
    answer = await ask(here.gateway, "GET", path, "Accept-Encoding: gzip, br, zstd")
    assert enveloped(answer)["data"]["result"] == {"a": 1}
    assert answer.field("Content-Encoding") is None
    assert fields(here.service.at(path)[-1], "Accept-Encoding") == ["identity"]


@pytest.mark.parametrize("body", [b"", b"null", b" null\n", b"  "])
@pytest.mark.parametrize("status", [b"200 OK", b"201 Created", b"202 Accepted"])
async def test_an_empty_or_null_body_is_an_empty_result_and_keeps_its_status(
    here: Front, body: bytes, status: bytes
) -> None:
    path = here.service.on("/v1/empty", reply(body, status=status))
    answer = await ask(here.gateway, "GET", path)
    assert (answer.status, enveloped(answer)["data"]["result"]) == (int(status[:3]), {})


async def test_an_empty_body_without_a_type_is_an_empty_result(here: Front) -> None:
    path = here.service.on("/v1/empty", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert enveloped(await ask(here.gateway, "DELETE", path))["data"]["result"] == {}


async def test_204_stays_204(here: Front) -> None:
    path = here.service.on("/v1/gone", b"HTTP/1.1 204 No Content\r\n\r\n")
    async with await RawClient.connect(here.gateway.port) as client:
        for _ in range(2):
            await client.send(requesting("DELETE", path))
            answer = await client.reply()
            assert (answer.status, answer.body) == (204, b"")
            assert answer.field("X-Request-Id")
            assert answer.field("Content-Length") is answer.field("Content-Type") is None


async def test_head_is_get_without_the_body(here: Front) -> None:
    path = here.service.on("/v1/head", reply(b'{"a":1}', b"ETag: W/1"))
    got = await ask(here.gateway, "GET", path)
    here.service.on(path, reply(b'{"a":1}', b"ETag: W/1")[: -len(b'{"a":1}')])
    async with await RawClient.connect(here.gateway.port) as client:
        for _ in range(2):
            await client.send(requesting("HEAD", path))
            headed = await client.reply("HEAD")
            assert headed.status == 200
            assert {name for name, _ in headed.fields} - {"transfer-encoding"} >= {name for name, _ in got.fields} - {
                "content-length"
            }
    nowhere = await ask(here.gateway, "HEAD", "/nowhere")
    assert (nowhere.status, nowhere.body, nowhere.field("Content-Type")) == (404, b"", "application/json")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirection_keeps_its_location(here: Front, status: int) -> None:
    raw = (
        b"HTTP/1.1 %d Moved\r\nLocation: /v1/elsewhere?x=%%2F\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\n<a/>"
        % status
    )
    path = here.service.on("/v1/moved", raw)
    answer = await ask(here.gateway, "GET", path)
    assert (answer.status, answer.field("Location")) == (status, "/v1/elsewhere?x=%2F")
    assert enveloped(answer)["data"]["result"] == {}


async def test_304_has_no_body(here: Front) -> None:
    path = here.service.on("/v1/same", b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n\r\n')
    answer = await ask(here.gateway, "GET", path, 'If-None-Match: "1"')
    assert (answer.status, answer.body) == (304, b"")


@pytest.mark.parametrize(
    ("kind", "body", "result"),
    [
        ("text/plain", b'it\'s\n"fine"', 'it\'s\n"fine"'),
        ("text/plain; charset=iso-8859-1", b"\xe9", "é"),
        ("application/vnd.api+json", b'{"a":1}', {"a": 1}),
        ("application/json; charset=utf-8", b'{"a":1}', {"a": 1}),
        ("", b'{"a":1}', {"a": 1}),
    ],
)
async def test_other_types_become_results(here: Front, kind: str, body: bytes, result: object) -> None:
    path = here.service.on("/v1/typed", typed(kind, body))
    assert enveloped(await ask(here.gateway, "GET", path))["data"]["result"] == result


async def test_parts_are_asked_for_only_where_nothing_is_wrapped(here: Front) -> None:
    for path, passed in (
        (here.service.on("/v1/part", reply()), []),
        (here.service.on("/through/part", reply()), ["bytes=0-3"]),
    ):
        await ask(here.gateway, "GET", path, "Range: bytes=0-3")
        assert fields(here.service.at(path)[0], "Range") == passed


async def test_a_passthrough_route_leaves_everything_as_it_is(here: Front) -> None:
    path = here.service.on("/through/x", reply(b"{not json", b"Content-Encoding: gzip", status=b"418 Teapot"))
    answer = await ask(here.gateway, "GET", path, "Accept-Encoding: gzip")
    assert (answer.status, answer.body, answer.field("Content-Encoding")) == (418, b"{not json", "gzip")
    assert answer.field("X-Request-Id")
    assert fields(here.service.at(path)[0], "Accept-Encoding") == ["gzip"]


async def test_replies_in_chunks_are_wrapped_as_well(here: Front) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    path = here.service.on("/v1/chunks", head, chunked([b'{"a"', b":", b"1}"]))
    assert enveloped(await ask(here.gateway, "GET", path))["data"]["result"] == {"a": 1}
