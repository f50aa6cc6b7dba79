"""upstream/http1/deadlines.py: when deadlines expire, and what moves them during a call."""

import asyncio
import math
import time
from collections.abc import AsyncIterator

import msgspec
import pytest

from gateway.kernel.clock import Clock
from gateway.upstream.call import Call
from gateway.upstream.http1.deadlines import Deadline, Deadlines
from tests.clocks import ManualClock
from tests.fakes import turn
from tests.unit.upstream.calls import call

CLOCK = Clock(time.monotonic, time.time)


@pytest.fixture
async def expired() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
async def deadline(expired: asyncio.Event) -> Deadline:
    return Deadline(expired.set, CLOCK, asyncio.get_running_loop())


async def test_expires(deadline: Deadline, expired: asyncio.Event) -> None:
    at = time.monotonic() + 0.02
    deadline.set(at)
    await expired.wait()
    assert time.monotonic() >= at
    assert deadline.at == math.inf


async def test_moved_to_a_later_time(deadline: Deadline, expired: asyncio.Event) -> None:
    deadline.set(time.monotonic() + 0.02)
    at = time.monotonic() + 0.06
    deadline.set(at)
    await expired.wait()
    assert time.monotonic() >= at


async def test_brought_forward(deadline: Deadline, expired: asyncio.Event) -> None:
    deadline.set(time.monotonic() + 60)
    deadline.set(time.monotonic() + 0.02)
    await asyncio.wait_for(expired.wait(), 1)


@pytest.mark.parametrize("how", ["cancel", "clear"])
async def test_cancelled(deadline: Deadline, expired: asyncio.Event, how: str) -> None:
    deadline.set(time.monotonic() + 0.01)
    if how == "cancel":
        deadline.cancel()
    else:
        deadline.at = math.inf
    later = asyncio.Event()
    asyncio.get_running_loop().call_later(0.03, later.set)
    await later.wait()
    assert not expired.is_set()
    # And it can be set again
    deadline.set(time.monotonic())
    await expired.wait()


async def test_never(deadline: Deadline, expired: asyncio.Event) -> None:
    deadline.set(math.inf)
    deadline.cancel()
    await turn()
    assert not expired.is_set()


async def test_an_ended_deadline_drops_its_callback(deadline: Deadline, expired: asyncio.Event) -> None:
    deadline.set(time.monotonic() + 0.01)
    deadline.end()
    deadline.set(time.monotonic())
    later = asyncio.Event()
    asyncio.get_running_loop().call_later(0.03, later.set)
    await later.wait()
    assert deadline.at == math.inf
    assert not expired.is_set()


class Sent(msgspec.Struct):
    """A request that was sent in one write."""

    call: Call
    sent_at: float


def sent(made: Call, at: float = 100.0) -> Sent:
    return Sent(made, at)


