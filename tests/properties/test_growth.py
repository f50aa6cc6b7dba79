"""Whatever comes from a client or a service costs time linear in its bytes, and little for each.

Each input is filled with what is known to hurt somebody: what opens and never closes, what separates, what escapes, what is
empty. The whole way is taken: the parser, the door, the stages; not one function that the next change may step around.
"""

import asyncio
import gzip
import os
import zlib
from collections.abc import Callable, Iterator
from hashlib import sha256

import brotli  # type: ignore[import-untyped]  # it has no stubs
import pytest
import zstandard
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpRequestParser

from gateway.edge import proxy_protocol
from gateway.edge.door import Door, Limits, Peer
from gateway.edge.tls import Certificates
from gateway.exchange import Exchange
from gateway.kernel.coding import decode, decoder
from gateway.kernel.faults import GatewayError
from gateway.kernel.ids import Ids
from gateway.kernel.splice import CheckedJson, Spliced
from gateway.observe.access import printable
from gateway.observe.redact import redactor
from gateway.pipeline import Gateway
from gateway.remote.call import Answer
from gateway.remote.reply import ReplyReader
from gateway.stages.normalize import normalize
from gateway.table import Envelope
from tests import spine
from tests.growth import Work, check_growth, check_rate
from tests.samples import REQUEST_ID, Pieces, route

HEAD_BYTES = 6_000
BODY_BYTES = 100_000
LARGE = 1 << 22
NOTHING = b"a"

UNITS = [
    b"[", b"[]", b"(", b"{", b"<", b"<a>;", b'"', b'\\"', b"\\", b"\\\\", b"'", b",", b", ", b";", b";a=", b"&", b"&a", b"&a=?x-api-key", b"=", b"?", b"??a",
    b"+", b"++a", b"%", b"%%a", b"%4", b"%41", b"%25", b"%2541", b"%2525", b"%00", b"%0d%0a", b"%C3", b"%E2%84%AA", b"/", b"/a", b"/.", b"//a", b".", b"..", b":",
    b"://", b"@", b"#", b"*", b"~", b"_", b"-", b" ", b"\t", b"a ", b"a,", b"a;", b"10.0.0.1,", b'for="[::1]";', b'W/"a",', b'299 - "a", ', b"299 - ", b'<a>;rel=sunset, ',
    b'<a>;rel="sunset ', b"x-api-key", b"x-api-key[", b"&x-api-key=k1234567", b"known-key", b"known-key&", b"0", b"a=1; ", b"a/b;", b"charset=", b"gzip,", b"\xc3\xa9", b"\xff",
    b"\xed\xa0\x80",
]  # fmt: skip
TARGET_UNITS = [unit for unit in UNITS if unit.isascii() and unit.decode().isprintable() and b" " not in unit and b"#" not in unit]
REQUEST_FIELDS = [
    "Host", "X-Api-Key", "X-Tenant-Org-Id", "Cookie", "If-Match", "Connection", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded",
    "traceparent", "tracestate", "Expect", "TE", "Upgrade", "Content-Type", "Accept-Encoding", "Authorization", "Referer", "X-Anything",
]  # fmt: skip
REPLY_FIELDS = [
    "Content-Type", "Content-Encoding", "Connection", "Keep-Alive", "Transfer-Encoding", "Link", "Warning", "Deprecation", "Sunset", "ETag", "Location", "Set-Cookie", "X-Request-Id",
    "Content-Range", "Retry-After", "X-Anything",
]  # fmt: skip
IDS = {"ids": lambda unit: repr(unit)[2:-1] if isinstance(unit, bytes) else None}


