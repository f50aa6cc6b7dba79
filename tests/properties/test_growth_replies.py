"""Whatever comes from a service costs time linear in its bytes, and little for each.

Each input is filled with patterns that are known to be expensive: what opens and never closes, what separates, what
escapes, what is empty. The input takes the whole way, through the parser, the head checker and the stages, so that no
change of one of them goes around the test.
"""

import asyncio
import gzip
import zlib
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from typing import Any

import brotli  # type: ignore[import-untyped]  # it has no stubs
import pytest
import zstandard

from gateway.kernel.envelope.splice import CheckedJson, Spliced
from gateway.kernel.faults import GatewayError
from gateway.kernel.http.caching import PRIVATE, kept_apart
from gateway.kernel.http.content_coding import decode, decoder
from gateway.stages.normalize import normalize
from gateway.table import Envelope
from gateway.upstream.call import Answer
from gateway.upstream.http1.response_parser import ResponseParser
from gateway.upstream.http1.upgrade import UpgradeReader
from tests.growth import Work, check_growth, check_rate
from tests.samples import Pieces, exchange, route
from tests.untrusted import BODY_BYTES, HEAD_BYTES, LARGE, REPLY_FIELDS, UNITS, fill, shown


def replied(head: bytes, body: bytes) -> Work:
    """A service's reply as bytes: read, then made ours."""
    return lambda: _reply(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)


def _reply(data: bytes) -> None:
    reader = ResponseParser()
    try:
        reader.feed(data)
        normalized(reader.fields, reader.take(), reader.status)
    except GatewayError:
        return


def normalized(fields: list[tuple[bytes, bytes]], body: bytes, status: int) -> None:
    everything = route(envelope=Envelope("auto", LARGE, "passthrough"))
    try:
        normalize(Answer(status, fields, body, None, len(body), "a"), exchange(), everything)
    except GatewayError:
        return


@pytest.mark.parametrize("unit", UNITS, ids=shown)
def test_a_reply_field(unit: bytes) -> None:
    for name in REPLY_FIELDS:
        check_growth(
            lambda size, name=name: replied(  # type: ignore[misc]
                b"HTTP/1.1 200 OK\r\nDeprecation: true\r\n%b: %b\r\n" % (name.encode(), fill(unit, size)), b"{}"
            ),
            HEAD_BYTES,
        )


class Unswitched:
    """A connection whose handshake ends without a tunnel, and its transport."""

    def __init__(self) -> None:
        self.closed: GatewayError | None = None

    def set_protocol(self, protocol: object) -> None:
        """Stay what it is."""

    def data_received(self, data: bytes) -> None:
        """Drop an interim reply."""

    def fail(self, error: GatewayError) -> None:
        self.closed = error


@pytest.mark.parametrize("unit", [*UNITS, b"a:\r\n", b"HTTP/1.1 103 E\r\n\r\n", b"\r\n\r"], ids=shown)
def test_the_answer_to_a_handshake(unit: bytes) -> None:
    def work(size: int) -> Work:
        answers = [
            b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: " + fill(unit, size) + b"\r\n\r\n",
            b"HTTP/1.1 103 E\r\n\r\n" + fill(unit, size),
        ]

        def read() -> None:
            for answer in answers:
                both: Any = Unswitched()
                reader = UpgradeReader(both, both, both, both, "t", lambda: False)
                for at in range(0, len(answer), 64):
                    reader.data_received(answer[at : at + 64])

        return read

    check_growth(work, HEAD_BYTES)


@pytest.mark.parametrize("unit", [*UNITS, b'a="', b'a="\\"', b"a=,", b"private=", b"public,s-maxage,"], ids=shown)
def test_who_may_store_it(unit: bytes) -> None:
    def work(size: int) -> Work:
        text = fill(unit, size).decode("latin-1")
        return lambda: kept_apart([("Vary", text), ("Cache-Control", text)], (("Vary", "X-Api-Key"), PRIVATE), "Origin")

    check_growth(work, 2 * HEAD_BYTES)


