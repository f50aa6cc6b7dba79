"""upstream/http1/upgrade.py: services that switch protocols, services that do not, and those that get it wrong."""

import asyncio
from typing import Any

import pytest

from gateway.kernel.faults import (
    UPSTREAM_HEADERS_TOO_LARGE,
    UPSTREAM_INCOMPLETE,
    UPSTREAM_PROTOCOL_ERROR,
    UPSTREAM_RESET,
    UPSTREAM_STREAMS_FULL,
    UPSTREAM_TIMEOUT,
    Fault,
    GatewayError,
)
from gateway.net.waiter import Waiter
from gateway.upstream.call import Call
from gateway.upstream.http1.upgrade import UpgradeReader
from gateway.upstream.tunnel import Tunnel
from tests.fakes import End, RawBackend, Step, reply, script, until
from tests.unit.upstream.calls import Make, call, fails

SWITCHES = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, upgrade\r\nX-A:  b \r\n\r\n"
)
EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"


def handshake(first_byte_s: float = 2.0) -> Call:
    made = call(first_byte_s=first_byte_s)
    made.upgrade_mask = b"abcd"
    return made


@pytest.mark.parametrize(
    "steps",
    [
        [SWITCHES + b"\x81\x01a"],
        [EARLY_HINTS + SWITCHES + b"\x81", b"\x01a"],
        [EARLY_HINTS[:20], EARLY_HINTS[20:] + SWITCHES[:11], SWITCHES[11:-1], SWITCHES[-1:], b"\x81\x01a"],
    ],
)
async def test_a_service_that_switches_gets_a_tunnel(make: Make, steps: list[bytes]) -> None:
    gate = asyncio.Event()
    parts: list[Step] = [*steps[:-1], gate]
    async with RawBackend(script(*parts, steps[-1], End.NEVER)) as backend:
        target = make(backend.url)
        sending = asyncio.ensure_future(target.send(handshake()))
        await until(lambda: bool(backend.requests))
        gate.set()
        answer = await sending
        assert (answer.status, answer.fields[2]) == (101, (b"x-a", b"b"))
        assert isinstance(answer.stream, Tunnel)
        assert (target.active, target.idle) == (1, 0)
        assert "tunnel" in repr(next(iter(target._all)))
        answer.stream.close()
        await until(lambda: target.active == 0)


@pytest.mark.parametrize("status", [b"200 OK", b"403 Forbidden", b"426 Upgrade Required", b"503 Unavailable"])
async def test_any_other_answer_is_an_ordinary_one(make: Make, status: bytes) -> None:
    async with RawBackend(script(EARLY_HINTS + reply(b"{}", status=status)), script(reply(b"1"))) as backend:
        target = make(backend.url)
        answer = await target.send(handshake())
        assert (answer.status, answer.body) == (int(status[:3]), b"{}")
        assert target.idle == 1
        assert (await target.send(call())).body == b"1"


@pytest.mark.parametrize(
    ("steps", "fault"),
    [
        ([SWITCHES.replace(b"WebSocket", b"h2c")], UPSTREAM_PROTOCOL_ERROR),
        ([SWITCHES.replace(b"upgrade", b"close")], UPSTREAM_PROTOCOL_ERROR),
        ([SWITCHES.replace(b"X-A: ", b"X A: ")], UPSTREAM_PROTOCOL_ERROR),
        ([SWITCHES.replace(b"X-A: ", b" X-A: ")], UPSTREAM_PROTOCOL_ERROR),
        ([SWITCHES.replace(b"  b", b"a\nb")], UPSTREAM_PROTOCOL_ERROR),
        ([SWITCHES.replace(b"  b", b"a\0b")], UPSTREAM_PROTOCOL_ERROR),
        ([SWITCHES.replace(b"HTTP/1.1", b"HTTP/1.0")], UPSTREAM_PROTOCOL_ERROR),
        ([b"HTTP/1.1 101 Switching Protocols\r\nX: " + b"x" * 70_000, End.NEVER], UPSTREAM_HEADERS_TOO_LARGE),
        ([b"HTTP/1.1 1", End.CLOSE], UPSTREAM_INCOMPLETE),
        ([End.CLOSE], UPSTREAM_RESET),
        ([SWITCHES[:30], End.RESET], UPSTREAM_RESET),
        ([b"SSH-2.0-x\r\n"], UPSTREAM_PROTOCOL_ERROR),
    ],
)
async def test_what_is_no_answer_is_a_fault(make: Make, steps: list[Step], fault: Fault) -> None:
    async with RawBackend(*[script(*steps)] * 2) as backend:
        sent = handshake()
        sent.idempotent = False
        assert (await fails(make(backend.url), sent)).fault is fault


async def test_the_time_of_an_answer_is_that_of_a_handshake_too(make: Make) -> None:
    async with RawBackend(script(SWITCHES[:20], End.NEVER)) as backend:
        assert (await fails(make(backend.url), handshake(first_byte_s=0.05))).fault is UPSTREAM_TIMEOUT


async def test_tunnels_have_their_share_of_connections(make: Make) -> None:
    async with RawBackend(default=script(SWITCHES, End.NEVER)) as backend:
        target = make(backend.url, max_connections=2, max_stream_percent=50)
        first = await target.send(handshake())
        with pytest.raises(Exception, match=UPSTREAM_STREAMS_FULL.name):
            await target.send(handshake())
        assert isinstance(first.stream, Tunnel)
        first.stream.close()
        await until(lambda: target.active == 0)


async def test_a_call_that_is_given_up_leaves_no_tunnel(make: Make) -> None:
    async with RawBackend(script(SWITCHES, End.NEVER)) as backend:
        target = make(backend.url)
        sending = asyncio.ensure_future(target.send(handshake()))
        await until(lambda: bool(backend.requests))
        sending.cancel()
        await asyncio.wait([sending])
        await until(lambda: target.active == 0)


class RecordingConnection:
    """A connection that has sent a handshake, and its transport."""

    def __init__(self) -> None:
        self.closed: GatewayError | None = None
        self.seen: list[str] = []

    def set_protocol(self, protocol: object) -> None:
        self.seen.append("protocol" if protocol is self else "reader")

    def data_received(self, data: bytes) -> None:
        self.seen.append(data.decode())
        self.closed = GatewayError(UPSTREAM_RESET)

    def pause_writing(self) -> None:
        self.seen.append("pause")

    def resume_writing(self) -> None:
        self.seen.append("resume")


def reading() -> tuple[UpgradeReader, RecordingConnection]:
    both: Any = RecordingConnection()
    return UpgradeReader(both, both, Waiter(), handshake(), "t", lambda: True), both


def test_flow_control_is_left_to_the_connection() -> None:
    reader, connection = reading()
    reader.pause_writing()
    reader.resume_writing()
    assert connection.seen == ["reader", "pause", "resume"]


def test_nothing_is_read_for_a_connection_that_has_failed() -> None:
    reader, connection = reading()
    reader.data_received(EARLY_HINTS + SWITCHES)
    assert connection.seen == ["reader", EARLY_HINTS.decode()]
