"""upstream/http1/connection_socket.py: what a connection is doing, and whether it may be used."""

import asyncio
import time

import pytest

from gateway.kernel.clock import Clock
from gateway.net.loop_budget import LoopBudget
from gateway.net.write_batch import WriteBatch
from gateway.upstream.http1.connection import UpstreamConnection
from gateway.upstream.http1.connection_socket import ConnectionSocket, UpstreamConnectionState
from gateway.upstream.http1.framing import Origin
from tests.fakes import End, RawBackend, reply, script, until
from tests.samples import Pieces
from tests.unit.upstream.calls import Make, call, rest, streamed

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Gated(Pieces):
    """A body whose second piece waits for `go`."""

    def __init__(self, go: asyncio.Event) -> None:
        super().__init__(b"abc", b"def", length=6)
        self._go = go
        self._first = True

    async def read(self) -> bytes:
        if not self._first:
            await self._go.wait()
        self._first = False
        return await super().read()


async def test_a_connection_names_its_state_during_a_call(make: Make) -> None:
    go, answer_now, end_now = asyncio.Event(), asyncio.Event(), asyncio.Event()
    steps = script(answer_now, CHUNKED + b"1\r\na\r\n", end_now, b"0\r\n\r\n")
    async with RawBackend(steps) as backend:
        target = make(backend.url)
        sending = asyncio.ensure_future(target.send(call(b"PUT", Gated(go), buffer_bytes=0)))
        await until(lambda: len(target._all) == 1)
        [connection] = target._all

        def state() -> UpstreamConnectionState:
            return connection.state

        await until(lambda: state() is UpstreamConnectionState.SENDING)
        assert repr(connection) == f"<UpstreamConnection to 127.0.0.1:{backend.port}, sending>"
        go.set()
        await until(lambda: state() is UpstreamConnectionState.RECEIVING)
        answer_now.set()
        answer = await sending
        assert state() is UpstreamConnectionState.STREAMING
        end_now.set()
        assert answer.body + await rest(streamed(answer)) == b"a"
        assert state() is UpstreamConnectionState.IDLE
        assert connection.usable(time.monotonic())
        await target.close()
        assert state() is UpstreamConnectionState.CLOSED
        assert not connection.usable(time.monotonic())
        assert connection.lost.done()


async def test_before_it_is_connected_it_is_connecting(make: Make) -> None:
    target, origin, clock = make("http://10.0.0.1"), Origin(b"", b""), Clock(time.monotonic, time.time)
    connection = UpstreamConnection(
        target, "10.0.0.1:80", origin, clock, asyncio.get_running_loop(), WriteBatch(), LoopBudget()
    )
    assert repr(connection) == "<UpstreamConnection to 10.0.0.1:80, connecting>"
    connection.lost.cancel()


@pytest.mark.parametrize("end", [End.CLOSE, None])
async def test_unread_input_makes_a_connection_unusable(end: End | None) -> None:
    """Both bytes that nobody asked for and the end of the connection are seen without reading them."""
    go = asyncio.Event()

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await go.wait()
        if end is None:
            writer.write(reply())
            await writer.drain()
        writer.close()

    loop = asyncio.get_running_loop()
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        transport, socket = await loop.create_connection(lambda: ConnectionSocket(loop), "127.0.0.1", port)
        assert socket.peer == "127.0.0.1"
        transport.pause_reading()
        assert not socket.input_waits()
        assert socket.usable(0.0)
        go.set()
        await until(socket.input_waits)
        assert not socket.usable(0.0)
        transport.close()
        await socket.lost


async def test_an_expired_connection_is_not_usable() -> None:
    loop = asyncio.get_running_loop()
    async with RawBackend() as backend:
        transport, socket = await loop.create_connection(lambda: ConnectionSocket(loop), "127.0.0.1", backend.port)
        socket.expires_at = 10.0
        assert (socket.usable(9.9), socket.usable(10.0)) == (True, False)
        transport.close()
        await socket.lost