REPLY_HEADS: dict[str, Callable[[int], bytes]] = {
    "fields": lambda size: b"HTTP/1.1 200 OK\r\n" + b"a:\r\n" * (size // 4),
    "links": lambda size: b"HTTP/1.1 200 OK\r\nDeprecation: true\r\n" + b"Link: <a>;rel=deprecation\r\n" * (size // 27),
    "warnings": lambda size: b"HTTP/1.1 200 OK\r\n" + b"Warning: free\r\n" * (size // 15),
    "codings": lambda size: b"HTTP/1.1 200 OK\r\n" + b"Content-Encoding: gzip\r\n" * (size // 24),
    "interim heads": lambda size: b"HTTP/1.1 103 E\r\n\r\n" * (size // 18),
    "a status line": lambda size: b"HTTP/1.1 200 " + b"a" * size + b"\r\n",
    "empty lines": lambda size: b"\r\n" * (size // 2),
}


@pytest.mark.parametrize("kind", REPLY_HEADS)
def test_a_reply_head(kind: str) -> None:
    check_growth(lambda size: replied(REPLY_HEADS[kind](size), b"{}"), 8 * HEAD_BYTES)


CHUNKS: dict[str, Callable[[int], bytes]] = {
    "small": lambda size: b"1\r\na\r\n" * (size // 6),
    "with extensions": lambda size: b"1;a=b;c\r\na\r\n" * (size // 12),
    "of zeros": lambda size: b"0" * size,
    "trailers": lambda size: b"0\r\n" + b"a:\r\n" * (size // 4),
}


@pytest.mark.parametrize("kind", CHUNKS)
def test_a_body_in_chunks(kind: str) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    check_growth(lambda size: lambda: _reply(head + CHUNKS[kind](size)), BODY_BYTES)


BODY_UNITS = [
    b"[", b"[]", b"[[]", b"[],", b"[0,", b"{", b"{}", b'{"":', b'{"a":', b'{"error":', b'{"a":[', b'{"errors":[', b'{"detail":', b"]", b"}", b'"', b'""', b'"",', b'"a":1,', b'"a",',
    b"\\", b"\\\\", b'\\"', b"\\u0000", b"\\ud800", b"\\\\ud800", b"\\\\\\ud800", b"\\ud83d\\ude00", b"\\uD800", b"\\u", b",", b":", b"0", b"0,", b"9", b"-", b"1e9,", b".0", b"null,", b"true,", b" ",
    b"\n", b"\r\n\r\n", b"\t", b"\n\tat a", b"\n  ", b"<", b"<p", b"<!", b"&lt;", b"://", b"http://a ", b"a", b"a ", b"a=b;", b"is required", b"\xc3\xa9", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\0",
    b'{"text":"a"},', b'{"id":"a","date":"2016-06-25T20:09:23.69Z","type":"INFO","text":"a"},', b'{"field":"a","message":"b"},', b"data: a\n\n", b"---\n",
]  # fmt: skip
FRAMES: dict[str, tuple[bytes, bytes]] = {
    "bare": (b"", b""),
    "string": (b'{"a":"', b'"}'),
    "string with half a pair": (b'{"a":"\\ud800', b'"}'),
    "array": (b"[", b"0]"),
    "object": (b"{", b'"a":1}'),
    "message": (b'{"message":"', b'"}'),
    "details": (b'{"errors":[', b"0]}"),
    "fields": (b'{"errors":{', b'"a":"b"}}'),
    "envelope": (b'{"requestId":"\\ud800","status":"SUCCESS","data":{"result":"', b'"}}'),
    "messages": (b'{"requestId":"a","status":"SUCCESS","data":{"result":1,"messages":[', b'0]},"more":"\\ud800"}'),
    "more": (b'{"requestId":"a","status":"SUCCESS","data":{},"more":[', b"0]}"),
    "error": (b'{"requestId":"a","status":"ERROR","data":{"details":[', b"0]}}"),
    "members": (b'{"requestId":"a","status":"SUCCESS","data":{},', b'"a":1}'),
}
TYPES = [b"application/json", b"application/problem+json", b"text/plain", b"text/plain; charset=utf-16", b"text/plain; charset=gb18030", b"text/html", b"text/event-stream", b""]  # fmt: skip


@pytest.mark.parametrize("unit", BODY_UNITS, ids=shown)
def test_a_reply_body(unit: bytes) -> None:
    for before, after in FRAMES.values():
        for content_type, status in ((b"application/json", 200), (b"application/json", 422), (b"", 200)):
            check_growth(
                lambda size, before=before, after=after, kind=content_type, status=status: (  # type: ignore[misc]
                    lambda: normalized([(b"content-type", kind)], before + fill(unit, size) + after, status)
                ),
                BODY_BYTES // 4,
            )


@pytest.mark.parametrize("content_type", TYPES, ids=shown)
@pytest.mark.parametrize("status", [200, 404])
def test_a_body_of_every_type(content_type: bytes, status: int) -> None:
    for unit in BODY_UNITS:
        check_growth(
            lambda size, unit=unit: lambda: normalized([(b"content-type", content_type)], fill(unit, size), status),  # type: ignore[misc]
            BODY_BYTES // 4,
        )


@pytest.mark.parametrize("unit", BODY_UNITS, ids=shown)
def test_a_body_too_large_to_hold(unit: bytes) -> None:
    def checked(before: bytes, after: bytes, size: int) -> Work:
        return _checked(before + fill(unit, size) + after)

    for frame in ("string", "string with half a pair", "array", "envelope", "members"):
        check_growth(partial(checked, *FRAMES[frame]), 3 * BODY_BYTES)


NESTED: dict[str, bytes] = {
    "deep": b"[" * 400 + b"]" * 400 + b",",
    "deep objects": b'{"":' * 400 + b"0" + b"}" * 400 + b",",
    "both": b'[{"":' * 200 + b"0" + b"}]" * 200 + b",",
    "ragged": (b"[" * 40 + b"0," + b"]" * 20 + b"," + b"[" * 20 + b"0" + b"]" * 40 + b",") * 4,
    "ever deeper": b"[0,",
}


@pytest.mark.parametrize("kind", NESTED)
def test_a_nested_body_too_large_to_hold(kind: str) -> None:
    check_growth(lambda size: _checked(b"[" + fill(NESTED[kind], size)), 3 * BODY_BYTES)
    check_rate(
        lambda size: _checked(b"[" + fill(NESTED[kind], size)),
        lambda size: _checked(b'["' + bytes(size)),
        12 * BODY_BYTES,
    )


def _checked(data: bytes) -> Work:
    def work() -> None:
        way = CheckedJson()
        try:
            for at in range(0, len(data), 1 << 16):
                way.feed(data[at : at + (1 << 16)])
            way.finish()
        except GatewayError:
            return

    return work


def _raw_deflate(data: bytes, flush: int = zlib.Z_FINISH) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush(flush)


_EMPTY_STORED = b"\0\0\0\xff\xff"
_EMPTY_FIXED = b"\x02\x08\x20\x80\x00"  # four of ten bits each
_SKIPPABLE = b"\x50\x2a\x4d\x18\0\0\0\0"
_FRAME = zstandard.ZstdCompressor().compress(b"")
CODED: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "empty members": ("gzip", lambda size: gzip.compress(b"") * (size // 20)),
    "small members": ("gzip", lambda size: gzip.compress(b"0123456789") * (size // 30)),
    "a long name": ("gzip", lambda size: b"\x1f\x8b\x08\x08\0\0\0\0\0\xff" + b"a" * size),
    "empty stored blocks": ("deflate", lambda size: b"\x78\x9c" + _EMPTY_STORED * (size // 5)),
    "empty fixed blocks": ("deflate", lambda size: b"\x78\x9c" + _EMPTY_FIXED * (size // 5)),
    "empty raw blocks": ("deflate", lambda size: _EMPTY_STORED * (size // 5)),
    "metadata": ("br", lambda size: b"\x0c" + b"\x06" * size),
    "empty frames": ("zstd", lambda size: _FRAME * (size // len(_FRAME))),
    "skippable frames": ("zstd", lambda size: _SKIPPABLE * (size // 8)),
    "one skippable frame": ("zstd", lambda size: b"\x50\x2a\x4d\x18" + size.to_bytes(4, "little") + bytes(size)),
    "members of members": ("gzip, gzip", lambda size: gzip.compress(gzip.compress(b"") * size, 1)),
    "frames of members": ("gzip, zstd", lambda size: zstandard.ZstdCompressor().compress(gzip.compress(b"") * size)),
    "three times": ("gzip, gzip, gzip", lambda size: gzip.compress(gzip.compress(gzip.compress(bytes(100 * size)), 1))),
    "random": (
        "gzip",
        lambda size: gzip.compress(b"".join([sha256(b"%d" % number).digest() for number in range(size // 32)])),
    ),
    "nothing but zeros": ("br", lambda size: bytes(brotli.compress(bytes(10 * size), quality=1))),
    "a text of one letter": ("zstd", lambda size: zstandard.ZstdCompressor().compress(b"a" * (10 * size))),
}


@pytest.mark.parametrize("kind", CODED)
def test_a_coded_body(kind: str) -> None:
    coding, make = CODED[kind]
    check_growth(lambda size: _decoded(make(size), coding), BODY_BYTES)


def _decoded(body: bytes, coding: str) -> Work:
    def work() -> None:
        try:
            decode(body, coding.encode(), LARGE)
        except GatewayError:
            return

    return work


@pytest.mark.parametrize("kind", CODED)
def test_a_coded_body_too_large_to_hold(kind: str) -> None:
    coding, make = CODED[kind]

    def prepare(size: int) -> Work:
        body = make(size)
        pieces = Pieces(*[body[at : at + 4096] for at in range(0, len(body), 4096)])
        stream = Spliced(pieces, decoder(coding.encode()), iter(()), CheckedJson())

        async def read() -> None:
            try:
                while await stream.read():
                    pass
            except GatewayError:
                return

        return lambda: asyncio.run(read())

    check_growth(prepare, BODY_BYTES)
