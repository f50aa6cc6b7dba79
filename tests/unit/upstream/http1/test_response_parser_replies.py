"""Faulty replies of backends, and what becomes of them. Every case is followed by an ordinary call."""

import asyncio
from typing import NamedTuple

import pytest

from gateway.kernel.faults import (
    UPSTREAM_HEADERS_TOO_LARGE,
    UPSTREAM_INCOMPLETE,
    UPSTREAM_PROTOCOL_ERROR,
    UPSTREAM_RESET,
    Fault,
)
from tests.fakes import End, RawBackend, Script, Step, reply, script
from tests.unit.upstream.calls import Make, call, fails

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
BROKEN, CUT, LARGE = UPSTREAM_PROTOCOL_ERROR, UPSTREAM_INCOMPLETE, UPSTREAM_HEADERS_TOO_LARGE


class Case(NamedTuple):
    """`expected` is a fault, or the body of an answer. `reused`: the next call uses the same connection."""

    name: str
    steps: tuple[Step, ...]
    expected: Fault | bytes
    reused: bool = False
    method: bytes = b"GET"
    status: int = 200


def length(value: bytes, body: bytes = b"", *, start: bytes = OK) -> bytes:
    return start + b"Content-Length: " + value + b"\r\n\r\n" + body


CASES = [
    # In order
    Case("content-length", (length(b"2", b"ab"),), b"ab", reused=True),
    Case("content-length of nothing", (length(b"0"),), b"", reused=True),
    Case("chunked", (CHUNKED + b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",), b"abc", reused=True),
    Case("chunked in capitals", (OK + b"TRANSFER-ENCODING: CHUNKED\r\n\r\n2\r\nab\r\n0\r\n\r\n",), b"ab", reused=True),
    Case("chunk extensions and trailers", (CHUNKED + b"2;a=b\r\nab\r\n0\r\nX-Api-Key: k\r\n\r\n",), b"ab", reused=True),
    Case("one byte at a time", tuple(bytes([byte]) for byte in CHUNKED + b"2\r\nab\r\n0\r\n\r\n"), b"ab", reused=True),
    Case(
        "1xx before it",
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 16 + length(b"2", b"ab"),),
        b"ab",
        reused=True,
    ),
    Case("50 1xx before it", (b"HTTP/1.1 100 Continue\r\n\r\n" * 50 + length(b"2", b"ab"),), b"ab", reused=True),
    Case(
        "50 1xx, each by itself", (*[b"HTTP/1.1 102 Processing\r\n\r\n"] * 50, length(b"2", b"ab")), b"ab", reused=True
    ),
    Case(
        "50 large 1xx",
        (*[b"HTTP/1.1 103 Early Hints\r\nLink: " + b"x" * 8000 + b"\r\n\r\n"] * 50, length(b"2", b"ab")),
        b"ab",
        reused=True,
    ),
    Case(
        "50 1xx with many fields",
        (b"HTTP/1.1 103 Early Hints\r\n" + b"Link: x\r\n" * 99 + b"\r\n",) * 50 + (length(b"2", b"ab"),),
        b"ab",
        reused=True,
    ),
    Case("50 1xx to HEAD", (b"HTTP/1.1 100 Continue\r\n\r\n" * 50 + length(b"0"),), b"", reused=True, method=b"HEAD"),
    Case("no reason phrase", (length(b"2", b"ab", start=b"HTTP/1.1 200\r\n"),), b"ab", reused=True),
    Case("204", (b"HTTP/1.1 204 No Content\r\n\r\n",), b"", reused=True, status=204),
    Case(
        "Upgrade offered, not done",
        (length(b"2", b"ab", start=OK + b"Upgrade: h2c\r\nConnection: upgrade\r\n"),),
        b"ab",
        reused=True,
    ),
    Case(
        "HTTP/1.0 kept alive",
        (length(b"2", b"ab", start=b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"),),
        b"ab",
        reused=True,
    ),
    Case("HEAD of nothing", (length(b"0"),), b"", reused=True, method=b"HEAD"),
    Case("304 without a length", (b"HTTP/1.1 304 Not Modified\r\n\r\n",), b"", reused=True, status=304),
    Case("space before the colon", (length(b"2", b"ab", start=OK + b"X : y\r\n"),), b"ab", reused=True),
    Case(
        "space before the colon of the length, in pieces",
        (OK + b"Content-Le", b"ngth \t: 2\r", b"\n\r\na", b"b"),
        b"ab",
        reused=True,
    ),
    Case(
        "space before the colon after 1xx",
        (b"HTTP/1.1 103 E\r\nLink : x\r\n\r\n" + length(b"2", b"ab"),),
        b"ab",
        reused=True,
    ),
    Case("space before the colon, HEAD", (length(b"0", start=OK + b"X : y\r\n"),), b"", reused=True, method=b"HEAD"),
    Case(
        "space before the colon of the coding",
        (OK + b"Transfer-Encoding : chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",),
        b"ab",
        reused=True,
    ),
    Case("the same length twice", (length(b"2", b"ab", start=OK + b"Content-Length: 2\r\n"),), b"ab", reused=True),
    Case("the same length in a list", (length(b"2, 2", b"ab"),), b"ab", reused=True),
    # An answer, but the last one on its connection
    Case(
        "304 with the length of what it stands for",
        (length(b"9", start=b"HTTP/1.1 304 Not Modified\r\n"),),
        b"",
        reused=False,
        status=304,
    ),
    Case("HEAD", (length(b"2"),), b"", reused=False, method=b"HEAD"),
    Case("HEAD, chunked", (CHUNKED,), b"", reused=False, method=b"HEAD"),
    Case("HEAD, no framing at all", (OK + b"\r\n",), b"", reused=False, method=b"HEAD"),
    Case(
        "HEAD, one byte at a time",
        tuple(bytes([byte]) for byte in b"HTTP/1.1 100 Continue\r\n\r\n" + length(b"2")),
        b"",
        reused=False,
        method=b"HEAD",
    ),
    Case("Connection: close", (length(b"2", b"ab", start=OK + b"Connection: close\r\n"),), b"ab"),
    Case("Connection: CLOSE in a list", (length(b"2", b"ab", start=OK + b"Connection: foo, CLOSE\r\n"),), b"ab"),
    Case(
        "Connection: close in a second line",
        (length(b"2", b"ab", start=OK + b"Connection: x\r\nConnection: close\r\n"),),
        b"ab",
    ),
    Case("HTTP/1.0", (length(b"2", b"ab", start=b"HTTP/1.0 200 OK\r\n"),), b"ab"),
    Case("until the end", (OK + b"\r\n", b"ab", End.CLOSE), b"ab"),
    Case("until the end, nothing", (OK + b"\r\n", End.CLOSE), b""),
    Case("longer than announced", (length(b"2", b"abcdef"),), b"ab"),
    Case("two replies", (length(b"2", b"ab") * 2,), b"ab"),
    Case("a reply and half of another", (length(b"2", b"ab") + b"HT",), b"ab"),
    Case("204 with a body", (b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nab",), b"", status=204),
    Case(
        "204 with chunks", (b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",), b"", status=204
    ),
    Case("304 with a body", (length(b"2", b"ab", start=b"HTTP/1.1 304 Not Modified\r\n"),), b"", status=304),
    Case("HEAD with a body", (length(b"2", b"ab"),), b"", reused=False, method=b"HEAD"),
    Case("HEAD with the beginning of a chunk", (CHUNKED + b"2",), b"", reused=False, method=b"HEAD"),
    Case("HEAD with no more than a line end", (length(b"2", b"\r"),), b"", reused=False, method=b"HEAD"),
    Case(
        "HEAD, Connection: close",
        (length(b"2", start=OK + b"Connection: close\r\n"),),
        b"",
        reused=False,
        method=b"HEAD",
    ),
    Case("HEAD in HTTP/1.0", (length(b"2", start=b"HTTP/1.0 200 OK\r\n"),), b"", reused=False, method=b"HEAD"),
    # Breaks off
    Case("no reply", (End.CLOSE,), UPSTREAM_RESET),
    Case("reset", (End.RESET,), UPSTREAM_RESET),
    Case("half a head", (OK + b"X: y", End.CLOSE), CUT),
    Case("only 100", (b"HTTP/1.1 100 Continue\r\n\r\n", End.CLOSE), CUT),
    Case("content-length cut off", (length(b"9", b"ab"), End.CLOSE), CUT),
    Case("content-length reset", (length(b"9", b"ab"), End.RESET), CUT),
    Case("chunk cut off", (CHUNKED + b"9\r\nab", End.CLOSE), CUT),
    Case("chunks without the last", (CHUNKED + b"2\r\nab\r\n", End.CLOSE), CUT),
    Case("trailers cut off", (CHUNKED + b"2\r\nab\r\n0\r\nX: ", End.CLOSE), CUT),
    Case("reset instead of an end", (OK + b"\r\n", b"ab", End.RESET), CUT),
    # Framing that can be read in two ways
    Case(
        "content-length and chunked",
        (length(b"5", b"0\r\n\r\n", start=OK + b"Transfer-Encoding: chunked\r\n"),),
        BROKEN,
    ),
    Case(
        "chunked and content-length",
        (OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",),
        BROKEN,
    ),
    Case("two content-lengths", (length(b"3", b"abc", start=OK + b"Content-Length: 2\r\n"),), BROKEN),
    Case("a list of content-lengths", (length(b"2, 3", b"abc"),), BROKEN),
    Case("negative content-length", (length(b"-1", b"abc"),), BROKEN),
    Case("content-length with a sign", (length(b"+3", b"abc"),), BROKEN),
    Case("hexadecimal content-length", (length(b"0x3", b"abc"),), BROKEN),
    Case("empty content-length", (length(b"", b"abc"),), BROKEN),
    Case("content-length beyond 64 bits", (length(b"99999999999999999999", b"abc"),), BROKEN),
    Case("gzip, chunked", (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",), BROKEN),
    Case(
        "gzip and chunked in two lines",
        (OK + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",),
        BROKEN,
    ),
    Case("chunked twice", (OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",), BROKEN),
    Case("identity", (OK + b"Transfer-Encoding: identity\r\n\r\nab", End.CLOSE), BROKEN),
    Case("xchunked", (OK + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", End.CLOSE), BROKEN),
    Case("chunked in HTTP/1.0", (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",), BROKEN),
    Case("chunk size with letters", (CHUNKED + b"zz\r\nab\r\n0\r\n\r\n",), BROKEN),
    Case("chunk size with 0x", (CHUNKED + b"0x2\r\nab\r\n0\r\n\r\n",), BROKEN),
    Case("chunk size with a space", (CHUNKED + b"2 \r\nab\r\n0\r\n\r\n",), BROKEN),
    Case("chunk size beyond 64 bits", (CHUNKED + b"f" * 17 + b"\r\nab\r\n0\r\n\r\n",), BROKEN),
    Case("no chunk size", (CHUNKED + b"\r\nab\r\n0\r\n\r\n",), BROKEN),
    Case("chunk longer than its size", (CHUNKED + b"2\r\nabc\r\n0\r\n\r\n",), BROKEN),
    Case("chunk lines ended by LF", (CHUNKED + b"2\nab\n0\n\n",), BROKEN),
    Case("chunk extension without end", (CHUNKED + b"2;" + b"a" * 70_000, b"a" * 70_000), BROKEN),
    Case("trailers without end", (CHUNKED + b"0\r\n" + b"X: y\r\n" * 12_000, b"X: y\r\n" * 12_000), BROKEN),
    # Not a head
    Case("garbage", (b"hello world\r\n\r\n",), BROKEN),
    Case("HTTP/0.9", (b"<html>hello</html>", End.CLOSE), BROKEN),
    Case("another protocol's greeting", (b"220 smtp ready\r\n",), BROKEN),
    Case("HTTP/2 preface", (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",), BROKEN),
    Case("HTTP/2 settings frame", (b"\x00\x00\x00\x04\x00\x00\x00\x00\x00",), BROKEN),
    Case("HTTP/2.0", (length(b"2", b"ab", start=b"HTTP/2.0 200 OK\r\n"),), BROKEN),
    Case("HTTP/1.2", (length(b"2", b"ab", start=b"HTTP/1.2 200 OK\r\n"),), BROKEN),
    Case("HTTP/0.9 written out", (length(b"2", b"ab", start=b"HTTP/0.9 200 OK\r\n"),), BROKEN),
    Case("RTSP", (length(b"2", b"ab", start=b"RTSP/1.0 200 OK\r\n"),), BROKEN),
    Case("http in small letters", (length(b"2", b"ab", start=b"http/1.1 200 OK\r\n"),), BROKEN),
    Case("empty lines first", (b"\r\n\r\n" + length(b"2", b"ab"),), BROKEN),
    Case(
        "HTTP/2.0 after a 1xx",
        (b"HTTP/1.1 100 Continue\r\n\r\n" + length(b"2", b"ab", start=b"HTTP/2.0 200 OK\r\n"),),
        BROKEN,
    ),
    Case("status 000", (length(b"2", b"ab", start=b"HTTP/1.1 000 Zero\r\n"),), BROKEN),
    Case("status 099", (length(b"2", b"ab", start=b"HTTP/1.1 099 Low\r\n"),), BROKEN),
    Case("status 600", (length(b"2", b"ab", start=b"HTTP/1.1 600 High\r\n"),), BROKEN),
    Case("status 20", (length(b"2", b"ab", start=b"HTTP/1.1 20 OK\r\n"),), BROKEN),
    Case("status 2000", (length(b"2", b"ab", start=b"HTTP/1.1 2000 OK\r\n"),), BROKEN),
    Case("status in words", (length(b"2", b"ab", start=b"HTTP/1.1 OK\r\n"),), BROKEN),
    Case("unasked 101", (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",), BROKEN),
    Case("unasked 101 without a word", (b"HTTP/1.1 101 Switching Protocols\r\n\r\nab",), BROKEN),
    Case("unasked 101 to HEAD", (b"HTTP/1.1 101 Switching Protocols\r\n\r\n",), BROKEN, reused=False, method=b"HEAD"),
    Case("coding and length, spaced", (length(b"2", b"ab", start=OK + b"Transfer-Encoding : chunked\r\n"),), BROKEN),
    Case("an endless head after a 1xx", (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"X: ", *[b"y" * 140_000] * 3), LARGE),
    Case("an endless 1xx", (b"HTTP/1.1 103 Early Hints\r\nLink: ", b"y" * 140_000), LARGE),
    Case("space in a name", (length(b"2", b"ab", start=OK + b"X Y: y\r\n"),), BROKEN),
    Case("space before the first name", (length(b"2", b"ab", start=OK + b" X: y\r\n"),), BROKEN),
    Case("folded line", (length(b"2", b"ab", start=OK + b"X: y\r\n z\r\n"),), BROKEN),
    Case("no colon", (length(b"2", b"ab", start=OK + b"X\r\n"),), BROKEN),
    Case("no name", (length(b"2", b"ab", start=OK + b": y\r\n"),), BROKEN),
    Case("NUL in a value", (length(b"2", b"ab", start=OK + b"X: a\0b\r\n"),), BROKEN),
    Case("NUL in a name", (length(b"2", b"ab", start=OK + b"X\0: ab\r\n"),), BROKEN),
    Case("bare CR in a value", (length(b"2", b"ab", start=OK + b"X: a\rb\r\n"),), BROKEN),
    Case("lines ended by LF", (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nab",), BROKEN),
    Case("umlaut in a name", (length(b"2", b"ab", start=OK + b"X\xfc: y\r\n"),), BROKEN),
    Case("257 fields", (length(b"2", b"ab", start=OK + b"X: y\r\n" * 256),), LARGE),
    Case("a field of 64 KiB", (length(b"2", b"ab", start=OK + b"X: " + b"y" * 65536 + b"\r\n"),), LARGE),
    Case("a field without end", (OK + b"X: ", b"y" * 40_000, b"y" * 40_000), LARGE),
]


def test_there_are_enough_cases() -> None:
    assert len(CASES) > 100
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_reply(make: Make, case: Case) -> None:
    async with RawBackend(Script(case.steps), script(reply(b'"next"'))) as backend:
        upstream = make(backend.url, max_connections=1)
        sent = call(case.method)
        if isinstance(case.expected, bytes):
            answer = await upstream.send(sent)
            assert (answer.status, answer.body, answer.stream) == (case.status, case.expected, None)
            assert b"x-api-key" not in dict(answer.fields)
            assert upstream.idle == case.reused
        else:
            error = await fails(upstream, sent)
            assert error.fault is case.expected
            assert (error.cause or "").startswith(upstream.target)
            assert upstream.idle == 0
        following = await upstream.send(call(b"POST", b"x"))
        assert (following.status, following.body) == (200, b'"next"')
        assert backend.connections == (1 if case.reused else 2)
        assert len(backend.requests) == 2


async def test_255_fields_and_values_as_they_are(make: Make) -> None:
    head = OK + b"X-A:  b c\t \r\nX-B:\r\nX-C: \xff\r\n" + b"x: y\r\n" * 252
    async with RawBackend(script(length(b"2", b"ab", start=head))) as backend:
        answer = await make(backend.url).send(call())
        assert answer.fields[:3] == [(b"x-a", b"b c"), (b"x-b", b""), (b"x-c", b"\xff")]
        assert len(answer.fields) == 256


@pytest.mark.parametrize("unasked", [reply(b'"unasked"'), b"\r\n", b"x", b"HTTP/1.1 408 Request Timeout\r\n\r\n"])
async def test_bytes_on_an_idle_connection_close_it(make: Make, unasked: bytes) -> None:
    gate = asyncio.Event()
    async with RawBackend(script(reply(), gate, unasked, End.NEVER)) as backend:
        upstream = make(backend.url)
        await upstream.send(call())
        gate.set()
        await backend.closed(0)
        assert upstream.idle == 0
        assert (await upstream.send(call(b"POST", b"x"))).body == b"{}"
