"""upstream/circuit_breaker.py: when the circuit opens and when it closes."""

import asyncio

import pytest

from gateway.kernel.clock import Clock
from gateway.kernel.faults import UPSTREAM_CIRCUIT_OPEN, UPSTREAM_REFUSED, UPSTREAM_SATURATED, GatewayError
from gateway.upstream.circuit_breaker import BreakerRules, CircuitBreaker
from gateway.upstream.shared_state import SharedState
from gateway.upstream.target import Target
from tests.fakes import End, RawBackend, reply, script, until
from tests.unit.upstream.calls import Make, RecordingObserver, call

HANG_UP = script(End.RESET)


class Node:
    """Workers with one circuit, and a clock that does not move by itself."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.observer = RecordingObserver()
        self.row = SharedState({"orders": []}).upstreams["orders"]

    def worker(self, target: Target) -> CircuitBreaker:
        return CircuitBreaker(
            target,
            self.row,
            BreakerRules(3, 10.0, 60.0),
            self.observer,
            Clock(lambda: self.now, lambda: 0.0),
            lambda: 0.0,
        )


async def fault_of(breaker: CircuitBreaker) -> str:
    with pytest.raises(GatewayError) as caught:
        await breaker.send(call(b"POST", b"x"))
    return caught.value.fault.name


@pytest.fixture
def node() -> Node:
    return Node()


async def test_it_opens_when_calls_fail_in_a_row_and_closes_when_one_is_answered(make: Make, node: Node) -> None:
    async with RawBackend(HANG_UP, HANG_UP, script(reply()), HANG_UP, HANG_UP, HANG_UP) as backend:
        one, other = node.worker(make(backend.url)), node.worker(make(backend.url))
        await fault_of(one)
        await fault_of(one)
        await one.send(call())
        assert [await fault_of(one) for _ in range(3)] == ["upstream_reset"] * 3
        assert node.observer.events == ["opened"]
        assert repr(one).startswith("<CircuitBreaker open, 0 failures in a row, before <Target orders ")

        node.now += 2.5
        with pytest.raises(GatewayError) as caught:
            await other.send(call())
        assert (caught.value.fault, caught.value.retry_after_s) == (UPSTREAM_CIRCUIT_OPEN, 8)
        assert len(backend.requests) == 6

        node.now += 7.5
        assert (await other.send(call())).status == 200
        assert node.observer.events == ["opened", "closed"]
        assert (await one.send(call())).status == 200
        assert (one.idle, one.active, one.pending) == (1, 0, 0)
        assert one.targets == one.behind.targets
        assert one.most_tries == one.behind.most_tries
        await one.close()


async def test_a_failed_trial_opens_it_for_longer(make: Make, node: Node) -> None:
    async with RawBackend(default=HANG_UP) as backend:
        breaker = node.worker(make(backend.url))
        for _ in range(3):
            await fault_of(breaker)
        for longer in (20.0, 40.0, 60.0, 60.0):
            node.now = node.row.open_until
            assert await fault_of(breaker) == "upstream_reset"
            assert await fault_of(breaker) == "upstream_circuit_open"
            assert node.observer.times_s[-1] == longer


async def test_there_is_one_trial_at_a_time(make: Make, node: Node) -> None:
    gate = asyncio.Event()
    async with RawBackend(HANG_UP, HANG_UP, HANG_UP, script(gate, reply())) as backend:
        breaker = node.worker(make(backend.url))
        for _ in range(3):
            await fault_of(breaker)
        node.now += 10.0
        trying = asyncio.ensure_future(breaker.send(call()))
        await until(lambda: len(backend.requests) == 4)
        with pytest.raises(GatewayError) as caught:
            await breaker.send(call())
        assert (caught.value.fault, caught.value.retry_after_s) == (UPSTREAM_CIRCUIT_OPEN, 1)
        gate.set()
        assert (await trying).status == 200


async def test_after_a_cancelled_trial_the_next_call_is_the_trial(make: Make, node: Node) -> None:
    async with RawBackend(HANG_UP, HANG_UP, HANG_UP, script(End.NEVER)) as backend:
        breaker = node.worker(make(backend.url))
        for _ in range(3):
            await fault_of(breaker)
        node.now += 10.0
        trying = asyncio.ensure_future(breaker.send(call()))
        await until(lambda: len(backend.requests) == 4)
        trying.cancel()
        await asyncio.wait([trying])
        assert (await breaker.send(call())).status == 200


async def test_a_trial_that_found_no_free_connection_has_no_result(make: Make, node: Node) -> None:
    gate = asyncio.Event()
    async with RawBackend(HANG_UP, HANG_UP, HANG_UP, script(gate, reply())) as backend:
        target = make(backend.url, max_connections=1, max_pending=0)
        breaker = node.worker(target)
        for _ in range(3):
            await fault_of(breaker)
        busy = asyncio.ensure_future(target.send(call()))
        await until(lambda: len(backend.requests) == 4)
        node.now += 10.0
        assert await fault_of(breaker) == UPSTREAM_SATURATED.name
        gate.set()
        await busy
        assert (await breaker.send(call())).status == 200
        assert node.observer.events == ["opened", "closed"]


async def test_calls_that_were_under_way_when_it_opened_have_no_effect(make: Make, node: Node) -> None:
    good, bad = asyncio.Event(), asyncio.Event()
    async with RawBackend(script(good, reply()), script(bad, End.RESET), HANG_UP, HANG_UP, HANG_UP) as backend:
        breaker = node.worker(make(backend.url, max_connections=9))
        answered = asyncio.ensure_future(breaker.send(call()))
        await until(lambda: len(backend.requests) == 1)
        failing = asyncio.ensure_future(fault_of(breaker))
        await until(lambda: len(backend.requests) == 2)
        for _ in range(3):
            await fault_of(breaker)
        bad.set()
        await failing
        good.set()
        assert (await answered).status == 200
        assert await fault_of(breaker) == UPSTREAM_CIRCUIT_OPEN.name
        assert node.observer.events == ["opened"]


async def test_the_circuit_opens_only_after_the_configured_failures(
    make: Make, node: Node, unused_tcp_port: int
) -> None:
    breaker = node.worker(make(f"http://127.0.0.1:{unused_tcp_port}"))
    assert [await fault_of(breaker) for _ in range(4)] == [UPSTREAM_REFUSED.name] * 3 + [UPSTREAM_CIRCUIT_OPEN.name]
