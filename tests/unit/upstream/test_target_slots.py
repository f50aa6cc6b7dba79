"""upstream/target.py: waiting for a free connection, and keeping idle ones."""

import asyncio
import time

import pytest

from gateway.kernel.clock import Clock
from gateway.kernel.faults import (
    UPSTREAM_SATURATED,
    GatewayError,
)
from gateway.net.name_resolver import NameResolver
from gateway.upstream.call import Answer
from tests.fakes import End, RawBackend, reply, script, until
from tests.unit.upstream.calls import Make, call


class TestWaiting:
    async def test_the_queue_is_first_come_first_served(self, make: Make) -> None:
        gates = [asyncio.Event() for _ in range(3)]
        async with RawBackend(*[script(gate, reply(b"%d" % number)) for number, gate in enumerate(gates)]) as backend:
            upstream = make(backend.url, max_connections=1)
            calls: list[asyncio.Future[Answer]] = []
            for number in range(3):
                calls.append(asyncio.ensure_future(upstream.send(call())))
                await until(lambda number=number: upstream.pending == number and upstream.active == 1)  # type: ignore[misc]
            for gate in gates:
                gate.set()
            assert [answer.body for answer in await asyncio.gather(*calls)] == [b"0", b"1", b"2"]
            assert backend.connections == 1

    async def test_full_queue(self, make: Make) -> None:
        gate = asyncio.Event()
        async with RawBackend(script(gate, reply())) as backend:
            upstream = make(backend.url, max_connections=1, max_pending=1)
            calls = [asyncio.ensure_future(upstream.send(call())) for _ in range(2)]
            await until(lambda: upstream.pending == 1 and len(backend.requests) == 1)
            with pytest.raises(GatewayError) as caught:
                await upstream.send(call())
            assert caught.value.fault is UPSTREAM_SATURATED
            gate.set()
            await asyncio.gather(*calls)

    async def test_waited_too_long(self, make: Make) -> None:
        gate = asyncio.Event()
        async with RawBackend(script(gate, reply())) as backend:
            upstream = make(backend.url, max_connections=1)
            busy = asyncio.ensure_future(upstream.send(call()))
            await until(lambda: len(backend.requests) == 1)
            with pytest.raises(GatewayError) as caught:
                await upstream.send(call(connect_s=0.05))
            assert caught.value.fault is UPSTREAM_SATURATED
            assert upstream.pending == 0
            gate.set()
            await busy

    async def test_a_slot_that_a_failure_frees_is_used(self, make: Make) -> None:
        gate = asyncio.Event()
        async with RawBackend(script(gate, End.CLOSE)) as backend:
            upstream = make(backend.url, max_connections=1)
            calls = [asyncio.ensure_future(upstream.send(call())) for _ in range(2)]
            await until(lambda: upstream.pending == 1 and len(backend.requests) == 1)
            gate.set()
            failed, answered = await asyncio.gather(*calls, return_exceptions=True)
            assert isinstance(failed, GatewayError)
            assert isinstance(answered, Answer)
            assert backend.connections == 2


class TestIdling:
    async def test_a_connection_that_died_is_not_used(self, make: Make) -> None:
        gate = asyncio.Event()
        async with RawBackend(script(reply(), gate, End.CLOSE)) as backend:
            upstream = make(backend.url)
            await upstream.send(call())
            gate.set()
            await until(lambda: upstream.idle == 0)
            # Even what may not be sent twice goes through
            assert (await upstream.send(call(b"POST", b"x"))).status == 200

    async def test_unread_bytes_are_seen_before_a_call_is_written(self, make: Make) -> None:
        async with RawBackend(script(reply())) as backend:
            upstream = make(backend.url)
            await upstream.send(call())
            [connection] = upstream._idle
            connection.pause()  # the loop has not got round to reading yet
            other = backend._peers[0]._writer
            other.write(reply(b'"unasked"'))
            await until(lambda: not connection.usable(0.0))
            answer = await upstream.send(call(b"POST", b"x"))
            assert answer.body == b"{}"
            assert backend.connections == 2

    async def test_expires(self, make: Make) -> None:
        async with RawBackend() as backend:
            upstream = make(backend.url, idle_timeout_s=0.05)
            await upstream.send(call())
            assert upstream.idle == 1
            await backend.closed(0)
            assert (upstream.idle, upstream.active) == (0, 0)

    async def test_the_others_expire_later(self, make: Make) -> None:
        gate = asyncio.Event()
        async with RawBackend(script(gate, reply()), script(gate, reply())) as backend:
            upstream = make(backend.url, idle_timeout_s=0.1)
            calls = [asyncio.ensure_future(upstream.send(call())) for _ in range(2)]
            await until(lambda: len(backend.requests) == 2)
            gate.set()
            await asyncio.gather(*calls)
            used_again = asyncio.Event()
            asyncio.get_running_loop().call_later(0.05, used_again.set)
            await used_again.wait()
            await upstream.send(call())
            last = backend.requests[-1].connection
            await backend.closed(1 - last)
            assert upstream.idle == 1
            await backend.closed(last)
            assert upstream.idle == 0

    async def test_no_connection_is_used_beyond_its_greatest_age(self, make: Make) -> None:
        release = asyncio.Event()
        async with RawBackend(script(reply()), script(reply()), script(release, reply()), script(reply())) as backend:
            upstream = make(backend.url, max_age_s=0.05, idle_timeout_s=0.1)
            await upstream.send(call())
            await upstream.send(call())
            await backend.closed(0)  # idle
            busy = asyncio.ensure_future(upstream.send(call()))
            await until(lambda: len(backend.requests) == 3)
            old = backend.requests[2].connection
            await until(lambda: all(each.ends_at < upstream._clock.monotonic() for each in upstream._all))
            release.set()
            assert (await busy).status == 200  # what it has begun it finishes
            await backend.closed(old)
            assert (upstream.idle, upstream.active) == (0, 0)
            await upstream.send(call())
            assert backend.requests[3].connection > old

    async def test_those_to_an_address_that_vanished_finish_and_end(self, make: Make) -> None:
        answers, release = ["127.0.0.1"], asyncio.Event()
        async with RawBackend(script(release, reply()), script(reply())) as backend:
            names = NameResolver(Clock(time.monotonic, time.time), None, lambda _: [*answers], fresh_s=0.02)
            upstream = make(f"http://orders.internal:{backend.port}", names=names)
            busy = asyncio.ensure_future(upstream.send(call()))
            await until(lambda: len(backend.requests) == 1)
            await upstream.send(call())
            answers[:] = ["127.0.0.9"]
            await backend.closed(backend.requests[1].connection)
            assert (upstream.idle, upstream.active) == (0, 1)
            release.set()
            assert (await busy).status == 200
            await backend.closed(backend.requests[0].connection)
            assert (upstream.idle, upstream.active) == (0, 0)

    async def test_the_target_may_ask_for_less(self, make: Make) -> None:
        async with RawBackend(script(reply(b"{}", b"Keep-Alive: timeout=0, max=5"))) as backend:
            upstream = make(backend.url)
            await upstream.send(call())
            await upstream.send(call(b"POST", b"x"))
            assert backend.connections == 2
