"""upstream/http1/body_receiver.py: large bodies are received into one block, and what follows them is noticed."""

import asyncio
from typing import Any

import pytest

from gateway.kernel.faults import UPSTREAM_INCOMPLETE, GatewayError
from gateway.upstream.http1.body_buffer import BodyBuffer
from gateway.upstream.http1.body_receiver import BodyReceiver, receive_in_one_block
from tests.fakes import End, RawBackend, Step, reply, script, until
from tests.unit.upstream.calls import Make, call
from tests.unit.upstream.transport import RecordingTransport

MIB = 1 << 20
BODY = bytes(range(256)) * 4096


class RecordingConnection:
    """A connection that keeps what it is told."""

    def __init__(self) -> None:
        self.seen: list[object] = []

    def body_received(self, size: int) -> None:
        self.seen.append(size)

    def eof_received(self) -> None:
        self.seen.append("eof")

    def connection_lost(self, exc: Exception | None) -> None:
        self.seen.append(exc)

    def pause_writing(self) -> None:
        self.seen.append("pause")

    def resume_writing(self) -> None:
        self.seen.append("resume")


def received(connection: RecordingConnection, transport: Any, buffer: BodyBuffer, missing: int) -> Any:
    """Start to receive, and return who stands at the socket then."""
    receive_in_one_block(connection, transport, buffer, missing)
    return transport.protocol


def test_the_connection_gets_the_end_of_the_body_and_all_other_events() -> None:
    connection, transport, buffer = RecordingConnection(), RecordingTransport(), BodyBuffer()
    buffer.add(b"begun")
    receiver = received(connection, transport, buffer, MIB)
    receiver.pause_writing()
    receiver.resume_writing()
    block = receiver.get_buffer(65536)
    block[:3] = b"abc"
    receiver.buffer_updated(3)
    rest = len(block) - 3
    assert rest < MIB - 3
    assert len(receiver.get_buffer(65536)) == rest
    receiver.buffer_updated(rest)
    assert transport.protocol is connection
    receiver.eof_received()
    receiver.connection_lost(None)
    del block
    buffer.add(b"x" * (MIB - 3 - rest))
    body = buffer.take()
    assert (len(body), body[:8], body[-1:]) == (5 + MIB, b"begunabc", b"x")
    assert connection.seen == ["pause", "resume", 3, rest, "eof", None]
    transport.end()


@pytest.mark.parametrize("reading", [False, True])
def test_a_socket_that_is_not_read_is_not_read_because_of_it(*, reading: bool) -> None:
    transport = RecordingTransport()
    transport.reading = reading
    assert isinstance(received(RecordingConnection(), transport, BodyBuffer(), MIB), BodyReceiver)
    assert transport.reading == reading
    transport.end()


@pytest.mark.parametrize(("missing", "tls"), [(60_000, None), (MIB, object())], ids=["small", "TLS"])
def test_what_is_not_received_at_its_place(missing: int, tls: object) -> None:
    transport: Any = RecordingTransport()
    recorded = transport.get_extra_info
    transport.get_extra_info = lambda name: tls if name == "ssl_object" else recorded(name)
    assert received(RecordingConnection(), transport, BodyBuffer(), missing) is None
    transport.end()


@pytest.mark.parametrize("first", [30_000, MIB - 70_000])
async def test_a_large_body_arrives_and_its_connection_is_kept(make: Make, first: int) -> None:
    gate = asyncio.Event()
    whole = reply(BODY)
    async with RawBackend(script(whole[:first], gate, whole[first:])) as backend:
        upstream = make(backend.url)
        sending = asyncio.ensure_future(upstream.send(call(buffer_bytes=MIB)))
        await until(lambda: any(connection._buffer.size for connection in upstream._all))
        gate.set()
        answer = await sending
        assert (answer.body == BODY, answer.stream, upstream.idle) == (True, None, 1)
        assert (await upstream.send(call())).body == b"{}"
        assert backend.connections == 1


@pytest.mark.parametrize(
    ("steps", "whole"),
    [
        ((BODY + b"HTTP/1.1 200 OK\r\n",), True),
        ((BODY[:-1], End.CLOSE), False),
        ((BODY[: MIB // 2], End.RESET), False),
    ],
    ids=["more than the body", "without its end", "reset"],
)
async def test_a_connection_is_not_kept_after_a_body_of_another_length(
    make: Make, steps: tuple[Step, ...], *, whole: bool
) -> None:
    async with RawBackend(script(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % MIB, *steps)) as backend:
        upstream = make(backend.url)
        if whole:
            assert (await upstream.send(call(buffer_bytes=MIB))).body == BODY
        else:
            with pytest.raises(GatewayError) as caught:
                await upstream.send(call(buffer_bytes=MIB))
            assert caught.value.fault is UPSTREAM_INCOMPLETE
        assert (upstream.active, upstream.idle) == (0, 0)
