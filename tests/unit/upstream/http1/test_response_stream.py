"""upstream/http1/response_stream.py: the waits of the reader and of the service."""

import asyncio

import pytest

from gateway.kernel.faults import UPSTREAM_INCOMPLETE, GatewayError
from gateway.upstream.http1.response_stream import PAUSE_BYTES, ResponseStream
from tests.clocks import ManualClock
from tests.fakes import turn


class RecordingSource:
    """A StreamSource that records its calls."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def pause(self) -> None:
        self.asked.append("pause")

    def resume(self) -> None:
        self.asked.append("resume")

    def abandon(self) -> None:
        self.asked.append("abandon")


@pytest.fixture
def time() -> ManualClock:
    return ManualClock()


@pytest.fixture
def source() -> RecordingSource:
    return RecordingSource()


@pytest.fixture
async def stream(source: RecordingSource, time: ManualClock) -> ResponseStream:
    return ResponseStream(source, time.clock, asyncio.get_running_loop())


async def test_waits_of_the_reader_are_added_up(stream: ResponseStream, time: ManualClock) -> None:
    for _ in range(2):
        reading = asyncio.ensure_future(stream.read())
        await turn()
        time.advance(1.5)
        stream.feed(b"a")
        assert await reading == b"a"
    stream.feed(b"b")
    time.advance(9)
    assert await stream.read() == b"b"
    assert stream.waited_s == 3


async def test_the_wait_of_a_cancelled_reader_counts(
    stream: ResponseStream, source: RecordingSource, time: ManualClock
) -> None:
    reading = asyncio.ensure_future(stream.read())
    await turn()
    time.advance(1.5)
    reading.cancel()
    await asyncio.wait([reading])
    assert (stream.waited_s, source.asked) == (1.5, ["abandon"])


async def test_the_time_for_which_a_service_is_paused_is_added_up(
    stream: ResponseStream, source: RecordingSource, time: ManualClock
) -> None:
    for held_s in (1, 4, 2):
        stream.feed(b"x" * (PAUSE_BYTES + 1))
        time.advance(held_s)
        await stream.read()
    assert stream.held_s == 7
    assert source.asked == ["pause", "resume"] * 3


@pytest.mark.parametrize("how", ["broken", "given up"])
async def test_it_may_end_while_it_is_paused(stream: ResponseStream, time: ManualClock, how: str) -> None:
    stream.feed(b"x" * (PAUSE_BYTES + 1))
    time.advance(6)
    if how == "broken":
        stream.fail(GatewayError(UPSTREAM_INCOMPLETE))
    else:
        stream.close()
    time.advance(6)
    assert stream.held_s == 6


async def test_pieces_are_read_together_and_the_end_is_empty(stream: ResponseStream) -> None:
    stream.feed(b"ab")
    stream.feed(b"c")
    stream.end(b"d")
    assert await stream.read() == b"abcd"
    assert await stream.read() == b""
    stream.close()


async def test_a_failed_stream_gives_what_has_arrived_and_then_the_error(stream: ResponseStream) -> None:
    stream.feed(b"ab")
    stream.fail(ValueError("broken"))
    stream.fail(ValueError("later"))
    assert await stream.read() == b"ab"
    with pytest.raises(ValueError, match="broken"):
        await stream.read()


async def test_a_reader_is_woken_by_the_end(stream: ResponseStream) -> None:
    reading = asyncio.ensure_future(stream.read())
    await turn()
    stream.end(b"")
    assert await reading == b""


async def test_a_reply_whose_rest_fits_is_not_paused(source: RecordingSource, time: ManualClock) -> None:
    size = PAUSE_BYTES + 1
    stream = ResponseStream(source, time.clock, asyncio.get_running_loop(), 2 * size, 2 * size)
    stream.feed(b"x" * size)
    assert not source.asked
    short = ResponseStream(source, time.clock, asyncio.get_running_loop(), 2 * size, 2 * size - 1)
    short.feed(b"x" * size)
    assert source.asked == ["pause"]
