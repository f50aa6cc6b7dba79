"""edge/connection.py: every state of a connection, and every way in which it ends, without a network."""

import asyncio
from functools import partial

import pytest

from gateway.edge.connection import TURN_REQUESTS, ClientConnection, ConnectionState
from gateway.exchange import Exchange, Reply, Send
from gateway.kernel.faults import SHUTTING_DOWN, GatewayError
from gateway.upstream.tunnel import Tunnel
from tests.fakes import until
from tests.unit.edge.listening import GET
from tests.unit.edge.recording import HANDSHAKE, connected, failures, tunnel

CLOSING = b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
HTTP10 = b"GET /a HTTP/1.0\r\nHost: h\r\n\r\n"


async def answer(_: Exchange, send: Send) -> None:
    await send(Reply(200, [], b"{}"))


async def held(go: asyncio.Event, x: Exchange, send: Send) -> None:
    await go.wait()
    await answer(x, send)


async def test_a_connection_shows_its_state() -> None:
    go = asyncio.Event()
    with connected(partial(held, go)) as (connection, transport):
        assert repr(connection) == "<ClientConnection idle>"
        connection.data_received(CLOSING[:20])
        assert repr(connection) == "<ClientConnection reading a head>"
        connection.data_received(CLOSING[20:])
        assert repr(connection) == "<ClientConnection answering, closing>"
        go.set()
        await until(lambda: connection.state is ConnectionState.LINGERING)
        assert transport.state == "half closed"
        connection.eof_received()
        assert repr(connection) == "<ClientConnection closed, closing>"
        assert transport.state == "closed"


@pytest.mark.parametrize(("half", "statuses"), [(b"", [200]), (b"GET /half HTT", [200, 400])])
async def test_a_client_that_sends_no_more_is_answered_before_the_end(half: bytes, statuses: list[int]) -> None:
    go = asyncio.Event()

    async def serve(x: Exchange, send: Send) -> None:
        if x.head_error is None:
            await held(go, x, send)
        else:
            await send(Reply(x.head_error.fault.status, [], b"{}"))

    with connected(serve) as (connection, transport):
        connection.data_received(GET)
        if half:
            connection.data_received(half)
        assert connection.eof_received()
        go.set()
        await until(lambda: connection.state is ConnectionState.CLOSED)
        assert transport.statuses == statuses


@pytest.mark.parametrize("request_bytes", [GET, HTTP10])
async def test_http_is_refused_where_https_is_required(request_bytes: bytes) -> None:
    refused: list[str | None] = []

    async def serve(x: Exchange, send: Send) -> None:
        assert x.head_error is not None
        refused.append(x.head_error.developer_message)
        await send(Reply(x.head_error.fault.status, [], b"{}"))

    with connected(serve, plain=True) as (connection, transport):
        connection.data_received(request_bytes)
        assert refused == ["This address speaks https only. Write https:// at the beginning of the URL."]
        assert transport.statuses == [400]
        assert connection.state is ConnectionState.LINGERING


async def test_more_requests_than_are_held_make_the_client_wait() -> None:
    go = asyncio.Event()
    with connected(partial(held, go)) as (connection, transport):
        connection.data_received(GET * 100)
        assert not transport.reading
        go.set()
        await until(lambda: len(transport.writes) == 100)
        assert transport.reading
        assert transport.statuses == [200] * 100


async def test_a_connection_answers_only_so_many_requests_in_a_row() -> None:
    answered: list[str] = []

    async def note(x: Exchange, send: Send) -> None:
        answered.append(x.path)
        await answer(x, send)

    with connected(note) as (connection, _):
        connection.data_received(GET * (TURN_REQUESTS + 2))
        assert len(answered) == TURN_REQUESTS
        await until(lambda: len(answered) == TURN_REQUESTS + 2)


@pytest.mark.parametrize("late", [False, True])
async def test_an_exchange_that_fails_closes_the_connection(*, late: bool) -> None:
    async def fail(_: Exchange, __: Send) -> None:
        if late:
            await asyncio.sleep(0)
        raise LookupError

    with failures() as failed, connected(fail) as (connection, transport):
        connection.data_received(GET * 2)
        await until(lambda: connection.state is ConnectionState.CLOSED)
        assert [type(error) for error in failed] == [LookupError]
        assert (transport.state, transport.writes) == ("closed", [])


async def test_a_connection_that_is_closing_already_does_not_linger() -> None:
    connections: list[ClientConnection] = []

    async def last(_: Exchange, send: Send) -> None:
        await send(Reply(200, [], b"{}", close=True))
        transport = connections[0].transport
        assert transport is not None
        transport.close()

    with connected(last) as (connection, transport):
        connections.append(connection)
        connection.data_received(GET)
        assert connection.state is ConnectionState.CLOSED
        assert transport.statuses == [200]


@pytest.mark.parametrize(
    ("request_bytes", "state"),
    [
        pytest.param(CLOSING, ConnectionState.CLOSED, id="nothing is unread"),
        pytest.param(
            b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n", ConnectionState.LINGERING, id="a body is"
        ),
    ],
)
async def test_tls_lingers_only_for_what_is_unread(request_bytes: bytes, state: ConnectionState) -> None:
    with connected(answer, secure=True) as (connection, transport):
        connection.data_received(request_bytes)
        assert connection.state is state
        assert transport.statuses == [200]
        assert transport.state == ("closed" if state is ConnectionState.CLOSED else "open")


async def test_a_client_that_expects_it_is_asked_for_its_body() -> None:
    with connected() as (connection, transport):
        connection.data_received(b"POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
        await until(lambda: bool(transport.writes))
        assert transport.statuses == [100]
        connection.data_received(b"a")
        await until(lambda: len(transport.writes) == 2)
        assert transport.statuses == [100, 200]


async def test_a_tunnel_that_is_cut_is_closed_in_the_way_of_websockets() -> None:
    tunnels: list[Tunnel] = []
    seen: list[GatewayError] = []

    async def serve(_: Exchange, send: Send) -> None:
        try:
            await send(Reply(101, [], b"", stream=tunnels[0]))
        except GatewayError as error:
            seen.append(error)

    with connected(serve) as (connection, transport):
        opened, service = tunnel()
        tunnels.append(opened)
        connection.data_received(HANDSHAKE)
        assert connection.cut()
        assert transport.writes[-1][:1] == service.writes[-1][:1] == b"\x88"
        connection.eof_received()
        await until(lambda: bool(seen))
        assert seen[0].fault is SHUTTING_DOWN


async def test_what_is_cut_without_a_request_is_closed() -> None:
    with connected() as (connection, transport):
        assert not connection.cut()
        assert transport.state == "closed"


async def test_a_request_that_is_cut_is_ended_once() -> None:
    ended: list[GatewayError | None] = []

    async def serve(x: Exchange, send: Send) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append(x.ended)
            await send(Reply(503, [], b"{}"))

    with connected(serve) as (connection, transport):
        connection.data_received(GET)
        assert connection.cut()
        assert connection.cut()
        await until(lambda: bool(transport.writes))
        assert transport.statuses == [503]
        assert [error.fault for error in ended if error is not None] == [SHUTTING_DOWN]
