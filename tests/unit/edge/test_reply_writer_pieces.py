"""edge/reply_writer.py: what is written when, and what is left when the client leaves, without a network."""

import asyncio

import pytest

from gateway.edge.reply_writer import TURN_BYTES
from gateway.exchange import Exchange, Reply, Send
from gateway.kernel.faults import SHUTTING_DOWN, UPSTREAM_INCOMPLETE, GatewayError
from gateway.upstream.tunnel import TunnelState
from tests.fakes import until
from tests.samples import Pieces
from tests.unit.edge.listening import GET
from tests.unit.edge.recording import HANDSHAKE, HELLO, RecordingTransport, connected, failures, tunnel

PIECE = TURN_BYTES


class Sending:
    """Sends `reply`, and keeps the exchange and what came of it."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.exchange: Exchange | None = None
        self.sent: int | None = None
        self.error: BaseException | None = None

    async def __call__(self, x: Exchange, send: Send) -> None:
        self.exchange = x
        try:
            self.sent = await send(self.reply)
        except BaseException as error:
            self.error = error

    @property
    def sent_bytes(self) -> int:
        assert self.exchange is not None
        return self.exchange.sent_bytes

    @property
    def ended(self) -> bool:
        return self.sent is not None or self.error is not None


async def test_a_small_reply_waits_for_the_end_of_the_iteration() -> None:
    sending = Sending(Reply(200, [], b"{}"))
    with connected(sending) as (connection, transport):
        connection.data_received(GET)
        assert (sending.sent, transport.writes) == (2, [])
        await until(lambda: bool(transport.writes))
        assert transport.writes[0].endswith(b"\r\n\r\n{}")


@pytest.mark.parametrize(
    "reply", [Reply(200, [], b"{}", close=True), Reply(200, [], b"x" * 40_000)], ids=["the last", "larger"]
)
async def test_other_replies_are_written_at_once(reply: Reply) -> None:
    sending = Sending(reply)
    with connected(sending) as (connection, transport):
        connection.data_received(GET)
        assert sending.sent == len(reply.body)
        assert transport.writes[0].endswith(b"\r\n\r\n" + reply.body)


async def test_the_last_reply_waits_for_a_client_that_has_not_taken_it() -> None:
    sending = Sending(Reply(200, [], b"{}", close=True))
    with connected(sending) as (connection, transport):
        transport.on_write = connection.pause_writing
        connection.data_received(GET)
        assert (sending.ended, sending.sent_bytes) == (False, 2)
        connection.resume_writing()
        await until(lambda: sending.ended)
        assert sending.sent == 2


async def test_nothing_is_sent_to_a_client_that_is_gone() -> None:
    sending = Sending(Reply(200, [], b"{}"))
    with connected(sending) as (connection, transport):
        transport.close()
        connection.data_received(GET)
        assert isinstance(sending.error, ConnectionResetError)
        assert (sending.sent_bytes, transport.writes) == (0, [])


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, [], b"{}"),
        Reply(200, [], b"a" * (PIECE + 1)),
        Reply(200, [], b"a", stream=Pieces(b"b"), tail=b"c", length=3),
    ],
    ids=["small", "large", "stream"],
)
async def test_a_client_that_does_not_read_is_waited_for(reply: Reply) -> None:
    sending = Sending(reply)
    with connected(sending) as (connection, transport):
        connection.pause_writing()
        connection.data_received(GET)
        await until(lambda: bool(transport.writes))
        assert not sending.ended
        connection.resume_writing()
        await until(lambda: sending.ended)
        assert sending.sent == max(len(reply.body), reply.length or 0)


async def test_what_a_client_that_leaves_has_not_received_is_not_counted() -> None:
    sending = Sending(Reply(200, [], b"x" * 3 * PIECE))
    with connected(sending) as (connection, transport):
        transport.buffered = PIECE // 2
        transport.on_write = lambda: connection.pause_writing() if len(transport.writes) == 2 else None
        connection.data_received(GET)
        assert not sending.ended
        connection.connection_lost(None)
        await until(lambda: sending.ended)
        assert sending.error is not None
        assert sending.sent_bytes == 2 * PIECE - head_size(transport) - PIECE // 2


def head_size(transport: RecordingTransport) -> int:
    return transport.writes[0].index(b"\r\n\r\n") + 4


async def test_a_large_reply_is_written_in_pieces() -> None:
    reply = Reply(200, [], b"a" * (PIECE + 1), content=b"b" * (2 * PIECE + 1), tail=b"c", length=3 * PIECE + 3)
    sending = Sending(reply)
    with connected(sending) as (connection, transport):
        connection.data_received(GET)
        assert sending.sent == sending.sent_bytes == 3 * PIECE + 3
        size = head_size(transport)
        assert [len(piece) for piece in transport.writes] == [PIECE, PIECE, PIECE, size + 3]
        assert b"".join(transport.writes)[size:] == reply.body + reply.content + reply.tail


async def test_a_large_reply_ends_with_its_client() -> None:
    sending = Sending(Reply(200, [], b"x" * (4 * PIECE)))
    with connected(sending) as (connection, transport):
        transport.on_write = lambda: transport.close() if len(transport.writes) == 3 else None
        connection.data_received(GET)
        assert isinstance(sending.error, ConnectionResetError)
        assert (len(transport.writes), sending.sent_bytes) == (3, 3 * PIECE - head_size(transport))


async def test_a_stream_ends_with_its_client() -> None:
    stream = Pieces(b"b", b"c")
    sending = Sending(Reply(200, [], b"a", stream=stream))
    with connected(sending) as (connection, transport):
        transport.on_write = transport.close
        connection.data_received(GET)
        assert isinstance(sending.error, ConnectionResetError)
        assert (sending.sent_bytes, stream.closed) == (1, True)


async def test_a_stream_leaves_others_their_turn() -> None:
    sending = Sending(Reply(200, [], b"", stream=Pieces(b"b" * TURN_BYTES, b"c", b"d"), length=TURN_BYTES + 2))
    with connected(sending) as (connection, transport):
        connection.data_received(GET)
        assert not sending.ended
        assert transport.written.endswith(b"bc")
        await until(lambda: sending.ended)
        assert sending.sent == TURN_BYTES + 2


@pytest.mark.parametrize(
    ("version", "gone", "state"),
    [(b"1.1", False, "closed"), (b"1.0", False, "aborted"), (b"1.1", True, "closed")],
)
async def test_a_stream_that_breaks_ends_its_connection(version: bytes, *, gone: bool, state: str) -> None:
    async def serve(x: Exchange, send: Send) -> None:
        class Broken(Pieces):
            async def read(self) -> bytes:
                if gone:
                    connection.force_close()
                raise GatewayError(UPSTREAM_INCOMPLETE)

        with pytest.raises(GatewayError):
            await send(Reply(200, [], b"a", stream=Broken()))
        ended.append(x.sent_bytes)

    ended: list[int] = []
    with connected(serve) as (connection, transport):
        connection.data_received(GET.replace(b"1.1", version))
        assert (ended, transport.state) == ([1], state)
        assert not transport.written.endswith(b"0\r\n\r\n")


async def test_bytes_go_through_a_tunnel_until_its_end() -> None:
    opened, service = tunnel(early=HELLO)
    sending = Sending(Reply(101, [("Upgrade", "websocket")], b"", stream=opened))
    with connected(sending) as (connection, transport):
        connection.data_received(HANDSHAKE + HELLO)
        assert transport.writes[0].startswith(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n")
        assert transport.writes[1:] == [HELLO]
        assert service.writes == [HELLO]
        connection.data_received(HELLO)
        assert service.writes == [HELLO, HELLO]
        connection.eof_received()
        await until(lambda: sending.ended)
        assert sending.sent == len(HELLO)
        assert sending.exchange is not None
        assert sending.exchange.body is not None
        assert sending.exchange.body.received == 2 * len(HELLO)
        assert service.state == "closed"


async def test_the_end_of_a_tunnel_by_the_gateway_is_an_error() -> None:
    opened, _ = tunnel()
    sending = Sending(Reply(101, [], b"", stream=opened))
    with connected(sending) as (connection, _):
        connection.data_received(HANDSHAKE)
        error = GatewayError(SHUTTING_DOWN)
        opened.go_away(error)
        opened.client_left()
        await until(lambda: sending.ended)
        assert sending.error is error


async def test_a_tunnel_whose_client_is_lost_has_ended_normally() -> None:
    opened, _ = tunnel()
    sending = Sending(Reply(101, [], b"", stream=opened))
    with connected(sending) as (connection, _):
        connection.data_received(HANDSHAKE)
        connection.connection_lost(None)
        await until(lambda: sending.ended)
        assert (sending.sent, opened.state) == (0, TunnelState.CLOSED)


async def test_a_tunnel_that_is_cancelled_while_it_is_open_is_an_error() -> None:
    opened, _ = tunnel()
    sending = Sending(Reply(101, [], b"", stream=opened))
    with failures() as failed, connected(sending) as (connection, _):
        connection.data_received(HANDSHAKE)
        connection._core.driver.cancel()
        await until(lambda: sending.ended)
        assert isinstance(sending.error, asyncio.CancelledError)
        opened.close()
    assert failed == []
