"""redis_client/cluster.py: nodes whose replies are given, and servers whose slot map is none."""

import asyncio
from typing import Any

import pytest

from gateway.net.redis_url import parse
from gateway.net.waiter import Waiter
from gateway.redis_client.address import RedisConnectionError
from gateway.redis_client.cluster import SLOTS, UNSERVED, RedisCluster
from gateway.redis_client.connection import TIMEOUT, PendingReply, RedisReply, answered
from gateway.redis_client.server import Redirect
from gateway.redis_client.status import RedisServerStatus

ADDRESS = ("127.0.0.1", 7000)
STATUS = RedisServerStatus("127.0.0.1:7000", up=True, availability="closed", failures=0, in_flight=1)


class GivenNode:
    """A node that gives one reply, and that one more reply is still to come from."""

    up, in_flight, address = True, 1, "127.0.0.1:7000"

    def __init__(self, reply: RedisReply) -> None:
        self._reply = reply

    def servers(self) -> list[RedisServerStatus]:
        return [STATUS]

    def send_by(
        self, command: bytes, deadline: float, waiter: PendingReply | None, *, redirect: Redirect
    ) -> PendingReply:
        if not isinstance(self._reply, RedisConnectionError):
            return answered(self._reply, waiter)
        waiter = Waiter() if waiter is None else waiter
        redirect((deadline, waiter, command, None), self._reply)
        return waiter

    async def close(self) -> None:
        """Do nothing."""


class RecordedStates:
    """What a cluster has reported."""

    def __init__(self) -> None:
        self.states: list[tuple[bool, str]] = []

    def __call__(self, *, up: bool, reason: str) -> None:
        self.states.append((up, reason))


def cluster_of(port: int, seen: RecordedStates, timeout_s: float = 5.0) -> RedisCluster:
    return RedisCluster(parse(f"redis+cluster://127.0.0.1:{port}"), timeout_s, (), lambda _: b"", seen)


def with_node(reply: RedisReply, seen: RecordedStates) -> RedisCluster:
    """Return a cluster of one node that has all slots, where no call has any time for a second try."""
    cluster: Any = cluster_of(ADDRESS[1], seen, timeout_s=0.0)
    cluster._loop, cluster._closed = asyncio.get_running_loop(), False
    cluster._nodes[ADDRESS] = GivenNode(reply)
    cluster._owners = [ADDRESS] * SLOTS
    return cluster  # type: ignore[no-any-return]


async def test_its_servers_are_those_of_all_nodes() -> None:
    cluster = with_node(1, RecordedStates())
    assert cluster.servers() == [STATUS]
    assert await cluster.call(b"command", "tag") == 1


async def test_a_redirection_is_followed_within_the_time_of_the_call_only() -> None:
    cluster = with_node(RedisConnectionError("MOVED 7 10.0.0.1:7001"), RecordedStates())
    assert await cluster.call(b"command", "tag") is TIMEOUT
    assert list(cluster._nodes) == [ADDRESS]


async def test_a_redirection_is_not_followed_for_a_caller_that_has_given_up() -> None:
    cluster = with_node(RedisConnectionError("TRYAGAIN keys are being moved"), RecordedStates())
    given_up: PendingReply = Waiter()
    assert cluster.send(b"command", "tag", given_up) is given_up
    given_up.cancel()
    await asyncio.gather(*cluster._redirected)
    with pytest.raises(asyncio.CancelledError):
        given_up.result()


async def test_a_node_without_slots_is_kept_until_its_last_reply() -> None:
    seen = RecordedStates()
    cluster = with_node(1, seen)
    cluster._adopt([])
    assert list(cluster._nodes) == [ADDRESS]
    assert cluster._wanted.is_set()
    assert seen.states == [(False, str(UNSERVED))]


@pytest.mark.parametrize(("reply", "reason"), [(b"+OK\r\n", "lost"), (b"*1\r\n:5\r\n", "bug: TypeError")])
async def test_a_slot_map_that_is_none_is_reported(reply: bytes, reason: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            writer.write(reply if b"SLOTS" in data else b"+OK\r\n")
        writer.close()

    seen = RecordedStates()
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        cluster = cluster_of(server.sockets[0].getsockname()[1], seen)
        await cluster.start()
        await cluster.close()
    [(up, why)] = seen.states
    assert not up
    assert why.startswith(reason)