def fill(unit: bytes, size: int) -> bytes:
    return (unit * (size // len(unit) + 1))[:size]


class Front:
    """The way of a request's head: aiohttp's parser, the door of a listener that trusts its peer, and the stages, up to an echo."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        limits = Limits(LARGE, LARGE, LARGE, 1.0, 1.0, 1.0, 100)
        trusted = [spine.NETWORK]
        self._door = Door(limits, trusted, Ids(os.urandom), lambda: 1.0)
        everything = Envelope("auto", LARGE, "passthrough")
        self._gateway: Gateway = spine.gateway(
            route("/keyed", prefix=True, envelope=everything), route("/open", id="open", prefix=True, open=True, envelope=everything)
        )

    def close(self) -> None:
        self._loop.close()

    def work(self, head: bytes) -> Work:
        protocol = BaseProtocol(self._loop)
        parser = HttpRequestParser(protocol, self._loop, 1 << 16, max_line_size=LARGE, max_field_size=LARGE)
        protocol._parser = parser
        return lambda: self._serve(parser, head)

    def _serve(self, parser: HttpRequestParser, head: bytes) -> None:
        try:
            messages, _, _ = parser.feed_data(head)
        except Exception as error:
            self._door.unparsable(error, head)
            return
        x: Exchange = self._door.admit(messages[0][0], Peer("10.0.0.9", "http", True))
        self._loop.run_until_complete(self._gateway.handle(x, spine.Client().send))


@pytest.fixture(scope="module")
def front() -> Iterator[Front]:
    made = Front()
    yield made
    made.close()


def get(target: bytes, *fields: bytes) -> bytes:
    return b"\r\n".join([b"GET %b HTTP/1.1" % target, b"Host: a", *fields, b"", b""])


KEY = b"X-Api-Key: known-key"
TARGETS: dict[str, Callable[[bytes], bytes]] = {
    "path": lambda filling: get(b"/" + filling, KEY),
    "path of a route": lambda filling: get(b"/keyed/" + filling, KEY),
    "query": lambda filling: get(b"/open?+" + filling),
    "query beside a key": lambda filling: get(b"/keyed?x-api-key=known-key&%41" + filling, KEY),
    "absolute": lambda filling: get(b"http://" + filling, KEY),
    "method": lambda filling: filling + b" / HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize("unit", TARGET_UNITS, **IDS)
@pytest.mark.parametrize("place", TARGETS)
def test_a_target(front: Front, place: str, unit: bytes) -> None:
    check_growth(lambda size: front.work(TARGETS[place](fill(unit, size))), HEAD_BYTES)


@pytest.mark.parametrize("unit", UNITS, **IDS)
def test_a_request_field(front: Front, unit: bytes) -> None:
    for name in REQUEST_FIELDS:
        check_growth(lambda size, name=name: front.work(get(b"/keyed", KEY, name.encode() + b": " + fill(unit, size))), HEAD_BYTES)  # type: ignore[misc]


MANY: dict[str, Callable[[int], bytes]] = {
    "fields": lambda size: get(b"/open", *[b"a%06d: 1" % number for number in range(size // 12)]),
    "of one name": lambda size: get(b"/open", *[b"a: 1"] * (size // 6)),
    "cookies": lambda size: get(b"/keyed", KEY, *[b"Cookie: a=known-key"] * (size // 21)),
    "keys": lambda size: get(b"/" + fill(b"%41", size // 2), *[b"X-Api-Key: k%07d" % number for number in range(size // 42)]),
    "keys in a query": lambda size: get(
        b"/" + fill(b"%41", size // 2) + b"?" + b"&".join([b"X-Api-Key=k%07d" % number for number in range(size // 38)])
    ),
    "keys and fields": lambda size: get(
        b"/open?" + b"&".join([b"X-Api-Key=k%07d" % number for number in range(8)]), *[b"A: " + fill(b"%41", 60)] * (size // 66)
    ),
    "organisations": lambda size: get(b"/keyed", KEY, *[b"X-Tenant-Org-Id: o%d" % number for number in range(size // 24)]),
    "hops": lambda size: get(b"/open", *[b"X-Forwarded-For: 10.0.0.1"] * (size // 27)),
    "options": lambda size: get(b"/open", *[b"Connection: a%d" % number for number in range(size // 18)]),
}


@pytest.mark.parametrize("kind", MANY)
def test_many_fields(front: Front, kind: str) -> None:
    check_growth(lambda size: front.work(MANY[kind](size)), 2 * HEAD_BYTES)


def test_a_head_costs_little(front: Front) -> None:
    for unit in TARGET_UNITS:
        check_rate(
            lambda size, unit=unit: front.work(TARGETS["query beside a key"](fill(unit, size))),  # type: ignore[misc]
            lambda size: front.work(TARGETS["query beside a key"](fill(NOTHING, size))),
            4 * HEAD_BYTES,
        )
        check_rate(
            lambda size, unit=unit: front.work(get(b"/keyed", KEY, b"X-Anything: " + fill(unit, size))),  # type: ignore[misc]
            lambda size: front.work(get(b"/keyed", KEY, b"X-Anything: " + fill(NOTHING, size))),
            4 * HEAD_BYTES,
        )


def replied(head: bytes, body: bytes) -> Work:
    """A service's reply as bytes: read, then made ours."""
    return lambda: _reply(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)


def _reply(data: bytes) -> None:
    reader = ReplyReader()
    try:
        reader.feed(data)
        normalized(reader.fields, reader.take(), reader.status)
    except GatewayError:
        return


def normalized(fields: list[tuple[bytes, bytes]], body: bytes, status: int) -> None:
    everything = route(envelope=Envelope("auto", LARGE, "passthrough"))
    try:
        normalize(Answer(status, fields, body, None, len(body), "a"), REQUEST_ID, everything, "GET")
    except GatewayError:
        return


@pytest.mark.parametrize("unit", UNITS, **IDS)
def test_a_reply_field(unit: bytes) -> None:
    for name in REPLY_FIELDS:
        check_growth(
            lambda size, name=name: replied(  # type: ignore[misc]
                b"HTTP/1.1 200 OK\r\nDeprecation: true\r\n%b: %b\r\n" % (name.encode(), fill(unit, size)), b"{}"
            ),
            2 * HEAD_BYTES,
        )


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
    "error": (b'{"requestId":"a","status":"ERROR","data":{"details":[', b"0]}}"),
    "members": (b'{"requestId":"a","status":"SUCCESS","data":{},', b'"a":1}'),
}
TYPES = [b"application/json", b"application/problem+json", b"text/plain", b"text/plain; charset=utf-16", b"text/plain; charset=gb18030", b"text/html", b"text/event-stream", b""]  # fmt: skip


@pytest.mark.parametrize("unit", BODY_UNITS, **IDS)
def test_a_reply_body(unit: bytes) -> None:
    for before, after in FRAMES.values():
        for content_type, status in ((b"application/json", 200), (b"application/json", 422), (b"", 200)):
            check_growth(
                lambda size, before=before, after=after, kind=content_type, status=status: (  # type: ignore[misc]
                    lambda: normalized([(b"content-type", kind)], before + fill(unit, size) + after, status)
                ),
                BODY_BYTES // 2,
            )


@pytest.mark.parametrize("content_type", TYPES, **IDS)
@pytest.mark.parametrize("status", [200, 404])
def test_a_body_of_every_type(content_type: bytes, status: int) -> None:
    for unit in BODY_UNITS:
        check_growth(
            lambda size, unit=unit: lambda: normalized([(b"content-type", content_type)], fill(unit, size), status),  # type: ignore[misc]
            BODY_BYTES // 2,
        )


@pytest.mark.parametrize("unit", BODY_UNITS, **IDS)
def test_a_body_too_large_to_hold(unit: bytes) -> None:
    for frame in ("string", "string with half a pair", "array", "envelope", "members"):
        before, after = FRAMES[frame]
        check_growth(lambda size, before=before, after=after: _checked(before + fill(unit, size) + after), 3 * BODY_BYTES)  # type: ignore[misc]


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
    check_rate(lambda size: _checked(b"[" + fill(NESTED[kind], size)), lambda size: _checked(b'["' + bytes(size)), 12 * BODY_BYTES)


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
    "random": ("gzip", lambda size: gzip.compress(b"".join([sha256(b"%d" % number).digest() for number in range(size // 32)]))),
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


@pytest.mark.parametrize("unit", UNITS, **IDS)
def test_the_header_of_a_proxy(unit: bytes) -> None:
    def work(size: int) -> Work:
        begins = [b"PROXY " + fill(unit, size), b"PROXY TCP4 " + fill(unit, size), b"\r\n\r\n\0\r\nQUIT\n!\x11" + fill(unit, size)]

        def read() -> None:
            for begin in begins:
                try:
                    proxy_protocol.size(begin)
                    proxy_protocol.client_address(begin + b"\r\n")
                except proxy_protocol.ProxyHeaderError:
                    continue

        return read

    check_growth(work, BODY_BYTES)


@pytest.mark.parametrize("unit", UNITS, **IDS)
def test_the_name_that_a_client_asks_for(unit: bytes) -> None:
    certificates = Certificates.__new__(Certificates)
    certificates._by_name = {}
    name = unit.decode("latin-1")
    check_growth(lambda size: lambda: certificates._choose(None, name * (size // len(unit)), None), HEAD_BYTES)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "unit", [*UNITS, b"api_key ", b"api_key: ", b"x-api-key =", b"bearer ", b"authorization: basic ", b"?a=", b"://a@"], **IDS
)
def test_a_line_of_the_log(unit: bytes) -> None:
    hide = redactor(["X-Api-Key"])
    text = unit.decode("latin-1")
    check_growth(lambda size: lambda: hide(None, "info", {"event": "=" + text * (size // len(unit))}), 4 * HEAD_BYTES)
    check_growth(lambda size: lambda: printable(text * (size // len(unit))), 4 * HEAD_BYTES)


def test_the_measure_itself() -> None:
    """What grows with the square is found."""
    with pytest.raises(AssertionError, match="four times as many"):
        check_growth(lambda size: lambda: [size for _ in range(size) for _ in range(size)], 500)
    with pytest.raises(AssertionError, match="beyond the normal way"):
        check_rate(lambda size: lambda: sum(range(100 * size)), lambda size: lambda: None, 10_000)
