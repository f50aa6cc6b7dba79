"""Slow clients get a 408, or are closed, within the configured time, and other clients do not notice."""

import asyncio
import contextlib
import socket
import statistics
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import NamedTuple

import pytest
import pytest_asyncio

from tests.contracts.hostile import chunked, get, post
from tests.envelope_schema import check_envelope
from tests.gateway_process import GatewayProcess, configuration, running
from tests.raw_client import RawClient, RawReply
from tests.strict_backend import StrictBackend

pytestmark = pytest.mark.asyncio(loop_scope="module")

TIMEOUT_S, SLACK_S = 0.5, 1.0
"""How long a head, a body, and a connection without a request may take, and what a busy machine may add."""
DRIP_S = 0.05
LARGE, MEDIUM = (b'"' + b"a" * (mib << 20) + b'"' for mib in (24, 6))
IDLE, HALF_HEADS, DRIPPED = 500, 200, 100
KEPT_BYTES = 24 << 20
"""What the allocator may keep for the next time."""
LISTENER = """
  drain_delay: 0s
  listeners:
    - id: public
      address: "127.0.0.1:0"
      limits: {header_timeout: 500ms, body_timeout: 500ms, idle_timeout: 500ms}
"""

HALF_HEAD, BODY_TO_COME = get()[:-4], post(b"", b"Content-Length: 1000")


class World(NamedTuple):
    gateway: GatewayProcess
    backend: StrictBackend

    async def connect(self) -> RawClient:
        return await RawClient.connect(self.gateway.port)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with StrictBackend({"/v1/large": LARGE, "/v1/medium": MEDIUM}) as backend:
        with running(configuration(backend.port, server=LISTENER), tmp_path_factory.mktemp("gateway")) as gateway:
            yield World(gateway, backend)


def now() -> float:
    return asyncio.get_running_loop().time()


async def pause(seconds: float, over: asyncio.Event | None = None) -> bool:
    """Wait for a timer of the loop, or until `over` is set; says whether it is."""
    over = over or asyncio.Event()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(over.wait(), seconds)
    return over.is_set()


async def drip(clients: Iterable[RawClient], over: asyncio.Event, piece: bytes = b"a") -> None:
    while True:
        for client in clients:
            with contextlib.suppress(OSError):
                await client.send(piece)
        if await pause(DRIP_S, over):
            return


async def reported_in_time(client: RawClient, since: float) -> RawReply:
    """The 408 that a slow client gets, and the end of its connection."""
    reply = await client.reply()
    assert reply.status == 408
    assert check_envelope(reply.status, reply.fields, reply.body, foreign=False)["data"]["code"] == 1001
    assert await client.at_eof()
    assert now() - since < TIMEOUT_S + SLACK_S
    return reply


async def closed_in_time(client: RawClient, since: float) -> None:
    """Nothing was asked, so nothing is answered."""
    assert await client.rest() == b""
    assert now() - since < TIMEOUT_S + SLACK_S


async def latencies(world: World, over: Callable[[], bool]) -> list[float]:
    """Of one request after the other until `over`, on one connection unless this process was too busy to keep it."""
    found: list[float] = []
    # For the gateway the connection is idle from some time after this, however late its reply is seen here.
    idle_since, client = now(), await world.connect()
    try:
        while not over():
            if now() - idle_since > TIMEOUT_S / 3:
                client.abort()
                idle_since, client = now(), await world.connect()
            began = idle_since = now()
            await client.send(get())
            assert (await client.reply()).status == 200
            found.append(now() - began)
            await pause(0.002)
    finally:
        client.abort()
    return found


