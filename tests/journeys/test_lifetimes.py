"""No exchange outlives its end: with the garbage collector off, none is left of hundreds of each kind of ending."""

import asyncio
import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import pytest
import uvloop
from aiohttp import StreamReader

from gateway.edge.request_body import ClientBody
from gateway.exchange import Exchange, Reply
from gateway.upstream.call import Answer, Call
from gateway.upstream.http1.response_stream import ResponseStream
from gateway.upstream.tunnel import Tunnel
from tests.fakes import turn, until
from tests.gateway_process import KEY
from tests.journeys.exchange_outcomes import NARROW, SPENT, serving
from tests.raw_client import RawClient

TIMES = 300
CONNECTIONS = 100
AT_ONCE = 50
PARTS = frozenset({Exchange, Reply, Call, Answer, ClientBody, StreamReader, ResponseStream, Tunnel})


def request(path: str, key: str = KEY, method: str = "GET", fields: str = "") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: a\r\nX-Api-Key: {key}\r\n{fields}\r\n".encode()


@contextmanager
def uncollected() -> Iterator[None]:
    """The collector is off, and never again visits what there is before: other tests keep some parts of their own."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def settled() -> None:
    """What waits in the loop for its turn has had it."""
    for _ in range(5):
        await turn()


def alive() -> int:
    """How many exchanges, and parts of one that may hold a body, have begun since and are left."""
    return sum(1 for each in gc.get_objects() if type(each) in PARTS)


ANSWERED = {
    "answered": (request("/v1/a"), 200),
    "answered with an error": (request("/v1/error"), 409),
    "no JSON": (request("/v1/garbage"), 503),
    "no HTTP": (request("/v1/broken"), 503),
    "unknown key": (request("/v1/a", "gw_unknown"), 401),
    "forbidden": (request("/v1/a", NARROW), 403),
    "no route": (request("/nowhere"), 404),
    "wrong method": (request("/refused", method="DELETE"), 405),
    "limited": (request("/v1/a", SPENT), 429),
    "refused by the service": (request("/refused"), 503),
    "circuit open": (request("/broken"), 503),
    "answered by another target": (request("/both"), 200),
    "reset by the service": (request("/v1/close"), 503),
    "reset, and not sent again": (request("/v1/close", method="POST"), 503),
    "bug": (request("/buggy"), 500),
    "bug of the recorder": (request("/v1/flawed"), 200),
}
"""Pipelined on a few connections: request and status."""


@pytest.mark.parametrize("kind", ANSWERED)
def test_of_what_was_answered_nothing_is_left(kind: str, tmp_path: Path) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_answered(tmp_path, *ANSWERED[kind]))


async def _answered(tmp_path: Path, sent: bytes, status: int) -> None:
    async with serving(tmp_path) as (port, _):

        async def pipelined(times: int) -> None:
            async with await RawClient.connect(port) as client:
                await client.send(sent * times)
                client.finish_sending()
                replies = await client.rest()
                assert replies.count(b"HTTP/1.1 %d " % status) >= times - (status == 429)

        await pipelined(2)
        with uncollected():
            await asyncio.gather(*(pipelined(TIMES // 10) for _ in range(10)))
            await settled()
            assert alive() == 0


LAST = "Connection: close\r\n"
POST = request("/v1/a", method="POST", fields=f"{LAST}Content-Length: 200000\r\n")
CHUNKS = request("/v1/a", method="POST", fields=f"{LAST}Transfer-Encoding: chunked\r\n")
PIECE = b"x" * 70_000
HANDSHAKE = request(
    "/v1/tunnel",
    fields="Connection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n",
)


class Part(NamedTuple):
    """Send `sent` on a new connection, wait for `seen` (b"" for nothing), and leave; by a reset if `rude`."""

    sent: bytes
    seen: bytes = b""
    rude: bool = True


ENDED = {
    "malformed": Part(b"GET /v1/a HTTP/1.1\r\nHost: a\r\nHost : b\r\n\r\n", b"HTTP/1.1 400"),
    "half a head": Part(b"GET /v1/a HT", b"HTTP/1.1 400", rude=False),
    "garbled body": Part(CHUNKS + b"zz\r\n", b"HTTP/1.1 400"),
    "body too large": Part(request("/v1/a", method="POST", fields="Content-Length: 99999999\r\n"), b"HTTP/1.1 413"),
    "upload given up": Part(POST + PIECE),
    "upload given up, politely": Part(POST + PIECE, rude=False),
    "upload given up in chunks": Part(CHUNKS + b"11170\r\n" + PIECE),
    "large upload given up": Part(
        request("/v1/silent", method="POST", fields="Content-Length: 900000\r\n") + PIECE * 5
    ),
    "left without waiting": Part(request("/v1/silent")),
    "left, with more requests waiting": Part(request("/v1/silent") * 5),
    "timed out": Part(request("/timed"), b"HTTP/1.1 503"),
    "no connection free": Part(request("/full"), b"HTTP/1.1 503"),
    "cut by the service": Part(request("/v1/cut"), b"data: 1"),
    "stream given up": Part(request("/v1/stream"), b"GIF"),
    "left while a cache asks": Part(request("/kept/silent")),
    "tunnel given up": Part(HANDSHAKE, b"HTTP/1.1 101"),
    "large reply given up": Part(request("/v1/large"), b"HTTP/1.1 200"),
}


@pytest.mark.parametrize("kind", ENDED)
def test_of_what_ended_otherwise_nothing_is_left(kind: str, tmp_path: Path) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_ended(tmp_path, ENDED[kind]))


async def _ended(tmp_path: Path, part: "Part") -> None:
    async with serving(tmp_path) as (port, listener):

        async def ended(_: int) -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(part.sent)
            with suppress(ConnectionError):
                await writer.drain()
                if not part.rude:
                    writer.write_eof()
                if part.seen:
                    await reader.readuntil(part.seen)
                elif not part.rude:
                    await reader.read()
            writer.transport.abort()

        await ended(0)
        await until(lambda: not listener.busy)
        with uncollected():
            for _ in range(CONNECTIONS // AT_ONCE):
                await asyncio.gather(*map(ended, range(AT_ONCE)))
            await until(lambda: not listener.busy)
            await settled()
            assert alive() == 0
