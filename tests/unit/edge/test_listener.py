"""edge/listener.py: as many connections as there may be, and what becomes of more."""

import asyncio
import time
from contextlib import AsyncExitStack

import msgspec

from gateway.edge.connection_limits import REJECTED
from gateway.edge.handshake import HandshakeOptions
from tests.fakes import until
from tests.raw_client import RawClient
from tests.unit.edge.handshaking import RecordedEvents
from tests.unit.edge.handshaking import listening as listening_to_handshakes
from tests.unit.edge.listening import GET, LIMITS, listening

FEW = msgspec.structs.replace(LIMITS, connections=3)


async def connected(stack: AsyncExitStack, port: int, count: int) -> list[RawClient]:
    return [await stack.enter_async_context(await RawClient.connect(port)) for _ in range(count)]


async def test_a_connection_beyond_the_limit_is_answered_and_closed() -> None:
    rejected: list[int] = []
    async with listening(limits=FEW, rejected=rejected) as (_, port), AsyncExitStack() as stack:
        *welcome, crowded = await connected(stack, port, 4)
        await crowded.send(GET)
        refused = await crowded.reply()
        assert (refused.status, refused.field("X-Fault"), refused.field("Connection")) == (
            503,
            "too_many_connections",
            "close",
        )
        assert await crowded.at_eof()
        for client in welcome:
            await client.send(GET)
            assert (await client.reply()).status == 200
        welcome[0].abort()
        assert rejected == [3]

        async def comes_in() -> bool:
            async with await RawClient.connect(port) as client:
                await client.send(GET)
                return (await client.reply()).status == 200

        async with asyncio.timeout(5):
            while not await comes_in():
                pass


async def test_the_date_of_replies_goes_on_with_the_clock() -> None:
    ahead_s = 784111776.99 - time.time()
    async with (
        listening(wall=lambda: time.time() + ahead_s) as (listener, port),
        await RawClient.connect(port) as client,
    ):
        await until(lambda: listener.state.date != "Date: Sun, 06 Nov 1994 08:49:36 GMT\r\n")
        await client.send(GET)
        assert (await client.reply()).field("Date") in {
            f"Sun, 06 Nov 1994 08:49:{second} GMT" for second in range(37, 43)
        }


async def test_who_is_too_many_and_asks_nothing_goes_sooner() -> None:
    limits = msgspec.structs.replace(FEW, header_timeout_s=0.1)
    async with listening(limits=limits) as (listener, port), AsyncExitStack() as stack:
        *_, crowded = await connected(stack, port, 4)
        assert await crowded.at_eof()
        assert len(listener.connections) == 3


async def test_a_flood_waits_in_the_queue_of_the_system_and_is_answered_in_its_turn() -> None:
    async with listening(limits=FEW) as (listener, port), AsyncExitStack() as stack:
        flood = await connected(stack, port, 3 + 2 * REJECTED)
        await until(lambda: len(listener.connections) >= 3 + REJECTED)
        most = len(listener.connections)

        async def statuses(clients: list[RawClient]) -> set[int]:
            for client in clients:
                await client.send(GET)
            return {(await client.reply()).status for client in clients}

        assert await statuses(flood[:3]) == {200}
        for client in flood[:3]:
            client.abort()
        assert await statuses(flood[3:]) <= {200, 503}
        assert most < 3 + 2 * REJECTED


async def test_a_flood_that_waits_is_not_lost_when_the_listener_stops() -> None:
    async with listening(limits=FEW) as (listener, port), AsyncExitStack() as stack:
        await connected(stack, port, 3 + 2 * REJECTED)
        await until(lambda: len(listener.connections) >= 3 + REJECTED)
        listener.stop_accepting()
        listener._sweep()
        assert listener._accepting == set()


async def test_handshakes_are_bounded_with_the_connections() -> None:
    events = RecordedEvents()
    options = HandshakeOptions(events, proxy_protocol=True)
    limits = msgspec.structs.replace(FEW, connections=1)
    async with listening_to_handshakes(limits=limits, trusted=("127.0.0.1",), options=options) as (listener, port):
        clients = [await RawClient.connect(port) for _ in range(2 * REJECTED)]
        acceptor = listener._acceptor
        assert acceptor is not None
        await until(lambda: acceptor.arriving == 1 + REJECTED)
        await clients[-1].send(b"PROXY UNKNOWN\r\n" + GET)
        for client in clients[:-1]:
            client.abort()
        assert (await clients[-1].reply()).status == 200
        clients[-1].abort()
    assert events.held_up == []


async def test_no_connection_stays_open_that_arrives_at_the_last_moment() -> None:
    options = HandshakeOptions(RecordedEvents(), proxy_protocol=True)
    async with listening_to_handshakes(trusted=("127.0.0.1",), options=options) as (listener, port):
        client = await RawClient.connect(port)
        listener.stop_accepting()
        listener.cut()
        assert await client.at_eof()
        client.abort()
