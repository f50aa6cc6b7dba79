"""edge/write_progress.py: how much of its replies a client has not received, and how fast it reads them."""

import asyncio
import math

from gateway.edge.connection import ClientConnection, ConnectionState
from gateway.edge.write_progress import PACE_AFTER_S
from gateway.exchange import Exchange, Reply, Send
from gateway.kernel.faults import REPLY_NOT_TAKEN
from tests.fakes import until
from tests.raw_client import RawClient
from tests.samples import caller
from tests.unit.edge.listening import GET, listening

SIZE = 50_000_000


async def test_what_a_client_does_not_read_is_counted_until_it_is_cut() -> None:
    ended: asyncio.Future[Exchange] = asyncio.get_running_loop().create_future()

    async def flood(x: Exchange, send: Send) -> None:
        x.caller = caller()
        x.reply = Reply(200, [], b"x" * SIZE)
        try:
            await send(x.reply)
        finally:
            ended.set_result(x)

    async with listening(flood) as (listener, port), await RawClient.connect(port) as client:
        client.stop_reading()
        await client.send(GET)
        await until(lambda: listener.unread.total > SIZE // 2)
        (connection,) = listener._open()
        now = listener.head_checker.monotonic()
        assert connection.owner() == caller().bucket
        assert connection.pace(now) == math.inf
        assert 0 <= connection.pace(now + 10 * PACE_AFTER_S) < SIZE
        connection.cut_unread()
        x = await asyncio.wait_for(ended, 5)
        assert x.ended is not None
        assert x.ended.fault is REPLY_NOT_TAKEN
        await until(lambda: listener.unread.total == 0)
        assert connection._unacknowledged_bytes() == 0
        connection.cut_unread()


async def test_a_connection_shows_its_state() -> None:
    states: list[str] = []

    async def answer(x: Exchange, send: Send) -> None:
        (connection,) = listener._open()
        states.append(repr(connection))
        await send(Reply(200, [], b"", close=x.path == "/last"))

    async with listening(answer) as (listener, port), await RawClient.connect(port) as client:
        await client.send(GET)
        await client.reply()
        (connection,) = listener._open()
        assert connection.owner() == "127.0.0.1"
        await until(lambda: connection.state is ConnectionState.IDLE)
        await client.send(b"GET /last HTTP/1.1\r\n")
        await until(lambda: connection.state is ConnectionState.READING_HEAD)
        await client.send(b"Host: h\r\n\r\n")
        await client.reply()
        await until(lambda: connection.state is ConnectionState.LINGERING)
        assert repr(connection) == "<ClientConnection lingering, closing>"
    await until(lambda: connection.state is ConnectionState.CLOSED)
    assert states == ["<ClientConnection answering>"] * 2
    assert isinstance(connection, ClientConnection)
