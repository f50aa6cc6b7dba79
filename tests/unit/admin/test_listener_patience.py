"""admin/listener.py: time limits for silent clients, and the bound on connections."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from gateway.admin.connection import json_reply
from gateway.admin.listener import AdminListener
from gateway.observe.node_metrics import NodeMetrics
from tests.fakes import until
from tests.unit.admin.asked import raw

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def opened(stack: AsyncExitStack, admin: AdminListener) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    url = urlsplit(f"//{admin.address}")
    reader, writer = await asyncio.open_connection(url.hostname, url.port, limit=1 << 12)
    stack.callback(writer.close)
    return reader, writer


@pytest.fixture
async def impatient() -> AsyncIterator[AdminListener]:
    """Whoever does nothing for half a second is cut off; four connections at most."""
    admin = AdminListener("127.0.0.1:0", NodeMetrics(), lambda: (True, []), silent_s=0.5, most_connections=4)
    await admin.start()
    yield admin
    await admin.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /healthz HTTP/1.1\r\nHost: localhost",
        HEALTH + b"GET /heal",
        b"POST /reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{",
        b"POST /reload HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{",
    ],
)
async def test_incomplete_requests_are_cut_off(impatient: AdminListener, sent: bytes) -> None:
    await raw(impatient, sent)


async def test_a_body_that_a_view_waits_for_is_cut_off(impatient: AdminListener) -> None:
    ended = asyncio.Event()

    async def reads(request: web.BaseRequest) -> web.StreamResponse:
        try:
            return json_reply(200, {"read": len(await request.read())})
        finally:
            ended.set()

    impatient.views["/reads"] = reads
    await raw(impatient, b"GET /reads HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{")
    await asyncio.wait_for(ended.wait(), 5)


async def test_a_reply_that_nobody_takes_is_cut_off(impatient: AdminListener) -> None:
    async def endless(request: web.BaseRequest) -> web.StreamResponse:
        reply = web.StreamResponse()
        await reply.prepare(request)
        try:
            while True:
                await reply.write(b"x" * 65536)
        finally:
            ended.set()

    ended = asyncio.Event()
    impatient.views["/endless"] = endless
    async with AsyncExitStack() as stack:
        _, writer = await opened(stack, impatient)
        writer.write(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await asyncio.wait_for(ended.wait(), 10)


async def test_a_head_in_pieces_is_no_half_head_and_a_kept_connection_may_rest(impatient: AdminListener) -> None:
    async with AsyncExitStack() as stack:
        reader, writer = await opened(stack, impatient)
        for piece in (HEALTH[:9], HEALTH[9:-1], HEALTH[-1:]):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        await reader.readuntil(b"}\n")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 1.5)
        writer.write(HEALTH)
        await asyncio.wait_for(reader.readuntil(b"}\n"), 5)


async def test_an_idle_connection_is_closed_for_a_new_one(impatient: AdminListener) -> None:
    async with AsyncExitStack() as stack:
        silent = [await opened(stack, impatient) for _ in range(4)]
        silent[0][1].write(HEALTH[:9])
        for _ in range(6):
            assert b"alive" in await raw(impatient, HEALTH.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert await silent[0][0].read() == b""


async def test_when_all_are_busy_others_wait_for_their_end(impatient: AdminListener) -> None:
    async def held(request: web.BaseRequest) -> web.StreamResponse:
        here.append(request)
        await release.wait()
        return json_reply(200, {"held": True})

    release, here = asyncio.Event(), list[web.BaseRequest]()
    impatient.views["/held"] = held
    async with AsyncExitStack() as stack:
        busy = [await opened(stack, impatient) for _ in range(4)]
        for _, writer in busy:
            writer.write(b"GET /held HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        await until(lambda: len(here) == 4)
        reader, writer = await opened(stack, impatient)
        writer.write(HEALTH)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.readuntil(b"}\n"), 0.4)
        release.set()
        for waiting, _ in busy:
            assert b"held" in await waiting.read()
        assert b"alive" in await asyncio.wait_for(reader.readuntil(b"}\n"), 5)
