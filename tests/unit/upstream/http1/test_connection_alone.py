"""upstream/http1/connection.py: a connection without a pool and a network, whose owner and transport record."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.kernel.faults import UPSTREAM_INCOMPLETE, UPSTREAM_PROTOCOL_ERROR, UPSTREAM_STREAMS_FULL, GatewayError
from gateway.net.loop_budget import LoopBudget
from gateway.net.write_batch import WriteBatch
from gateway.upstream.call import Call
from gateway.upstream.connection_shares import ConnectionOwner
from gateway.upstream.http1.body_receiver import BodyReceiver
from gateway.upstream.http1.connection import UpstreamConnection
from gateway.upstream.http1.connection_socket import UpstreamConnectionState
from gateway.upstream.http1.framing import Origin
from gateway.upstream.http1.pending_answer import PendingAnswer
from gateway.upstream.http1.response_stream import PAUSE_BYTES
from gateway.upstream.http1.upgrade import UpgradeReader
from tests.clocks import ManualClock
from tests.fakes import reply, until
from tests.unit.upstream.calls import call, streamed
from tests.unit.upstream.transport import RecordingTransport

SWITCHES = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n"
IMAGE = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 6\r\n\r\nabc"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
MIB = 1 << 20


class RecordingOwner(ConnectionOwner[UpstreamConnection]):
    """A ConnectionOwner that keeps what became of its connection."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.streams = True

    def release(self, connection: UpstreamConnection, idle_hint_s: float | None) -> None:
        self.seen.append("release")

    def discarded(self, connection: UpstreamConnection) -> None:
        self.seen.append("discarded")

    def may_stream(self, connection: UpstreamConnection) -> bool:
        return self.streams

    def send_again(self, connection: UpstreamConnection, call: Call, sent_at: float) -> None:
        self.seen.append("failed")


class Alone:
    """A connection, its owner and its transport."""

    def __init__(self) -> None:
        self.owner, self.transport = RecordingOwner(), RecordingTransport()
        loop, clock, origin = asyncio.get_running_loop(), ManualClock().clock, Origin(b"", b"Host: t\r\n")
        self.connection = UpstreamConnection(self.owner, "t:80", origin, clock, loop, WriteBatch(), LoopBudget())
        transport: Any = self.transport
        self.connection.connection_made(transport)

    def begin(self, sent: Call) -> PendingAnswer:
        return self.connection.begin(sent, b"", 1000.0)


@pytest.fixture
async def alone() -> AsyncIterator[Alone]:
    made = Alone()
    yield made
    made.connection.abandon()
    made.transport.end()


async def test_a_switch_hands_the_socket_to_a_tunnel(alone: Alone) -> None:
    sent = call()
    sent.upgrade_mask = b"abcd"
    waiter = alone.begin(sent)
    reader = alone.transport.protocol
    assert isinstance(reader, UpgradeReader)
    reader.data_received(SWITCHES)
    assert alone.connection.state is UpstreamConnectionState.TUNNEL
    streamed(waiter.result()).close()
    assert "close" in alone.transport.seen


async def test_nothing_begins_on_a_connection_that_has_ended(alone: Alone) -> None:
    alone.connection.abandon()
    with pytest.raises(GatewayError) as caught:
        alone.begin(call())
    assert caught.value.fault is UPSTREAM_INCOMPLETE
    assert alone.owner.seen == ["discarded"]


async def test_bytes_between_calls_end_it(alone: Alone) -> None:
    alone.connection.data_received(reply())
    assert alone.connection.closed is not None
    assert alone.connection.closed.fault is UPSTREAM_PROTOCOL_ERROR


async def test_its_end_is_no_fault_when_it_is_closed_already(alone: Alone) -> None:
    alone.connection.abandon()
    why = alone.connection.closed
    alone.connection.connection_lost(None)
    assert alone.connection.closed is why
    assert alone.connection.lost.done()


@pytest.mark.parametrize("late", [CHUNKED, reply()])
async def test_a_caller_that_leaves_ends_it(alone: Alone, late: bytes) -> None:
    """At once: what still arrives belongs to no other caller."""
    alone.begin(call(buffer_bytes=0)).cancel()
    assert alone.connection.state is UpstreamConnectionState.CLOSED
    alone.connection.data_received(late)
    assert alone.owner.seen == ["discarded"]


async def test_a_head_that_is_known_says_nothing_about_the_reply_to_head(alone: Alone) -> None:
    for method, seen in ((b"GET", ["release"]), (b"GET", ["release"] * 2), (b"HEAD", ["release"] * 2 + ["discarded"])):
        waiter = alone.begin(call(method))
        alone.connection.data_received(reply(b"{}", b"X-Known: head"))
        assert (waiter.result().body, alone.owner.seen) == (b"" if method == b"HEAD" else b"{}", seen)


