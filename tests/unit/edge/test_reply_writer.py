"""edge/reply_writer.py and edge/response_head.py: replies of every kind over real sockets."""

import asyncio
import socket
from typing import Any, NamedTuple

import msgspec
import pytest

from gateway.edge import Listener
from gateway.exchange import Exchange, Reply, Send
from gateway.kernel.faults import UPSTREAM_INCOMPLETE, GatewayError
from tests.raw_client import RawClient
from tests.samples import Pieces
from tests.unit.edge.listening import GET, LIMITS, listening


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


@pytest.mark.parametrize("lines", [{"fields": [("X-A", "b")]}, {"fields": [], "text": "X-A: b\r\n"}])
async def test_a_reply_is_framed_alike_whether_its_lines_are_fields_or_text(lines: dict[str, Any]) -> None:
    replies = [
        Reply(200, **lines, body=b"{}"),
        Reply(200, **lines, body=b"head", length=12, content=b"body", tail=b"tail"),
        Reply(200, **lines, body=b"ab", stream=Pieces(b"cd"), length=4),
        Reply(204, **lines, body=b"", length=0),
    ]

    async def answer(_: Exchange, send: Send) -> None:
        await send(replies.pop(0))

    async with listening(answer) as (_, port), await RawClient.connect(port) as client:
        for body, length in ((b"{}", "2"), (b"headbodytail", "12"), (b"abcd", "4"), (b"", None)):
            await client.send(GET)
            reply = await client.reply()
            assert (reply.body, reply.field("Content-Length"), reply.field("X-A")) == (body, length, "b")
        replies.append(Reply(200, **lines, body=b"{}"))
        await client.send(b"HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n")
        assert (await client.reply("HEAD")).field("Content-Length") == "2"
