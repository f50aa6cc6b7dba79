"""edge/connection.py: requests in order, the end of a connection, and turns of others."""

import asyncio
import json

import pytest

from gateway.edge.connection import TURN_REQUESTS
from gateway.exchange import Exchange, Reply, Send
from tests.fakes import until
from tests.raw_client import RawClient
from tests.unit.edge.listening import GET, ask, listening


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


@pytest.mark.parametrize(
    "pieces",
    [
        (b"GET /a HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n",),
        (b"GET /a HTTP/1.1\r\nHo", b"st: h\r\n\r\n"),
        (GET + GET,),
        (GET + GET[:9], GET[9:]),
        (b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na", b"bc"),
    ],
)
async def test_plain_requests_go_on_after_one_that_is_not(pieces: tuple[bytes, ...]) -> None:
    async with listening() as (listener, port), await RawClient.connect(port) as client:
        for piece in pieces:
            await client.send(piece)
            await asyncio.sleep(0)
        for _ in range(b"".join(pieces).count(b" HTTP/1.")):
            assert (await client.reply()).status == 200
        (connection,) = listener._open()
        for _ in range(2):
            await until(lambda: connection._core.alone)
            await client.send(GET)
            reply = await client.reply()
            assert (reply.status, reply.field("Connection")) == (200, None)


@pytest.mark.parametrize("behind", [GET, GET[:9]])
async def test_what_arrives_during_a_plain_request_is_answered_after_it(behind: bytes) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def wait(x: Exchange, send: Send) -> None:
        begun.set()
        await go_on.wait()
        await send(Reply(200, [("X-Path", x.path)], b"{}"))

    async with listening(wait) as (listener, port), await RawClient.connect(port) as client:
        await until(lambda: bool(listener._open()))
        (connection,) = listener._open()
        for _ in range(2):
            begun.clear()
            go_on.clear()
            await client.send(GET)
            await begun.wait()
            await client.send(behind)
            await until(lambda: not connection._core.alone)
            go_on.set()
            await client.send(GET[len(behind) :])
            assert [(await client.reply()).status for _ in range(2)] == [200, 200]
            await until(lambda: connection._core.alone)


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


async def test_a_request_that_comes_alone_waits_for_the_one_before() -> None:
    begun, go = asyncio.Event(), asyncio.Event()
    served: list[str] = []

    async def slow(x: Exchange, send: Send) -> None:
        served.append(x.path)
        begun.set()
        await go.wait()
        await send(Reply(200, [], x.path.encode()))

    async with listening(slow) as (listener, port), await RawClient.connect(port) as client:
        await client.send(GET)
        await begun.wait()
        await client.send(GET.replace(b"/a", b"/b"))
        (connection,) = listener._open()
        await until(lambda: bool(connection._messages))
        go.set()
        assert [(await client.reply()).body for _ in range(2)] == [b"/a", b"/b"]
    assert served == ["/a", "/b"]