async def test_heads_that_are_known_are_not_taken_for_others(alone: Alone) -> None:
    """Also from one that begins with the same bytes, and of which as many bytes have arrived."""
    short = b"HTTP/1.1 200 Apart\r\nContent-Length: 13"
    begun = short + b"\r\nA: b\r\n\r\n"
    longer = b"HTTP/1.1 200 Longer\r\nContent-Length: 2\r\n\r\n"
    objects, arrays = b"{}".ljust(13), b"[]".ljust(13)
    replies = [
        ((short + b"\r\n\r\n" + objects,), objects),
        ((short + b"\r\n\r\n" + arrays,), arrays),
        ((begun + arrays[:7], arrays[7:]), arrays),
        ((longer + b"{}",), b"{}"),
        ((short + b"\r\n\r\n" + arrays,), arrays),
    ]
    for pieces, body in replies * 2:
        waiter = alone.begin(call())
        for piece in pieces:
            assert not waiter.done
            alone.connection.data_received(piece)
        assert (waiter.result().body, waiter.result().status) == (body, 200)
    assert alone.owner.seen == ["release"] * 10


async def test_what_follows_a_reply_with_a_known_head_ends_the_connection(alone: Alone) -> None:
    for extra, seen in ((b"", "release"), (b"", "release"), (b"x", "discarded")):
        waiter = alone.begin(call())
        alone.connection.data_received(reply(b"{}", b"X-Known: more") + extra)
        assert (waiter.result().body, alone.owner.seen[-1]) == (b"{}", seen)


async def test_a_reply_after_which_the_service_closes_is_the_last(alone: Alone) -> None:
    waiter = alone.begin(call())
    alone.connection.data_received(reply(b"{}", b"Connection: close"))
    assert (waiter.result().body, alone.owner.seen) == (b"{}", ["discarded"])


async def test_events_are_refused_where_no_more_may_stream(alone: Alone) -> None:
    alone.owner.streams = False
    waiter = alone.begin(call())
    alone.connection.data_received(EVENTS)
    with pytest.raises(GatewayError) as caught:
        waiter.result()
    assert caught.value.fault is UPSTREAM_STREAMS_FULL


async def test_what_fits_into_memory_is_received_where_no_more_may_stream(alone: Alone) -> None:
    alone.owner.streams = False
    sent = call()
    sent.read_ahead_bytes = 6
    waiter = alone.begin(sent)
    alone.connection.data_received(IMAGE)
    assert not waiter.done
    alone.connection.data_received(b"def")
    assert (waiter.result().body, alone.owner.seen) == (b"abcdef", ["release"])


async def test_a_large_reply_waits_for_its_turn(alone: Alone) -> None:
    waiter = alone.begin(call(buffer_bytes=4 * MIB))
    whole = reply(b" " * 3 * MIB)
    alone.connection.data_received(whole[: 2 * MIB])
    assert alone.transport.seen == ["pause"]
    await until(lambda: alone.transport.seen == ["pause", "resume"])
    alone.connection.data_received(whole[2 * MIB :])
    assert len(waiter.result().body) == 3 * MIB


async def test_a_large_reply_that_is_given_up_has_no_other_turn(alone: Alone) -> None:
    alone.begin(call(buffer_bytes=4 * MIB))
    alone.connection.data_received(reply(b" " * 3 * MIB)[: 2 * MIB])
    alone.connection.abandon()
    await until(lambda: "0 waiting" in repr(alone.connection._loop_budget))
    assert alone.transport.seen == ["pause", "abort"]


@pytest.mark.parametrize("buffer_bytes", [2 * MIB, 3 * MIB])
async def test_a_block_is_made_only_for_a_reply_that_is_held(alone: Alone, buffer_bytes: int) -> None:
    alone.begin(call(buffer_bytes=buffer_bytes))
    alone.connection.data_received(reply(b" " * 3 * MIB)[: MIB // 2])
    assert isinstance(alone.transport.protocol, BodyReceiver) == (buffer_bytes == 3 * MIB)


async def test_the_end_of_a_stream_that_nobody_reads_frees_the_connection(alone: Alone) -> None:
    waiter = alone.begin(call(buffer_bytes=0))
    alone.connection.data_received(CHUNKED)
    size = PAUSE_BYTES + 1
    alone.connection.data_received(b"%x\r\n%b\r\n" % (size, b"x" * size))
    assert alone.transport.seen == ["pause"]
    alone.connection.data_received(b"0\r\n\r\n")
    assert (alone.transport.seen, alone.owner.seen) == (["pause", "resume"], ["release"])
    assert len(await streamed(waiter.result()).read()) == size


async def test_a_call_that_fails_is_offered_to_the_pool(alone: Alone) -> None:
    pending = alone.begin(call())
    alone.connection.connection_lost(None)
    with pytest.raises(GatewayError):
        await pending
    assert alone.owner.seen == ["discarded", "failed"]
