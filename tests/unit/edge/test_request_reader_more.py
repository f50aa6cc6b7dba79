"""edge/request_reader.py: connections that are full, become tunnels, or are called as sockets rarely do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import msgspec
import pytest

from gateway.edge.connection import ClientConnection
from gateway.edge.request_reader import RequestReader
from gateway.exchange import Exchange, Reply, Send
from tests.fakes import until
from tests.raw_client import RawClient
from tests.unit.edge.listening import GET, LIMITS, listening

HANDSHAKE = b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"


class NotedTunnel:
    """Notes what it hears."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def from_client(self, data: bytes) -> None:
        self.heard.append(data)

    def client_full(self) -> None:
        self.heard.append("full")

    def client_drained(self) -> None:
        self.heard.append("drained")

    def client_left(self) -> None:
        self.heard.append("left")


@asynccontextmanager
async def under_way(request: bytes) -> AsyncIterator[tuple[ClientConnection, RawClient, asyncio.Event]]:
    """Yield a connection whose exchange is answered when the event is set."""
    go_on = asyncio.Event()

    async def wait(_: Exchange, send: Send) -> None:
        await go_on.wait()
        await send(Reply(200, [], b"{}"))

    async with listening(wait) as (listener, port), await RawClient.connect(port) as client:
        await client.send(request)
        await until(lambda: any(one._core.exchange is not None for one in listener._open()))
        (connection,) = listener._open()
        yield connection, client, go_on


async def test_a_rejected_connection_no_longer_counts_when_it_has_ended() -> None:
    async with listening(limits=msgspec.structs.replace(LIMITS, connections=0)) as (listener, port):
        async with await RawClient.connect(port) as client:
            await client.send(GET)
            assert (await client.reply()).field("X-Fault") == "too_many_connections"
        await until(lambda: not listener.busy)
        assert listener.rejected == 0


async def test_a_line_that_is_no_request_is_extended_to_its_end() -> None:
    async with listening() as (listener, port), await RawClient.connect(port) as client:
        await until(lambda: bool(listener._open()))
        (connection,) = listener._open()
        connection.data_received(b"FOO")
        assert connection._splitter.rejected_line is not None
        assert connection._head_since is not None
        connection.data_received(b"BAR")
        assert not connection._close
        connection.data_received(b" /a HTTP/1.1\r\n")
        assert (await client.reply()).field("X-Fault") == "method_not_allowed"
        assert await client.at_eof()


async def test_what_follows_a_handshake_waits_for_its_tunnel() -> None:
    async with under_way(HANDSHAKE) as (connection, client, go_on):
        connection.data_received(b"frame")
        assert not cast(asyncio.Transport, connection.transport).is_reading()
        assert connection._splitter.has_piece
        go_on.set()
        assert (await client.reply()).status == 200


async def test_a_tunnel_learns_what_the_client_does() -> None:
    async with under_way(HANDSHAKE) as (connection, client, _):
        tunnel = NotedTunnel()
        connection._tunnel = cast(Any, tunnel)
        connection.data_received(b"frame")
        connection.pause_writing()
        connection.resume_writing()
        assert connection.eof_received() is True
        connection._secure = True
        assert connection.eof_received() is False
        assert tunnel.heard == [b"frame", "full", "drained", "left", "left"]
        client.abort()
        await until(lambda: connection.transport is None)
        assert set(tunnel.heard[5:]) == {"left"}


async def test_a_client_that_ends_tls_ends_the_connection() -> None:
    async with under_way(GET) as (connection, _, _go_on):
        connection._secure = True
        assert connection.eof_received() is False


async def test_a_client_that_has_closed_its_side_is_served_while_there_is_progress() -> None:
    async with under_way(GET) as (connection, _, _go_on):
        task = connection._core.driver._task
        assert task is not None
        connection._cancel_if_gone(connection._core.written - 1)
        assert task.cancelling() == 0
        connection._cancel_if_gone(connection._core.written)
        assert task.cancelling() == 1
        await until(lambda: connection._core.exchange is None)
        connection._cancel_if_gone(connection._core.written)


async def test_a_body_that_the_gateway_does_not_read_has_longer() -> None:
    async with under_way(b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc") as (connection, _, _go_on):
        connection._reading_paused = True
        connection._body_since = 5.0
        connection._sweep_body(1e9, 1.0)
        assert connection._body_since == 5.0 + connection._listener.SWEEP_S
        assert not connection._payload.exception()
        connection._reading_paused = False


async def test_only_a_whole_connection_answers_requests() -> None:
    async with under_way(GET) as (connection, _, _go_on):
        with pytest.raises(NotImplementedError):
            RequestReader._serve(connection)
