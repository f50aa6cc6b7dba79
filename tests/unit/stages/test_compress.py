"""stages/compress.py: replies in a content coding, and the fields that go with it."""

import gzip
from hashlib import sha512
from typing import Any

import pytest

from gateway.exchange import CacheUse, Exchange, Reply
from gateway.kernel.faults import UPSTREAM_INCOMPLETE, GatewayError
from gateway.kernel.http.compression import CompressionRules
from gateway.kernel.http.response_headers import SHARED
from gateway.net.compressor import Compressor
from gateway.stages.compress import compress
from gateway.upstream.call import Answer
from tests.samples import Pieces, exchange

RULES = CompressionRules(("zstd", "br", "gzip"), 1024)
JSON = ("Content-Type", "application/json")
VARY = ("Vary", "Accept-Encoding")
BODY = b'{"a":"' + b"b" * 2000 + b'"}'


def reply_of(*more: tuple[str, str], status: int = 200, body: bytes = BODY, **others: Any) -> Reply:
    return Reply(status, [JSON, *more], body, **others)


async def sent(reply: Reply, accepted: str = "gzip", **changes: Any) -> Exchange:
    x = exchange([("Accept-Encoding", accepted)] if accepted else [], **changes)
    await compress(reply, x, RULES, Compressor())
    return x


async def test_a_large_body_is_coded() -> None:
    reply = reply_of(("ETag", '"a"'), body=BODY[:10], content=BODY[10:-2], tail=BODY[-2:], length=len(BODY))
    x = await sent(reply)
    assert gzip.decompress(reply.body) == BODY
    assert (reply.content, reply.tail, reply.length) == (b"", b"", None)
    assert reply.fields == [JSON, ("ETag", 'W/"a"'), VARY, ("Content-Encoding", "gzip")]
    assert x.coded is not None
    assert (x.coded.coding, x.coded.plain_bytes, x.coded.coded_bytes) == ("gzip", len(BODY), len(reply.body))


@pytest.mark.parametrize(
    ("reply", "accepted"),
    [
        (reply_of(), ""),
        (reply_of(), "identity"),
        (reply_of(body=BODY[:1023]), "gzip"),
        (reply_of(body=b"".join([sha512(b"%d" % number).digest() for number in range(20)])), "gzip"),
    ],
)
async def test_what_stays_plain_varies_all_the_same(reply: Reply, accepted: str) -> None:
    body = reply.body
    x = await sent(reply, accepted)
    assert (reply.fields, reply.body, x.coded) == ([JSON, VARY], body, None)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, [("Content-Type", "text/event-stream")], b"", stream=Pieces(BODY)),
        Reply(200, [("Content-Type", "image/png")], BODY),
        reply_of(("Content-Encoding", "br")),
        reply_of(("Cache-Control", "no-transform")),
        reply_of(status=206),
        reply_of(status=204, body=b""),
    ],
    ids=["events", "picture", "coded", "no-transform", "part", "nothing"],
)
async def test_what_is_left_alone(reply: Reply) -> None:
    fields, body, stream = list(reply.fields), reply.body, reply.stream
    x = await sent(reply)
    assert (reply.fields, reply.body, reply.stream, x.coded) == (fields, body, stream, None)


async def test_what_the_service_forbids_is_not_done_though_the_route_says_otherwise() -> None:
    for fields, marks, coded in (
        ([(b"cache-control", b"no-transform")], SHARED, False),
        ([(b"cache-control", b"no-cache"), (b"x", b"no-transform")], SHARED, True),
        ([], 0, True),
    ):
        reply = reply_of(("Cache-Control", "private"))
        x = exchange([("Accept-Encoding", "gzip")])
        x.answer = Answer(200, fields, b"", None, 0, "t", marks)
        await compress(reply, x, RULES, Compressor())
        assert (x.coded is not None) is coded
        assert (VARY in reply.fields) is coded


@pytest.mark.parametrize(
    ("reply", "wanted"),
    [
        (
            reply_of(("ETag", '"a"'), body=b"", length=2000),
            [JSON, ("ETag", 'W/"a"'), VARY, ("Content-Encoding", "gzip")],
        ),
        (reply_of(), [JSON, VARY, ("Content-Encoding", "gzip")]),
        (reply_of(("ETag", '"a"'), body=b""), [JSON, ("ETag", '"a"'), VARY]),
        (reply_of(("ETag", '"a"'), body=b"", length=1000), [JSON, ("ETag", '"a"'), VARY]),
    ],
)
async def test_head_has_the_fields_of_get_as_far_as_they_are_known(reply: Reply, wanted: list[tuple[str, str]]) -> None:
    await sent(reply, method="HEAD")
    assert reply.fields == wanted
    if ("Content-Encoding", "gzip") in wanted:
        assert (reply.length, reply.body) == (None, b"")


async def test_not_modified_has_the_tag_of_the_coded_body() -> None:
    reply = Reply(304, [("ETag", '"a"')], b"")
    await sent(reply)
    assert reply.fields == [("ETag", 'W/"a"'), VARY]


async def test_a_stream_of_known_length_is_coded_on_its_way() -> None:
    large = b"c" * 100_000
    pieces = Pieces(BODY, large)
    reply = reply_of(body=b"{", stream=pieces, tail=b"}}", length=len(BODY) + len(large) + 3)
    x = await sent(reply, "gzip")
    assert reply.stream is not None
    assert reply.stream.unread == 0
    assert (reply.body, reply.tail, reply.length) == (b"", b"", None)
    read = [piece async for piece in _pieces(reply.stream)]
    assert gzip.decompress(b"".join(read)) == b"{" + BODY + large + b"}}"
    assert x.coded is not None
    assert (x.coded.plain_bytes, x.coded.coded_bytes) == (len(BODY) + len(large) + 3, len(b"".join(read)))
    reply.stream.close()
    assert pieces.closed


async def _pieces(stream: Any) -> Any:
    while piece := await stream.read():
        yield piece


@pytest.mark.parametrize("length", [None, 1000])
async def test_other_streams_flow_as_they_are(length: int | None) -> None:
    pieces = Pieces(BODY)
    reply = reply_of(body=b"", stream=pieces, length=length)
    x = await sent(reply)
    assert (reply.stream, reply.length, x.coded) == (pieces, length, None)
    assert reply.fields == [JSON, VARY]


async def test_a_stream_that_breaks_off_does_so_in_its_coding_too() -> None:
    reply = reply_of(stream=Pieces(b"a", GatewayError(UPSTREAM_INCOMPLETE)), length=5000)
    await sent(reply)
    assert reply.stream is not None
    with pytest.raises(GatewayError):
        _ = [piece async for piece in _pieces(reply.stream)]


async def test_what_the_service_has_forbidden_holds_for_a_reply_from_the_cache() -> None:
    for no_transform in (True, False):
        x = await sent(reply_of(), cache=CacheUse("hit", no_transform=no_transform))
        assert (x.coded is None) is no_transform
