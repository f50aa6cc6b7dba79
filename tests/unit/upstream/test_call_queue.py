"""upstream/call_queue.py: calls that wait for a connection, in order."""

import asyncio

import pytest

from gateway.kernel.faults import UPSTREAM_SATURATED, UPSTREAM_UNREACHABLE, GatewayError
from gateway.upstream.call_queue import CallQueue, Freed
from tests.fakes import turn


class Slots:
    """Records what calls give back."""

    def __init__(self, most: int = 2) -> None:
        self.given_back: list[Freed] = []
        self.queue = CallQueue("orders:80", most, self.given_back.append)

    def wait(self, within_s: float = 5.0, *, at_head: bool = False) -> "asyncio.Task[Freed]":
        loop = asyncio.get_running_loop()
        return loop.create_task(self.queue.wait(loop.time() + within_s, at_head=at_head))


async def test_the_call_that_has_waited_longest_is_served_first() -> None:
    slots = Slots()
    first, second = slots.wait(), slots.wait()
    await turn()
    assert len(slots.queue) == 2
    assert slots.queue.give(None)
    assert await first is None
    assert not second.done()
    assert slots.queue.give(None)
    await second
    assert not slots.queue.give(None)


async def test_a_call_at_the_head_is_served_before_the_others_even_if_the_queue_is_full() -> None:
    slots = Slots(most=1)
    waiting = slots.wait()
    await turn()
    head = slots.wait(at_head=True)
    await turn()
    slots.queue.give(None)
    await head
    assert not waiting.done()
    slots.queue.give(None)
    await waiting


async def test_a_full_queue_is_an_error_at_once() -> None:
    slots = Slots(most=0)
    with pytest.raises(GatewayError) as caught:
        await slots.wait()
    assert (caught.value.fault, caught.value.cause) == (
        UPSTREAM_SATURATED,
        "orders:80: all connections and the queue are full",
    )


async def test_a_call_waits_no_longer_than_its_deadline() -> None:
    slots = Slots()
    with pytest.raises(GatewayError) as caught:
        await slots.wait(0.01)
    assert (caught.value.fault, caught.value.cause) == (
        UPSTREAM_SATURATED,
        "orders:80: no connection became free in time",
    )
    assert len(slots.queue) == 0
    assert slots.given_back == []


async def test_a_call_that_is_cancelled_when_it_was_served_gives_its_slot_back() -> None:
    slots = Slots()
    waiting = slots.wait()
    await turn()
    slots.queue.give(None)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert slots.given_back == [None]


async def test_waiting_calls_that_were_cancelled_are_passed_over() -> None:
    slots = Slots()
    cancelled, waiting = slots.wait(), slots.wait()
    await turn()
    cancelled.cancel()
    assert slots.queue.give(None)
    await waiting
    assert not slots.queue.give(None)
    assert slots.given_back == []
    await asyncio.wait([cancelled])


async def test_all_waiting_calls_fail_when_the_target_is_closed() -> None:
    slots = Slots(most=3)
    waiting = [slots.wait(), slots.wait()]
    cancelled = slots.wait()
    await turn()
    cancelled.cancel()
    slots.queue.fail(GatewayError(UPSTREAM_UNREACHABLE))
    for each in waiting:
        with pytest.raises(GatewayError) as caught:
            await each
        assert caught.value.fault is UPSTREAM_UNREACHABLE
    await asyncio.wait([cancelled])
    assert len(slots.queue) == 0
