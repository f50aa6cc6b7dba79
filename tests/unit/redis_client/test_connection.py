"""redis_client/connection.py: whose reply is whose, whatever callers and servers do."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from gateway.redis_client.address import RedisConnectionError
from gateway.redis_client.connection import (
    LOST,
    TIMEOUT,
    PendingReply,
    RedisConnection,
    RedisConnectionState,
    pack,
)

TIMEOUT_S = 0.05
LONG_S = 10.0


class Peer:
    """A server that says what a test tells it to, to the connection that it is given."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        client: asyncio.StreamWriter,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.ended = asyncio.Event()
        self.why: RedisConnectionError | None = None
        self.connection = RedisConnection(loop, TIMEOUT_S, self._on_end)
        self.connection.take_over(client)
        self._reader, self._writer = reader, writer

    def _on_end(self, _: RedisConnection, why: RedisConnectionError) -> None:
        self.why = why
        self.ended.set()

    def replies(self, text: bytes) -> None:
        self._writer.write(text)

    def hangs_up(self) -> None:
        self._writer.close()

    async def hears(self, size: int) -> bytes:
        return await self._reader.readexactly(size)

    def ask(self, within_s: float = LONG_S) -> PendingReply:
        return self.connection.send(pack(b"PING"), asyncio.get_running_loop().time() + within_s)


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    loop = asyncio.get_running_loop()
    accepted: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = loop.create_future()
    server = await asyncio.start_server(lambda reader, writer: accepted.set_result((reader, writer)), "127.0.0.1", 0)

    _, client = await asyncio.open_connection(*server.sockets[0].getsockname())
    peer = Peer(loop, client, *await accepted)
    yield peer
    peer.connection.close()
    peer.hangs_up()
    server.close()
    await server.wait_closed()


async def test_replies_come_in_the_order_of_the_commands(peer: Peer) -> None:
    waiters = [peer.ask() for _ in range(100)]
    assert peer.connection.in_flight == 100
    await peer.hears(100 * len(pack(b"PING")))
    for number in range(100):
        peer.replies(b":%d\r\n" % number)
    assert [await waiter for waiter in waiters] == list(range(100))
    assert peer.connection.in_flight == 0


async def test_a_reply_may_come_in_pieces(peer: Peer) -> None:
    waiter = peer.ask()
    for piece in (b"*2\r", b"\n:1\r\n:", b"22\r\n"):
        peer.replies(piece)
        await asyncio.sleep(0)
    assert await waiter == [1, 22]


async def test_a_cancelled_caller_does_not_shift_replies(peer: Peer) -> None:
    first, second, third = peer.ask(), peer.ask(), peer.ask()
    second.cancel()
    peer.replies(b":1\r\n:2\r\n:3\r\n")
    assert (await first, await third) == (1, 3)


async def test_a_caller_that_timed_out_does_not_shift_replies(peer: Peer) -> None:
    early, cancelled, late = peer.ask(within_s=0.001), peer.ask(within_s=0.001), peer.ask()
    cancelled.cancel()
    assert await early is TIMEOUT
    assert peer.connection.in_flight == 3
    peer.replies(b":1\r\n:2\r\n:3\r\n")
    assert await late == 3
    assert not peer.ended.is_set()


async def test_one_timer_serves_callers_one_after_another(peer: Peer) -> None:
    for number in range(3):
        answered, unanswered = peer.ask(TIMEOUT_S), peer.ask(TIMEOUT_S)
        peer.replies(b":%d\r\n" % number)
        assert await answered == number
        assert await unanswered is TIMEOUT
        peer.replies(b":0\r\n")


async def test_a_deadline_before_that_of_the_one_ahead(peer: Peer) -> None:
    first = peer.ask(LONG_S)
    asked_at = time.monotonic()
    second = peer.ask(TIMEOUT_S)
    peer.replies(b":1\r\n")
    assert await first == 1
    assert await second is TIMEOUT
    assert time.monotonic() - asked_at < LONG_S / 2


async def test_an_error_is_a_reply(peer: Peer) -> None:
    waiter = peer.ask()
    peer.replies(b"-READONLY You can't write against a read only replica.\r\n")
    reply = await waiter
    assert isinstance(reply, RedisConnectionError)
    assert reply.reason == "READONLY"


async def test_a_server_that_stays_silent_is_given_up(peer: Peer) -> None:
    asked_at = time.monotonic()
    assert await peer.ask(TIMEOUT_S) is TIMEOUT
    await asyncio.wait_for(peer.ended.wait(), LONG_S)
    assert peer.why is TIMEOUT
    assert time.monotonic() - asked_at >= TIMEOUT_S
    assert await peer.ask() is LOST


async def test_everyone_waiting_learns_that_the_connection_is_lost(peer: Peer) -> None:
    waiters = [peer.ask(), peer.ask()]
    peer.hangs_up()
    assert [await waiter for waiter in waiters] == [LOST, LOST]
    assert (peer.ended.is_set(), peer.why) == (True, LOST)


@pytest.mark.parametrize("unasked", [b":1\r\n", b"hello\r\n"], ids=["reply", "garbage"])
async def test_what_nobody_asked_for_ends_the_connection(peer: Peer, unasked: bytes) -> None:
    peer.replies(unasked)
    await asyncio.wait_for(peer.ended.wait(), LONG_S)
    assert peer.why is not None
    assert peer.why.reason == "protocol"


async def test_closing_is_no_loss_to_report(peer: Peer) -> None:
    waiter = peer.ask()
    cancelled = peer.ask()
    cancelled.cancel()
    peer.connection.close()
    peer.connection.close()
    assert await waiter is LOST
    assert not peer.ended.is_set()


async def test_a_reply_that_waits_in_the_socket_is_not_late(peer: Peer) -> None:
    """This process stood still for longer than the time-out; the server did not."""
    waiter = peer.ask(TIMEOUT_S)
    await peer.hears(len(pack(b"PING")))
    peer.replies(b":1\r\n")
    still_until = time.monotonic() + 2 * TIMEOUT_S
    while time.monotonic() < still_until:
        pass
    assert await waiter == 1


async def test_a_connection_shows_its_state(peer: Peer) -> None:
    made = RedisConnection(asyncio.get_running_loop(), TIMEOUT_S, lambda connection, failure: None)
    assert (made.state, repr(made)) == (RedisConnectionState.NEW, "<RedisConnection new, 0 in flight>")
    waiter = peer.ask()
    assert repr(peer.connection) == "<RedisConnection open, 1 in flight>"
    peer.replies(b":1\r\n")
    assert await waiter == 1
    peer.connection.close()
    assert repr(peer.connection) == "<RedisConnection closed, 0 in flight>"


async def test_a_timer_that_fires_for_an_answered_caller_is_set_for_the_next_one(peer: Peer) -> None:
    waiter = peer.ask()
    peer.connection._expire()
    assert not waiter.done
    assert peer.connection.state is RedisConnectionState.OPEN
    peer.replies(b":1\r\n")
    assert await waiter == 1
