"""upstream/http1/connection_socket.py: flow control in both directions, and the hand-over to a tunnel."""

import asyncio
import math
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.kernel.faults import UPSTREAM_RESET, GatewayError
from gateway.upstream.http1.connection_socket import ConnectionSocket
from gateway.upstream.http1.deadlines import Deadlines
from tests.clocks import ManualClock
from tests.fakes import turn
from tests.unit.upstream.calls import call
from tests.unit.upstream.transport import RecordingTransport


@pytest.fixture
def transport() -> RecordingTransport:
    return RecordingTransport()


@pytest.fixture
async def socket(transport: RecordingTransport) -> AsyncIterator[ConnectionSocket]:
    loop = asyncio.get_running_loop()
    made, given = ConnectionSocket(loop), Deadlines(lambda: None, ManualClock().clock, loop)
    untyped: Any = transport
    made.connection_made(untyped)
    made._deadline = given
    given.sending(call(first_byte_s=2.0))
    yield made
    given.end()
    transport.end()


async def test_a_tunnel_has_no_deadline(socket: ConnectionSocket) -> None:
    socket._deadline.at = 1002.0
    socket.hand_over()
    assert (socket.tunnelled, socket._deadline.at) == (True, math.inf)


async def test_a_reader_that_does_not_read_suspends_the_deadline(
    socket: ConnectionSocket, transport: RecordingTransport
) -> None:
    socket._deadline.all_sent(answered=True)
    socket._deadline.streams(3)
    assert socket._deadline.at == 1003
    socket.pause()
    assert socket._deadline.at == math.inf
    socket.resume()
    assert (socket._deadline.at, transport.seen) == (1003, ["pause", "resume"])


async def test_a_closed_socket_is_not_read_again(socket: ConnectionSocket, transport: RecordingTransport) -> None:
    socket.pause()
    socket.closed = GatewayError(UPSTREAM_RESET)
    socket.resume()
    assert transport.seen == ["pause"]


async def test_a_write_waits_while_the_service_takes_nothing(
    socket: ConnectionSocket, transport: RecordingTransport
) -> None:
    socket.pause_writing()
    writing = asyncio.ensure_future(socket.write(b"abc"))
    await turn()
    assert (transport.written, writing.done(), socket._deadline.at) == (b"abc", False, 1002)
    socket.resume_writing()
    await writing
    assert socket._deadline.at == math.inf


async def test_what_has_arrived_is_read_before_a_write(socket: ConnectionSocket, transport: RecordingTransport) -> None:
    transport.other.send(b"x")
    writing = asyncio.ensure_future(socket.write(b"abc"))
    asyncio.get_running_loop().call_soon(lambda: transport.write(b"read, "))
    await writing
    assert transport.written == b"read, abc"
