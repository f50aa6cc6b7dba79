"""edge/connection.py and edge/response_head.py: replies of every kind over real sockets."""

import asyncio
import json
import socket
from typing import NamedTuple

import msgspec
import pytest

from gateway.edge import Listener
from gateway.edge.connection import TURN_REQUESTS
from gateway.exchange import Exchange, Reply, Send
from gateway.kernel.faults import UPSTREAM_INCOMPLETE, GatewayError
from tests.raw_client import RawClient
from tests.samples import Pieces
from tests.unit.edge.listening import GET, LIMITS, ask, listening


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


@pytest.mark.parametrize(
    ("request_bytes", "ended"),
    [
        (GET, False),
        (b"GET /a HTTP/1.0\r\n\r\n", True),
        (b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", True),
        (
            b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Api-Key: k\r\n\r\n",
            True,
        ),
        (b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", True),
        (b"DELETE /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", False),
    ],
)
async def test_when_a_connection_goes_on(request_bytes: bytes, *, ended: bool) -> None:
    assert await ask(request_bytes) == (200, None, ended)


async def test_http_1_0_keeps_alive_when_asked() -> None:
    async with listening() as (_, port), await RawClient.connect(port) as client:
        for _ in range(2):
            await client.send(b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert (await client.reply()).field("Connection") == "keep-alive"


async def test_a_client_that_expects_it_gets_100_continue() -> None:
    async with listening() as (_, port), await RawClient.connect(port) as client:
        await client.send(b"POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        assert await client.interim() == 100
        await client.send(b"abc")
        assert json.loads((await client.reply()).body)["body"] == "abc"


async def test_a_refused_upload_is_never_asked_for() -> None:
    async def reject(_: Exchange, send: Send) -> None:
        await send(Reply(401, [], b"{}"))

    async with listening(reject) as (_, port), await RawClient.connect(port) as client:
        await client.send(b"POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        assert await client.interim() == 401


async def test_an_answer_before_the_end_of_the_body_survives_the_rest_of_it() -> None:
    async def reject(_: Exchange, send: Send) -> None:
        await send(Reply(413, [], b"{}"))

    async with listening(reject) as (_, port), await RawClient.connect(port) as client:
        await client.send(b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9000000\r\n\r\n" + b"x" * 4_000_000)
        reply = await client.reply()
        assert (reply.status, reply.field("Connection")) == (413, "close")


@pytest.mark.parametrize(
    ("request_bytes", "length", "framing"),
    [(GET, None, "chunked"), (GET, 10, None), (b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", None, None)],
)
async def test_a_stream_is_framed_as_the_client_understands(
    request_bytes: bytes, length: int | None, framing: str | None
) -> None:
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


async def _of_little_room(port: int) -> RawClient:
    """Connect with a small receive buffer, so that the client's system does not take a whole reply on its behalf."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
    sock.settimeout(0)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    return RawClient(*await asyncio.open_connection(sock=sock, limit=1 << 26))


class Left(NamedTuple):
    """What an exchange knows once its client is gone."""

    sent_bytes: int
    client_s: float
    cause: str | None


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("slow", [False, True])
async def test_the_bytes_and_the_time_of_a_client_that_closes_early_are_recorded(*, streamed: bool, slow: bool) -> None:
    """It leaves by itself, or takes nothing for so long that it is given up."""
    left: asyncio.Future[Left] = asyncio.get_running_loop().create_future()

    async def answer(x: Exchange, send: Send) -> None:
        body = b"x" * 20_000_000
        try:
            await send(Reply(200, [], b"", stream=Pieces(body)) if streamed else Reply(200, [], body))
        finally:
            left.set_result(Left(x.sent_bytes, x.client_s, x.error.cause if x.error is not None else None))

    limits = msgspec.structs.replace(LIMITS, body_timeout_s=0.8 if slow else 10.0)
    async with listening(answer, limits) as (_, port), await _of_little_room(port) as client:
        await client.send(GET)
        await client.take(5_000_000)
        client.stop_reading()
        if not slow:
            swept = asyncio.Event()
            asyncio.get_running_loop().call_later(3 * Listener.SWEEP_S, swept.set)
            await swept.wait()
            client.reset()
        seen = await asyncio.wait_for(left, 5)
    assert 5_000_000 - 200 <= seen.sent_bytes < 19_000_000
    assert seen.client_s > 0.5
    assert seen.cause == ("the client took the reply too slowly" if slow else None)


async def test_a_client_that_reads_immediately_is_not_waited_for() -> None:
    waited: list[float] = []

    async def answer(x: Exchange, send: Send) -> None:
        await send(Reply(200, [], b"{}"))
        waited.append(x.client_s)

    async with listening(answer) as (_, port), await RawClient.connect(port) as client:
        await client.send(GET)
        await client.reply()
    assert waited == [0.0]


async def test_head_and_no_content_have_no_body() -> None:
    async def answer(x: Exchange, send: Send) -> None:
        body = b"" if x.path == "/unknown" else b"{}"
        await send(
            Reply(204 if x.path == "/none" else 200, [], body, stream=Pieces(b"x") if x.path == "/stream" else None)
        )

    async with listening(answer) as (_, port), await RawClient.connect(port) as client:
        for path, length in ((b"/a", "2"), (b"/stream", None), (b"/unknown", None)):
            await client.send(b"HEAD %b HTTP/1.1\r\nHost: h\r\n\r\n" % path)
            reply = await client.reply("HEAD")
            assert (reply.status, reply.field("Content-Length")) == (200, length)
        await client.send(b"GET /none HTTP/1.1\r\nHost: h\r\n\r\n")
        reply = await client.reply()
        assert (reply.status, reply.field("Content-Length")) == (204, None)


async def test_a_request_that_is_cut_gets_an_error() -> None:
    begun = asyncio.Event()
    ended = []

    async def slow(x: Exchange, send: Send) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append(x.ended)
            await send(Reply(503, [], b"{}"))

    async with (
        listening(slow) as (listener, port),
        await RawClient.connect(port) as busy,
        await RawClient.connect(port) as idle,
    ):
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

    async with (
        listening(slow) as (listener, port),
        await RawClient.connect(port) as busy,
        await RawClient.connect(port) as idle,
    ):
        await busy.send(GET)
        await begun.wait()
        listener.stop_accepting()
        assert await idle.at_eof()
        go.set()
        assert (await busy.reply()).field("Connection") == "close"
        assert await busy.at_eof()
        with pytest.raises(ConnectionError):
            await RawClient.connect(port)


async def test_a_pipeline_leaves_others_their_turn() -> None:
    order: list[str] = []

    async def note(x: Exchange, send: Send) -> None:
        order.append(x.path)
        await send(Reply(200, [], b""))

    async with (
        listening(serve=note) as (_, port),
        await RawClient.connect(port) as greedy,
        await RawClient.connect(port) as other,
    ):
        await other.send(GET)
        await other.reply()
        order.clear()
        await asyncio.gather(greedy.send(GET.replace(b"/a", b"/greedy") * 30), other.send(GET))
        await other.reply()
        for _ in range(30):
            await greedy.reply()
    assert order.index("/a") <= TURN_REQUESTS + 1


async def test_how_long_a_client_is_waited_for_while_it_sends_is_known() -> None:
    waited: list[float] = []
    asked = asyncio.Event()

    async def answer(x: Exchange, send: Send) -> None:
        assert x.body is not None
        asked.set()
        while await x.body.read():
            pass
        waited.append(x.body.waited_s)
        await send(Reply(200, [], b"{}"))

    async with listening(answer) as (_, port), await RawClient.connect(port) as client:
        await client.send(b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na")
        await asked.wait()
        later = asyncio.Event()
        asyncio.get_running_loop().call_later(0.1, later.set)
        await later.wait()
        await client.send(b"bc")
        await client.reply()
    assert 0.09 < waited[0] < 5