async def wave(world: World) -> list[float]:
    """Hundreds that dawdle in every way at once; returns how long others waited for their replies meanwhile."""
    async with contextlib.AsyncExitStack() as stack:

        async def some(count: int, first: bytes) -> list[RawClient]:
            clients = [await stack.enter_async_context(await world.connect()) for _ in range(count)]
            for client in clients:
                await client.send(first)
            return clients

        async def all_gone(
            clients: list[RawClient], gone: Callable[[RawClient, float], Awaitable[object]], over: asyncio.Event
        ) -> None:
            try:
                await asyncio.gather(*[gone(client, since) for client in clients])
            finally:
                over.set()

        used = await some(IDLE // 2, get())
        for client in used:
            assert (await client.reply()).status == 200
        since = now()
        unused = await some(IDLE - len(used), b"")
        heads = await some(HALF_HEADS // 2, HALF_HEAD)
        dripped_heads = await some(HALF_HEADS - len(heads), HALF_HEAD + b"\r\nX: ")
        bodies = await some(DRIPPED // 2, BODY_TO_COME)
        chunks = await some(DRIPPED - len(bodies), chunked(b""))
        since = max(since, now())
        over = [asyncio.Event() for _ in range(4)]
        async with asyncio.TaskGroup() as group:
            waited = group.create_task(latencies(world, lambda: all(event.is_set() for event in over)))
            group.create_task(all_gone(used + unused, closed_in_time, over[0]))
            group.create_task(all_gone(heads + dripped_heads, reported_in_time, over[1]))
            group.create_task(all_gone(bodies, reported_in_time, over[2]))
            group.create_task(all_gone(chunks, reported_in_time, over[3]))
            group.create_task(drip(dripped_heads, over[1]))
            group.create_task(drip(bodies, over[2]))
            group.create_task(drip(chunks, over[3], b"1\r\na\r\n"))
    return waited.result()


async def test_hundreds_that_dawdle_go_and_others_do_not_notice(world: World) -> None:
    await asyncio.gather(*[latencies(world, iter([False] * 20 + [True]).__next__) for _ in range(4)])
    before = world.gateway.rss_bytes()
    waited = await wave(world)
    assert statistics.median(waited) < 0.05
    assert max(waited) < 1.0
    await nobody_connected(world)
    after = world.gateway.rss_bytes()
    assert after - before < KEPT_BYTES
    await wave(world)
    await nobody_connected(world)
    assert world.gateway.rss_bytes() - after < KEPT_BYTES / 4
    assert all(seen.target == "/v1/t" and not seen.body for seen in world.backend.requests)


async def nobody_connected(world: World) -> None:
    async with asyncio.timeout(5):
        while True:
            _, text = await asyncio.to_thread(world.gateway.admin, "/metrics")
            if "\ngateway_client_connections 0" in text:
                return


PARTS = {
    "a byte": b"G",
    "a request line": b"GET /v1/t HTTP/1.1\r\n",
    "half a head": HALF_HEAD,
    "a head without its last byte": HALF_HEAD + b"\r\n\r",
    "a request and half a head": get() + HALF_HEAD,
    "no body": BODY_TO_COME,
    "a body without its last byte": BODY_TO_COME + b"a" * 999,
    "no chunk": chunked(b""),
    "half a chunk": chunked(b"5\r\nhel"),
    "no last chunk": chunked(b"5\r\nhello\r\n"),
    "half a trailer": chunked(b"5\r\nhello\r\n0\r\nX-Note: a\r\n"),
    "no body although expected": post(b"", b"Content-Length: 5", b"Expect: 100-continue"),
    "an empty line": b"\r\n",
}


async def test_who_stops_in_the_middle_is_reported(world: World) -> None:
    async def stop(part: str) -> None:
        async with await world.connect() as client:
            await client.send(PARTS[part])
            since = now()
            if PARTS[part].startswith(get()):
                assert (await client.reply()).status == 200
            try:
                await reported_in_time(client, since)
            except (AssertionError, EOFError) as error:
                error.add_note(part)
                raise

    await asyncio.gather(*map(stop, PARTS))


async def test_a_head_must_arrive_whole_within_its_time_however_it_is_dripped(world: World) -> None:
    over = asyncio.Event()
    async with await world.connect() as client:
        since = now()
        await client.send(b"GET /v1/")
        dripping = asyncio.create_task(drip([client], over))
        await reported_in_time(client, since)
        over.set()
        await dripping


async def test_an_upload_at_a_steady_pace_may_take_longer(world: World) -> None:
    async with await world.connect() as client:
        began = now()
        await client.send(post(b"", b"Content-Length: 131072"))
        for _ in range(16):
            await pause(DRIP_S)
            await client.send(b"a" * 8192)
        assert (await client.reply()).status == 200
        assert now() - began > TIMEOUT_S


async def test_who_reads_nothing_of_a_large_reply_is_cut(world: World) -> None:
    """In constant memory: the gateway reads no more from the backend than the client takes."""
    before = world.gateway.rss_bytes()
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(await world.connect()) for _ in range(10)]
        for client in clients:
            client.stop_reading()
            await client.send(get(target=b"/v1/large"))
        await latencies(world, iter([False] * 20 + [True]).__next__)
        await world.gateway.record("gateway.outcome", "abandoned")
        await nobody_connected(world)
    assert world.gateway.rss_bytes() - before < 10 * (16 << 20)
    async with await world.connect() as client:
        await client.send(get())
        assert (await client.reply()).status == 200


async def test_who_sends_and_never_reads_is_cut(world: World) -> None:
    async with await world.connect() as client:
        client.stop_reading()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(5):
                while True:
                    await client.send(get(target=b"/v1/medium") * 200)
        await nobody_connected(world)


@pytest.mark.parametrize(
    ("target", "body", "steps"),
    [(b"/v1/medium", MEDIUM, 15), (b"/v1/large", LARGE, 30)],
    ids=["in memory", "as a stream"],
)
async def test_who_reads_slowly_and_steadily_gets_everything(
    world: World, target: bytes, body: bytes, steps: int
) -> None:
    """As long as something moves within the time-out."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 15)  # what the system buffers moves at once
        sock.connect(("127.0.0.1", world.gateway.port))
        reader, writer = await asyncio.open_connection(sock=sock.dup(), limit=1 << 16)
    began, size, piece = now(), 0, b""
    try:
        writer.write(get(b"Connection: close", target=target))
        step = len(body) // steps
        async with asyncio.timeout(10):
            while True:
                wanted = step
                while wanted and (piece := await reader.read(wanted)):
                    wanted -= len(piece)
                    size += len(piece)
                if not piece:
                    break
                await pause(DRIP_S)
    finally:
        writer.transport.abort()
    assert size > len(body)
    assert now() - began > TIMEOUT_S


@pytest.mark.parametrize(
    "sent",
    [get(), post(b"hello", b"Content-Length: 5"), chunked(b"5\r\nhello\r\n0\r\n\r\n"), get(target=b"/v1/medium")],
)
async def test_who_has_said_all_is_answered(world: World, sent: bytes) -> None:
    async with await world.connect() as client:
        await client.send(sent)
        client.finish_sending()
        reply = await client.reply()
        assert reply.status == 200
        assert check_envelope(reply.status, reply.fields, reply.body)
        assert await client.at_eof()
