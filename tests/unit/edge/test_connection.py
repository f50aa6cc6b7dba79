"""edge/: real sockets, requests of every kind, a `serve` that the test writes."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Any

import msgspec
import pytest

from gateway.edge import Listener
from gateway.edge.door import Door, Limits
from gateway.exchange import Exchange, Reply, Send
from gateway.kernel.faults import UPSTREAM_INCOMPLETE, GatewayError
from gateway.kernel.ids import Ids
from gateway.remote.outbox import Outbox
from tests.raw_client import RawClient
from tests.samples import Pieces

LIMITS = Limits(header_bytes=4096, url_bytes=1024, body_bytes=1 << 20, header_timeout_s=10.0, body_timeout_s=10.0, idle_timeout_s=10.0)
HURRIED = msgspec.structs.replace(LIMITS, header_timeout_s=0.1, body_timeout_s=0.1, idle_timeout_s=0.1)
GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"

Serve = Callable[[Exchange, Send], Awaitable[None]]


async def echo(x: Exchange, send: Send) -> None:
    """Answers with what arrived; a refusal at the door with its fault."""
    if x.door_error is not None:
        fault = x.door_error.fault
        await send(Reply(fault.status, [("X-Fault", fault.name)], b"{}"))
        return
    try:
        body = b""
        while x.body is not None and (piece := await x.body.read()):
            body += piece
    except GatewayError as error:
        await send(Reply(error.fault.status, [("X-Fault", error.fault.name)], b"{}"))
        return
    seen = {"method": x.method, "path": x.path, "query": x.query, "host": x.host, "body": body.decode("latin-1"), "client": x.client}
    await send(Reply(200, [("Content-Type", "application/json")], json.dumps(seen).encode()))


@asynccontextmanager
async def listening(serve: Serve = echo, limits: Limits = LIMITS, trusted: tuple[str, ...] = ()) -> AsyncIterator[tuple[Listener, int]]:
    """A listener on a free port."""
    loop = asyncio.get_running_loop()
    door = Door(limits, [ip_network(one) for one in trusted], Ids(lambda n: bytes(range(256)) * (n // 256)), loop.time)
    listener = Listener(door, serve, lambda: 784111777.0, Outbox())
    sock = socket.create_server(("127.0.0.1", 0))
    await listener.start(sock)
    try:
        yield listener, sock.getsockname()[1]
    finally:
        listener.stop_accepting()
        listener.cut()


async def ask(request: bytes, **options: Any) -> tuple[int, str | None, bool]:
    """Status, fault and whether the connection ended, for one request on a connection of its own."""
    async with listening(**options) as (_, port), await RawClient.connect(port) as client:
        await client.send(request)
        reply = await client.reply()
        ended = reply.field("Connection") == "close"
        assert not ended or await client.at_eof()
        return reply.status, reply.field("X-Fault"), ended


async def test_a_connection_serves_request_after_request() -> None:
    async with listening() as (listener, port), await RawClient.connect(port) as client:
        for number in range(3):
            await client.send(b"GET /a/%d?b=%%20 HTTP/1.1\r\nHost: api.example:80\r\n\r\n" % number)
            reply = await client.reply()
            assert reply.field("Date") == "Sun, 06 Nov 1994 08:49:37 GMT"
            assert reply.field("Connection") is None
            seen = json.loads(reply.body)
            assert (seen["path"], seen["query"], seen["host"]) == (f"/a/{number}", "b=%20", "api.example:80")
        assert repr(listener) == "<Listener 1 connections>"


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with listening() as (_, port), await RawClient.connect(port) as client:
        await client.send(b"".join(b"POST /%d HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n\r\n\r\n" % number for number in range(60)))
        for number in range(60):
            seen = json.loads((await client.reply()).body)
            assert (seen["path"], seen["body"]) == (f"/{number}", "\r\n\r\n")


async def test_what_came_before_garbage_is_answered() -> None:
    async with listening() as (_, port), await RawClient.connect(port) as client:
        await client.send(GET + b"\x00\x01garbage\r\n\r\n")
        assert (await client.reply()).status == 200
        assert (await client.reply()).status == 400
        assert await client.at_eof()


@pytest.mark.parametrize(
    ("pieces", "good"),
    [
        ([GET * 80 + b"bad\r\n\r\n"], 80),
        ([GET[:-1], GET[-1:] + b"bad\r\n\r\n"], 1),
        ([GET[:-3], GET[-3:] + GET + b"bad\r\n\r\n"], 2),
        ([b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n", b"hibad\r\n"], 1),
        ([GET + b"GET /half HTT"], 1),
    ],
)
async def test_every_good_request_before_a_bad_one_is_answered(pieces: list[bytes], good: int) -> None:
    async with listening() as (_, port), await RawClient.connect(port) as client:
        for piece in pieces:
            await client.send(piece)
        client.finish_sending()
        statuses = [(await client.reply()).status for _ in range(good + 1)]
        assert statuses == [200] * good + [400]
        assert await client.at_eof()


@pytest.mark.parametrize(("line", "fault"), [(b"BREW /pot HTTP/1.1\r\n", "method_not_allowed"), (b"SSH-2.0-x\r\n", "malformed_request")])
async def test_the_whole_line_tells_an_unknown_method_from_no_request(line: bytes, fault: str) -> None:
    async with listening() as (_, port), await RawClient.connect(port) as client:
        for at in range(len(line)):
            await client.send(line[at : at + 1])
        assert (await client.reply()).field("X-Fault") == fault


@pytest.mark.parametrize(
    ("request_bytes", "status", "fault"),
    [
        (b"GET / a HTTP/1.1\r\nHost: h\r\n\r\n", 400, "malformed_request"),
        (b"GET /a HTTP/1.1\r\n\r\n", 400, "malformed_request"),
        (b"GET /a HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", 400, "malformed_request"),
        (b"GET /a HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "malformed_request"),
        (b"GET /a HTTP/1.1\r\nHost: u@evil\r\n\r\n", 400, "malformed_request"),
        (b"GET /a HTTP/1.1\r\nHost: h:99999\r\n\r\n", 400, "malformed_request"),
        (b"GET /a HTTP/1.1\r\nHost: [::1\r\n\r\n", 400, "malformed_request"),
        (b"GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", 400, "malformed_request"),
        (b"GET http:///a HTTP/1.1\r\nHost: h\r\n\r\n", 400, "malformed_request"),
        (b"GET ftp://h/a HTTP/1.1\r\nHost: h\r\n\r\n", 400, "malformed_request"),
        (b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", 400, "malformed_request"),
        (b"GET /a HTTP/2.0\r\nHost: h\r\n\r\n", 505, "http_version_unsupported"),
        (b"BREW /a HTTP/1.1\r\nHost: h\r\n\r\n", 405, "method_not_allowed"),
        (b"\x16\x03\x01\x00\x00", 400, "malformed_request"),
        (b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, "transfer_coding_unsupported"),
        (b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "malformed_request"),
        (b"POST /a HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "malformed_request"),
        (b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n", 400, "malformed_request"),
        (b"POST /a HTTP/1.1\r\nHost: h\r\nExpect: tea\r\nContent-Length: 0\r\n\r\n", 417, "expectation_failed"),
        (b"GET /%s HTTP/1.1\r\nHost: h\r\n\r\n" % (b"a" * 2000), 414, "url_too_long"),
        (b"GET /a HTTP/1.1\r\nHost: h\r\nX: %s\r\n\r\n" % (b"a" * 5000), 431, "headers_too_large"),
        (b"GET /a HTTP/1.1\r\nHost: h\r\n%s\r\n" % (b"X: %s\r\n" % (b"a" * 1000) * 5), 431, "headers_too_large"),
        (b"GET /a HTTP/1.1\r\nHost: h\r\n%s" % (b"X: %s\r\n" % (b"a" * 1000) * 9), 431, "headers_too_large"),
        (b"GET /a HTTP/1.1\r\nHost: h\r\n%s\r\n" % (b"X: a\r\n" * 200), 431, "headers_too_large"),
        (b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "malformed_request"),
        (b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2000000\r\n\r\nabc", 413, "body_too_large"),
        (b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 00000000000000000000000009999999\r\n\r\nabc", 413, "body_too_large"),
    ],
)  # fmt: skip
async def test_what_is_refused_is_answered_and_the_connection_closed(request_bytes: bytes, status: int, fault: str) -> None:
    assert await ask(request_bytes) == (status, fault, True)


@pytest.mark.parametrize(
    ("request_bytes", "ended"),
    [
        (GET, False),
        (b"GET /a HTTP/1.0\r\n\r\n", True),
        (b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", True),
        (b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Api-Key: k\r\n\r\n", True),
        (b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", True),
        (b"DELETE /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", False),
    ],
)
async def test_when_a_connection_goes_on(request_bytes: bytes, ended: bool) -> None:
    assert await ask(request_bytes) == (200, None, ended)


async def test_http_1_0_keeps_alive_when_asked() -> None:
    async with listening() as (_, port), await RawClient.connect(port) as client:
        for _ in range(2):
            await client.send(b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert (await client.reply()).field("Connection") == "keep-alive"


async def test_an_absolute_target_replaces_host() -> None:
    async with listening() as (_, port), await RawClient.connect(port) as client:
        await client.send(b"GET http://other:1/a?b HTTP/1.1\r\nHost: h\r\n\r\nGET https://other HTTP/1.1\r\nHost: h\r\n\r\n")
        first, second = json.loads((await client.reply()).body), json.loads((await client.reply()).body)
        assert (first["host"], first["path"], first["query"]) == ("other:1", "/a", "b")
        assert (second["host"], second["path"]) == ("other", "/")


async def test_only_a_trusted_peer_says_for_whom_it_speaks() -> None:
    request = b"GET /a HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 203.0.113.1, 198.51.100.9, 127.0.0.9\r\n\r\n"
    for trusted, client in (((), "127.0.0.1"), (("127.0.0.0/8",), "198.51.100.9"), (("0.0.0.0/0",), "127.0.0.1")):
        async with listening(trusted=trusted) as (_, port), await RawClient.connect(port) as raw:
            await raw.send(request)
            assert json.loads((await raw.reply()).body)["client"] == client
    async with listening(trusted=("127.0.0.1/32",)) as (_, port), await RawClient.connect(port) as raw:
        await raw.send(b"GET /a HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: unknown\r\n\r\n")
        assert json.loads((await raw.reply()).body)["client"] == "127.0.0.1"


async def test_a_client_that_expects_it_is_told_to_go_on() -> None:
    async with listening() as (_, port), await RawClient.connect(port) as client:
        await client.send(b"POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        assert await client.interim() == 100
        await client.send(b"abc")
        assert json.loads((await client.reply()).body)["body"] == "abc"


async def test_a_refused_upload_is_never_asked_for() -> None:
    async def refuse(_: Exchange, send: Send) -> None:
        await send(Reply(401, [], b"{}"))

    async with listening(refuse) as (_, port), await RawClient.connect(port) as client:
        await client.send(b"POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        assert await client.interim() == 401


async def test_an_answer_before_the_end_of_the_body_survives_the_rest_of_it() -> None:
    async def refuse(_: Exchange, send: Send) -> None:
        await send(Reply(413, [], b"{}"))

    async with listening(refuse) as (_, port), await RawClient.connect(port) as client:
        await client.send(b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9000000\r\n\r\n" + b"x" * 4_000_000)
        reply = await client.reply()
        assert (reply.status, reply.field("Connection")) == (413, "close")


async def test_a_client_that_has_finished_sending_is_still_answered() -> None:
    async with listening() as (_, port), await RawClient.connect(port) as client:
        await client.send(GET)
        client.finish_sending()
        assert (await client.reply()).status == 200
        assert await client.at_eof()


@pytest.mark.parametrize("part", [b"GET /a HT", b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc"])
async def test_a_request_that_breaks_off_is_answered(part: bytes) -> None:
    async with listening() as (_, port), await RawClient.connect(port) as client:
        await client.send(part)
        client.finish_sending()
        assert (await client.reply()).field("X-Fault") == "malformed_request"


@pytest.mark.parametrize("leave", [RawClient.abort, RawClient.finish_sending])
async def test_work_for_a_client_that_left_is_cancelled(leave: Callable[[RawClient], None]) -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def hang(_: Exchange, send: Send) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with listening(hang) as (_, port), await RawClient.connect(port) as client:
        await client.send(GET)
        async with asyncio.timeout(5):
            await begun.wait()
            leave(client)
            await cancelled.wait()


@pytest.mark.parametrize(
    ("part", "status"),
    [
        (b"GET /a HTTP/1.1\r\nHo", 408),
        (b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc", 408),
        (b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n", 408),
    ],
)
async def test_what_does_not_arrive_in_time_is_answered_and_closed(part: bytes, status: int) -> None:
    assert await ask(part, limits=HURRIED) == (status, "request_timeout", True)


async def test_an_idle_connection_is_closed_without_a_word() -> None:
    async with listening(limits=HURRIED) as (_, port), await RawClient.connect(port) as client:
        assert await client.at_eof()
    async with listening(limits=HURRIED) as (_, port), await RawClient.connect(port) as client:
        await client.send(GET)
        await client.reply()
        assert await client.at_eof()


async def test_a_client_that_does_not_read_is_cut_off() -> None:
    ended = asyncio.Event()

    async def flood(_: Exchange, send: Send) -> None:
        try:
            await send(Reply(200, [], b"x" * 50_000_000))
        finally:
            ended.set()

    async with listening(flood, limits=HURRIED) as (_, port), await RawClient.connect(port) as client:
        client.stop_reading()
        await client.send(GET)
        async with asyncio.timeout(5):
            await ended.wait()


@pytest.mark.parametrize(
    ("request_bytes", "length", "framing"),
    [(GET, None, "chunked"), (GET, 10, None), (b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", None, None)],
)
async def test_a_stream_is_framed_as_the_client_understands(request_bytes: bytes, length: int | None, framing: str | None) -> None:
    stream = Pieces(b"cdef", b"gh")

    async def answer(_: Exchange, send: Send) -> None:
        sent = await send(Reply(200, [], b"ab", stream=stream, tail=b"ij", length=length))
        assert sent == 10

    async with listening(answer) as (_, port), await RawClient.connect(port) as client:
        await client.send(request_bytes)
        reply = await client.reply()
        assert reply.body == b"abcdefghij"
        assert reply.field("Transfer-Encoding") == framing
        assert stream.closed


@pytest.mark.parametrize("request_bytes", [GET, b"GET /a HTTP/1.0\r\n\r\n"])
async def test_a_stream_that_breaks_is_visibly_cut(request_bytes: bytes) -> None:
    async def answer(_: Exchange, send: Send) -> None:
        with pytest.raises(GatewayError):
            await send(Reply(200, [], b"ab", stream=Pieces(b"cd", GatewayError(UPSTREAM_INCOMPLETE)), tail=b"}"))

    async with listening(answer) as (_, port), await RawClient.connect(port) as client:
        await client.send(request_bytes)
        got = await client.rest()
        assert not got.endswith((b"}", b"0\r\n\r\n"))


async def test_head_and_no_content_have_no_body() -> None:
    async def answer(x: Exchange, send: Send) -> None:
        body = b"" if x.path == "/unknown" else b"{}"
        await send(Reply(204 if x.path == "/none" else 200, [], body, stream=Pieces(b"x") if x.path == "/stream" else None))

    async with listening(answer) as (_, port), await RawClient.connect(port) as client:
        for path, length in ((b"/a", "2"), (b"/stream", None), (b"/unknown", None)):
            await client.send(b"HEAD %b HTTP/1.1\r\nHost: h\r\n\r\n" % path)
            reply = await client.reply("HEAD")
            assert (reply.status, reply.field("Content-Length")) == (200, length)
        await client.send(b"GET /none HTTP/1.1\r\nHost: h\r\n\r\n")
        reply = await client.reply()
        assert (reply.status, reply.field("Content-Length")) == (204, None)


async def test_what_is_not_waited_for_is_told_so() -> None:
    begun = asyncio.Event()
    ended = []

    async def slow(x: Exchange, send: Send) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append(x.ended)
            await send(Reply(503, [], b"{}"))

    async with listening(slow) as (listener, port), await RawClient.connect(port) as busy, await RawClient.connect(port) as idle:
        await busy.send(GET)
        await begun.wait()
        listener.stop_accepting()
        assert listener.cut() == 1
        assert listener.cut() == 1
        reply = await busy.reply()
        assert (reply.status, reply.field("Connection")) == (503, "close")
        assert await busy.at_eof()
        assert await idle.at_eof()
        assert [error.fault.name for error in ended if error is not None] == ["shutting_down"]


async def test_draining_lets_requests_finish_and_closes_the_rest() -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def slow(_: Exchange, send: Send) -> None:
        begun.set()
        await go.wait()
        await send(Reply(200, [], b"{}"))

    async with listening(slow) as (listener, port), await RawClient.connect(port) as busy, await RawClient.connect(port) as idle:
        await busy.send(GET)
        await begun.wait()
        listener.stop_accepting()
        assert await idle.at_eof()
        go.set()
        assert (await busy.reply()).field("Connection") == "close"
        assert await busy.at_eof()
        with pytest.raises(ConnectionError):
            await RawClient.connect(port)
