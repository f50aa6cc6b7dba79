"""edge/connection_core.py: what becomes of plain requests, and of what is none, without a network."""

import asyncio

import pytest

from gateway.edge.connection_core import ConnectionCore
from gateway.edge.response_head import SMALL_BYTES
from gateway.exchange import Exchange, Reply, Send, SentBytes
from tests.fakes import until
from tests.unit.edge.listening import GET
from tests.unit.edge.recording import connected

SMALL = Reply(200, [], b"{}")


async def test_a_reply_that_can_be_sent_at_once_leaves_with_the_batch() -> None:
    sent: list[object] = []

    async def serve(_: Exchange, send: Send) -> None:
        sent.append(send(SMALL))

    with connected(serve) as (connection, transport):
        core = connection._core
        connection.data_received(GET)
        assert (core.alone, core.exchange, core.written, core.idle_since) == (True, None, 1, 7.0)
        assert transport.written == b""
        connection._listener.write_batch.flush()
        assert transport.written.endswith(b"Content-Length: 2\r\n\r\n{}")
        (count,) = sent
        assert isinstance(count, SentBytes)
        assert count.count == 2


@pytest.mark.parametrize("reply", [Reply(200, [], b"x" * (SMALL_BYTES + 1)), Reply(204, [], b"")])
async def test_other_replies_are_left_to_the_connection(reply: Reply) -> None:
    async def serve(_: Exchange, send: Send) -> None:
        assert await send(reply) == len(reply.body)

    with connected(serve) as (connection, _):
        connection.data_received(GET)
        assert (connection._core.alone, connection._core.exchange) == (True, None)


async def test_what_is_not_plain_is_left_to_the_connection() -> None:
    seen: list[str] = []

    async def serve(x: Exchange, send: Send) -> None:
        seen.append(x.path)
        await send(SMALL)

    with connected(serve) as (connection, _):
        for piece in (GET[:5], GET[5:]):
            connection.data_received(piece)
        assert seen == ["/a"]
        assert connection._core.alone


async def test_an_error_of_an_exchange_closes_the_connection() -> None:
    async def serve(_x: Exchange, _send: Send) -> None:
        raise asyncio.CancelledError

    with connected(serve) as (connection, transport):
        connection.data_received(GET)
        assert (connection._core.alone, connection._core.exchange, transport.state) == (False, None, "closed")


async def test_nothing_is_sent_to_a_client_that_has_gone_and_the_connection_is_let_go() -> None:
    go, errors = asyncio.Event(), list[BaseException]()

    async def serve(_: Exchange, send: Send) -> None:
        try:
            await go.wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            try:
                send(SMALL)
            except ConnectionResetError as gone:
                errors.append(gone)

    with connected(serve) as (connection, _):
        core: ConnectionCore = connection._core
        connection.data_received(GET)
        assert core.exchange is not None
        await asyncio.sleep(0)
        connection.connection_lost(None)
        connection.data_received(GET)
        await until(lambda: core.exchange is None)
        assert [str(each) for each in errors] == ["the client is gone"]
        assert (core.unusual, core.transport, core.alone) == (None, None, False)