class TestDeadlines:
    """The deadlines of a call with 2 s to the first byte and 5 s in total, sent at 100."""

    CALL = call(first_byte_s=2, total_s=5)

    @pytest.fixture
    async def time(self) -> ManualClock:
        return ManualClock(100_000_000)

    @pytest.fixture
    async def deadlines(self, time: ManualClock) -> Deadlines:
        return Deadlines(lambda: None, time.clock, asyncio.get_running_loop())

    @pytest.fixture(autouse=True)
    async def _silenced(self, deadlines: Deadlines) -> AsyncIterator[None]:
        yield
        deadlines.cancel()

    async def test_a_stream_lasts_as_long_as_the_upstream_is_not_silent(
        self, time: ManualClock, deadlines: Deadlines
    ) -> None:
        deadlines.sent(sent(self.CALL))
        deadlines.head_arrived()
        deadlines.streams(3)
        for _ in range(9):
            assert deadlines.due() == time.clock.monotonic() + 3
            time.advance(2.9)
            deadlines.heard()
        assert deadlines.reason(self.CALL, uploading=False) == "the reply went silent for 3 s"

    async def test_an_unread_stream_suspends_the_time_out(self, time: ManualClock, deadlines: Deadlines) -> None:
        deadlines.sent(sent(self.CALL))
        deadlines.streams(3)
        deadlines.unread(waiting=True)
        assert deadlines.due() == math.inf
        deadlines.heard()  # what was on its way
        assert deadlines.due() == math.inf
        time.advance(600)
        deadlines.unread(waiting=False)
        assert deadlines.due() == 703

    async def test_a_stream_while_the_request_still_goes_out(self, time: ManualClock, deadlines: Deadlines) -> None:
        """A wait for the client is no silence of the upstream; a wait for the upstream to accept data is."""
        deadlines.sending(self.CALL)
        deadlines.streams(3)
        assert deadlines.due() == math.inf
        deadlines.blocked()
        assert deadlines.due() == 103
        time.advance(2)
        deadlines.unblocked()
        assert deadlines.due() == math.inf
        deadlines.all_sent(answered=True)
        assert deadlines.due() == 105

    async def test_a_stream_leaves_nothing_to_the_next_call(self, deadlines: Deadlines) -> None:
        deadlines.sending(self.CALL)
        deadlines.streams(3)
        deadlines.unread(waiting=True)
        deadlines.sent(sent(self.CALL))
        assert deadlines.due() == 102
        deadlines.head_arrived()
        assert deadlines.due() == 105
        deadlines.sending(self.CALL)
        deadlines.streams(3)
        deadlines.all_sent(answered=True)
        assert deadlines.due() == 103

    async def test_a_request_that_is_sent_in_one_write(self, deadlines: Deadlines) -> None:
        deadlines.sent(sent(self.CALL))
        assert deadlines.due() == 102
        assert deadlines.reason(self.CALL, uploading=False) == "no reply within 2 s"
        deadlines.head_arrived()
        assert deadlines.due() == 105

    async def test_the_time_that_the_upstream_takes_to_accept_a_request_counts(
        self, time: ManualClock, deadlines: Deadlines
    ) -> None:
        """Every wait is short enough for itself; all of them together are bounded by the total."""
        deadlines.sending(self.CALL)
        for at in (102, 103.5, 105):
            deadlines.blocked()
            assert deadlines.due() == at
            time.advance(1.5)
            deadlines.unblocked()
            assert deadlines.due() == math.inf
        deadlines.blocked()
        assert deadlines.due() == 105  # 0.5 s of the total are left
        assert deadlines.reason(self.CALL, uploading=True) == "the request was not taken for 2 s"
        time.advance(0.5)
        assert deadlines.reason(self.CALL, uploading=True) == "no end of the reply within 5 s"

    async def test_the_time_that_the_client_takes_does_not_count(self, time: ManualClock, deadlines: Deadlines) -> None:
        deadlines.sending(self.CALL)
        deadlines.blocked()
        time.advance(1)
        deadlines.unblocked()
        time.advance(60)
        deadlines.all_sent(answered=False)
        assert deadlines.due() == 163
        deadlines.head_arrived()
        assert deadlines.due() == 165

    @pytest.mark.parametrize("unblocked", [True, False])
    async def test_an_answer_in_between_gives_no_more_time(
        self, time: ManualClock, deadlines: Deadlines, *, unblocked: bool
    ) -> None:
        deadlines.sending(self.CALL)
        deadlines.blocked()
        time.advance(1.5)
        if unblocked:
            deadlines.unblocked()
        deadlines.all_sent(answered=True)
        assert deadlines.due() == 105

    async def test_no_reply_has_more_time_than_the_whole_call(self, deadlines: Deadlines) -> None:
        deadlines.sent(sent(call(first_byte_s=9.0, total_s=5.0)))
        assert deadlines.due() == 105

    async def test_the_timer_of_an_earlier_call_serves_a_later_one(self, deadlines: Deadlines) -> None:
        deadlines.sent(sent(self.CALL))
        timer = deadlines._timer
        deadlines.sent(sent(self.CALL, 103))
        assert deadlines.due() == 105
        assert deadlines._timer is timer

    async def test_a_timer_is_far_enough_for_calls_with_as_much_time(self, deadlines: Deadlines) -> None:
        assert deadlines.ahead_s == math.inf
        deadlines.sent(sent(self.CALL))
        assert deadlines.ahead_s == 2.0
        deadlines.request = None
        assert deadlines.due() == math.inf
        deadlines.request = sent(self.CALL, 101)  # as it is enough for it
        assert deadlines.due() == 103
        deadlines.sent(sent(call(first_byte_s=0.5), 100))
        assert deadlines.ahead_s == 0.5
        deadlines.cancel()
        assert (deadlines.ahead_s, deadlines.due()) == (math.inf, math.inf)

    async def test_a_timer_that_fires_early_is_set_for_the_request_under_way(self) -> None:
        expired = asyncio.Event()
        deadlines = Deadlines(expired.set, CLOCK, asyncio.get_running_loop())
        deadlines.sent(sent(call(first_byte_s=0.01), time.monotonic()))
        began = time.monotonic()
        deadlines.request = sent(call(first_byte_s=0.05), began)
        await expired.wait()
        assert time.monotonic() >= began + 0.05
        assert deadlines.reason(call(first_byte_s=0.05), uploading=False) == "no reply within 0.05 s"
