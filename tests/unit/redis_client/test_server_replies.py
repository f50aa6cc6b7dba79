"""redis_client/server.py: what becomes of each reply, on connections whose replies are given."""

import asyncio
from typing import Any, cast

from gateway.net.waiter import Waiter
from gateway.redis_client.address import RedisConnectionError
from gateway.redis_client.connection import (
    LOST,
    PendingReply,
    RedisConnection,
    RedisReply,
    ReplyHandler,
    SentCommand,
)
from gateway.redis_client.server import ASKING, AWAY, RedisServer
from tests.fakes import turn

MOVED, NO_SCRIPT = RedisConnectionError("MOVED 7 10.0.0.1:1"), RedisConnectionError("NOSCRIPT none")
LATER_S = 1e9
READ_ONLY = RedisConnectionError("READONLY a replica")


class GivenReplies:
    """A connection that gives its replies one after another, at once."""

    def __init__(self, *replies: RedisReply) -> None:
        self.in_flight = 0
        self.doubted = False
        self.sent: list[bytes] = []
        self.closed = False
        self._replies = list(replies)

    def send(
        self,
        command: bytes,
        deadline: float,
        handler: ReplyHandler | None = None,
        waiter: PendingReply | None = None,
    ) -> PendingReply:
        self.sent.append(command)
        reply = self._replies.pop(0)
        waiter = Waiter() if waiter is None else waiter
        if handler is None:
            waiter.set_result(reply)
        else:
            handler(cast("RedisConnection", self), (deadline, waiter, command, handler), reply)
        return waiter

    def close(self, failure: RedisConnectionError = LOST) -> None:
        self.closed = True


class Nowhere:
    """An address at which no connection is ever made."""

    async def open(self, timeout_s: float) -> asyncio.StreamWriter:
        await asyncio.get_running_loop().create_future()
        raise AssertionError


class Server(RedisServer):
    """A node of a cluster that is on the first of the given connections, and opens the next one when it is lost."""

    def __init__(self, *connections: GivenReplies) -> None:
        super().__init__(Nowhere(), 5.0, (b"return 1",), lambda: b"probe", self._ignore_state, in_cluster=True)
        self._given: list[Any] = list(connections)
        self._loop = asyncio.get_running_loop()
        self._availability.reached()
        self._connection = self._given.pop(0) if connections else None

    def _ignore_state(self, *, up: bool, reason: str) -> None:
        """Ignore the state."""

    async def _open(self) -> Any:
        return self._given.pop(0) if self._given else await super()._open()


async def test_a_node_that_is_about_to_get_the_key_is_asked_before() -> None:
    connection = GivenReplies(b"OK", 1)
    assert await Server(connection).send_by(b"command", LATER_S, after_ask=True) == 1
    assert connection.sent == [ASKING, b"command"]


async def test_so_it_is_again_after_it_has_loaded_the_scripts() -> None:
    connection = GivenReplies(b"OK", NO_SCRIPT, b"sha", b"OK", 1)
    server = Server(connection)
    assert await server.send_by(b"command", LATER_S, after_ask=True) == 1
    assert [connection.sent[at] for at in (0, 1, 3, 4)] == [ASKING, b"command"] * 2
    assert b"LOAD" in connection.sent[2]
    assert not server._scripts._reloading


async def test_a_redirection_is_a_reply_like_others() -> None:
    server = Server(GivenReplies(MOVED, 1))
    assert await server.call(b"command") is MOVED
    assert await server.call(b"command") == 1


async def test_what_a_replica_refused_is_sent_to_the_present_primary() -> None:
    replica, primary = GivenReplies(READ_ONLY), GivenReplies(1)
    server = Server(replica, primary)
    assert await server.call(b"command") == 1
    assert (replica.closed, primary.sent) == (True, [b"command"])
    await server.close()


async def test_a_call_that_waits_for_a_connection_gets_no_reply_when_there_will_be_none() -> None:
    server = Server()
    server.begin()
    calling = asyncio.ensure_future(server.call(b"command"))
    await turn()
    await server.close()
    assert await calling is LOST


async def test_a_call_whose_caller_gives_up_while_it_waits_for_a_connection_is_not_sent() -> None:
    connection = GivenReplies(b"OK", 1)
    server = Server(connection)
    server._connection = None
    server._arrival.clear()
    waiting, given_up = server.send_by(b"waiting", server._loop.time() + 5.0, after_ask=True), server.send(b"given up")
    given_up.cancel()
    server._connection = cast("RedisConnection", connection)
    server._arrival.set()
    assert await waiting == 1
    await asyncio.gather(*server._waiting)
    assert connection.sent == [ASKING, b"waiting"]


async def test_a_caller_that_gives_up_finds_no_server_away() -> None:
    server = Server()
    given_up = server.send_by(b"command", 0.0)
    given_up.cancel()
    await asyncio.gather(*server._waiting)
    assert not server._availability.is_away
    assert await server.send_by(b"command", 0.0) is LOST
    assert server._availability.is_away
    assert server.send(b"command").value is AWAY
    assert server.send_by(b"command", LATER_S).value is AWAY


async def test_a_reply_completes_the_waiter_that_its_caller_has_made() -> None:
    server, waiters = Server(GivenReplies(1, 2)), [PendingReply() for _ in range(3)]
    assert server.send(b"first", "tag", waiters[0]) is waiters[0]
    assert server.send_by(b"second", LATER_S, waiters[1]) is waiters[1]
    assert [await waiter for waiter in waiters[:2]] == [1, 2]
    server._connection = None
    assert server.send_by(b"third", 0.0, waiters[2]) is waiters[2]
    assert await waiters[2] is LOST
    for send in (server.send, lambda command, _, waiter: server.send_by(command, LATER_S, waiter)):
        late = PendingReply()
        assert send(b"late", "tag", late) is late
        assert late.value is AWAY


async def test_failures_count_when_no_reply_comes_between_them() -> None:
    failure = RedisConnectionError("ERR strange")
    connection = GivenReplies(failure, failure, 1, failure, failure, failure)
    server = Server(connection)
    replies = [await server.call(b"command") for _ in range(5)]
    assert replies == [failure, failure, 1, failure, failure]
    assert server._connection is not None
    assert await server.call(b"command") is failure
    assert server._connection is None
    await server.close()


async def test_a_redirection_is_for_who_follows_it() -> None:
    followed: list[object] = []

    def follow(sent: SentCommand, reply: RedisConnectionError) -> None:
        followed.append((sent[2], reply))
        sent[1].set_result(7)

    server = Server(GivenReplies(NO_SCRIPT, b"sha", b"OK", MOVED, 1))
    assert await server.send_by(b"command", LATER_S, redirect=follow) == 7
    assert await server.send_by(b"command", LATER_S, redirect=follow) == 1
    assert followed == [(b"command", MOVED)]
