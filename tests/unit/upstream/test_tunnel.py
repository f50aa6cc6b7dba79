"""upstream/tunnel.py: bytes of a WebSocket in both directions, back-pressure, and the end of both."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from gateway.kernel.faults import SHUTTING_DOWN, TUNNEL_IDLE, UPSTREAM_INCOMPLETE, GatewayError
from gateway.kernel.websocket import close_frame
from gateway.upstream.tunnel import Tunnel, TunnelState
from gateway.upstream.tunnel_direction import FRAMES_AT_ONCE
from tests.fakes import turn, until

MASK = b"abcd"
TEXT, LONG = b"\x81\x05hello", b"\x82\x7e\x01\x00"
"""A whole frame, and the head of one with 256 bytes."""
ENDS, ENDS_MASKED = close_frame(1001), close_frame(1001, MASK)
CLIENT_CLOSES = b"\x88\x82\x00\x00\x00\x00\x03\xe9"


class RecordingTransport:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.reading = True
        self.state = "open"

    def write(self, data: bytes) -> None:
        assert self.state == "open"
        self.written += data

    def pause_reading(self) -> None:
        assert self.state == "open"
        self.reading = False

    def resume_reading(self) -> None:
        assert self.state == "open"
        self.reading = True

    def is_closing(self) -> bool:
        return self.state != "open"

    def close(self) -> None:
        self.state = "closed"

    def abort(self) -> None:
        self.state = "aborted"


class RecordingOwner:
    """A TunnelOwner that counts."""

    def __init__(self) -> None:
        self.lost = 0

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost += 1

    def abandon(self) -> None:
        raise NotImplementedError


class Both:
    """A tunnel and the transports at its ends."""

    def __init__(self, early: bytes = b"", idle_s: float = 60.0) -> None:
        self.owner, self.service, self.client = RecordingOwner(), RecordingTransport(), RecordingTransport()
        self.tunnel = Tunnel(
            self.owner,
            cast(asyncio.Transport, self.service),
            asyncio.get_running_loop(),
            early=early,
            idle_s=idle_s,
            mask=MASK,
        )

    def open(self, early: bytes = b"") -> Tunnel:
        self.tunnel.open(cast(asyncio.Transport, self.client), early)
        return self.tunnel


async def test_bytes_go_through_untouched() -> None:
    both = Both(early=TEXT)
    assert not both.service.reading
    tunnel = both.open(early=b"first")
    assert (both.client.written, both.service.written, both.service.reading) == (TEXT, b"first", True)
    tunnel.data_received(b"\xff" * 10)
    tunnel.from_client(b"more")
    assert (both.client.written, both.service.written) == (TEXT + b"\xff" * 10, b"firstmore")
    assert (tunnel.sent_bytes, tunnel.received_bytes) == (len(TEXT) + 10, 9)
    assert repr(tunnel) == "<Tunnel open, 17 bytes to the client, 9 from it>"
    tunnel.close()


async def test_who_does_not_read_makes_the_other_one_wait() -> None:
    both = Both()
    both.tunnel.pause_writing()
    both.tunnel.resume_writing()
    tunnel = both.open()
    tunnel.client_full()
    assert not both.service.reading
    tunnel.client_drained()
    assert both.service.reading
    tunnel.pause_writing()
    assert not both.client.reading
    tunnel.resume_writing()
    assert both.client.reading
    tunnel.close()
    tunnel.client_full()
    tunnel.client_drained()
    tunnel.pause_writing()
    tunnel.resume_writing()


ENDINGS: dict[str, Callable[[Tunnel], object]] = {
    "the client left": Tunnel.client_left,
    "the service has closed": Tunnel.eof_received,
    "it is closed": Tunnel.close,
}


@pytest.mark.parametrize("ending", ENDINGS)
async def test_an_end_gives_the_socket_back_once(ending: str) -> None:
    both = Both()
    tunnel = both.open()
    ENDINGS[ending](tunnel)
    await tunnel.ended
    assert (tunnel.state, tunnel.error, both.service.is_closing()) == (TunnelState.CLOSED, None, True)
    for again in (Tunnel.client_left, Tunnel.close):
        again(tunnel)
    tunnel.connection_lost(None)
    assert both.owner.lost == 1
    assert await tunnel.read() == b""


async def test_what_comes_for_an_end_that_is_closed_is_dropped() -> None:
    both = Both()
    tunnel = both.open()
    both.client.close()
    tunnel.data_received(TEXT)
    both.service.close()
    tunnel.from_client(TEXT)
    tunnel.client_left()
    tunnel.data_received(TEXT)
    assert (both.client.written, both.service.written) == (b"", b"")


@pytest.mark.parametrize("error", [None, OSError(104, "Connection reset by peer"), OSError()])
async def test_a_connection_that_breaks_is_an_error(error: Exception | None) -> None:
    both = Both()
    tunnel = both.open()
    tunnel.connection_lost(error)
    await tunnel.ended
    assert tunnel.error is not None
    assert tunnel.error.fault is UPSTREAM_INCOMPLETE


async def test_one_that_breaks_before_it_is_open_has_ended_already() -> None:
    both = Both(early=TEXT)
    both.tunnel.connection_lost(None)
    both.open()
    await both.tunnel.ended
    assert both.client.written == b""


async def test_both_peers_get_a_close_frame_between_two_frames() -> None:
    both = Both()
    tunnel = both.open()
    tunnel.data_received(TEXT + LONG + b"x" * 200)
    tunnel.from_client(TEXT)
    tunnel.client_full()
    tunnel.go_away(GatewayError(SHUTTING_DOWN))
    assert (both.service.reading, both.service.written) == (True, TEXT + ENDS_MASKED)
    tunnel.data_received(b"x" * 6)
    tunnel.data_received(b"x" * 50 + TEXT + LONG)
    tunnel.data_received(TEXT)
    assert both.client.written == TEXT + LONG + b"x" * 256 + ENDS
    tunnel.from_client(TEXT)
    assert tunnel.state is TunnelState.CLOSING
    tunnel.from_client(CLIENT_CLOSES)
    await tunnel.ended
    assert both.service.written == TEXT + ENDS_MASKED
    assert tunnel.error is not None
    assert tunnel.error.fault is SHUTTING_DOWN
    assert tunnel.sent_bytes == len(TEXT + LONG) + 256


async def test_peers_that_close_already_get_no_second_close_frame() -> None:
    both = Both()
    tunnel = both.open()
    tunnel.data_received(ENDS)
    tunnel.from_client(CLIENT_CLOSES)
    tunnel.go_away(GatewayError(SHUTTING_DOWN))
    tunnel.go_away(GatewayError(TUNNEL_IDLE))
    assert (both.client.written, both.service.written) == (ENDS, CLIENT_CLOSES)
    tunnel.close()


async def test_a_close_frame_waits_for_the_end_of_a_head_too() -> None:
    both = Both()
    tunnel = both.open()
    tunnel.from_client(b"\x81")
    tunnel.go_away(GatewayError(SHUTTING_DOWN))
    tunnel.from_client(b"\x01z" + TEXT)
    assert both.service.written == b"\x81\x01z" + ENDS_MASKED
    tunnel.close()


async def test_nobody_is_waited_for_for_long() -> None:
    both = Both()
    tunnel = both.open()
    tunnel.go_away(GatewayError(SHUTTING_DOWN))
    await tunnel.ended
    assert both.service.state == "closed"
    await until(lambda: both.service.state == "aborted")


@pytest.mark.parametrize("opened", [True, False])
async def test_a_silent_tunnel_is_closed(*, opened: bool) -> None:
    both = Both(idle_s=0.05)
    if opened:
        both.open()
        both.tunnel.from_client(TEXT)
    await until(lambda: both.tunnel.error is not None)
    if opened:
        assert both.client.written == ENDS
        both.tunnel.from_client(CLIENT_CLOSES)
    await both.tunnel.ended
    error: Any = both.tunnel.error
    assert (error.fault, error.cause) == (TUNNEL_IDLE, "the tunnel was silent for 0.05 s")
    assert both.tunnel.waited_s > 0.04


MANY = b"\x8a\x00" * (FRAMES_AT_ONCE + 1)
"""More small frames than have their turn at once."""


async def test_of_many_small_frames_the_rest_waits_for_the_next_turn() -> None:
    both = Both(early=MANY)
    tunnel = both.open(early=MANY)
    for transport in (both.client, both.service):
        assert (transport.written, transport.reading) == (MANY[:-2], False)
    tunnel.data_received(TEXT)
    tunnel.from_client(MANY)
    tunnel.client_drained()
    tunnel.resume_writing()
    assert (both.client.reading, both.service.reading) == (False, False)
    await until(lambda: both.client.reading and both.service.reading)
    assert (both.client.written, both.service.written) == (MANY + TEXT, MANY * 2)
    tunnel.close()


async def test_what_waits_for_a_turn_is_not_lost_at_the_end() -> None:
    both = Both()
    tunnel = both.open()
    tunnel.data_received(MANY)
    tunnel.from_client(MANY)
    tunnel.client_left()
    await tunnel.ended
    await turn()
    assert (both.client.written, both.service.written) == (MANY, MANY)
    assert (tunnel.sent_bytes, tunnel.received_bytes) == (len(MANY), len(MANY))


async def test_a_close_frame_does_not_wait_for_the_next_turn() -> None:
    both = Both()
    tunnel = both.open()
    tunnel.from_client(MANY)
    tunnel.client_full()
    tunnel.data_received(MANY)
    tunnel.go_away(GatewayError(SHUTTING_DOWN))
    await until(lambda: both.service.reading)
    assert (both.client.written, both.service.written) == (MANY[:-2] + ENDS, MANY[:-2] + ENDS_MASKED)
    tunnel.close()


async def test_very_many_small_frames_take_several_turns() -> None:
    both, frames = Both(), MANY * 3
    tunnel = both.open()
    tunnel.data_received(frames)
    tunnel.from_client(frames)
    await until(lambda: both.client.reading and both.service.reading)
    assert (both.client.written, both.service.written) == (frames, frames)
    tunnel.close()


async def test_a_tunnel_that_was_heard_lately_is_not_idle() -> None:
    both = Both()
    tunnel = both.open()
    before = tunnel._timer
    tunnel._check_idle()
    assert tunnel.state is TunnelState.OPEN
    assert tunnel._timer is not before
    before.cancel()
    tunnel.close()
