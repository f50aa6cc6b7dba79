"""upstream/target.py: how a call gets its connection, step by step."""

import asyncio
from typing import Any

import pytest

from gateway.kernel.faults import UPSTREAM_INCOMPLETE, UPSTREAM_SATURATED, GatewayError
from gateway.upstream.http1.connection import UpstreamConnection
from tests.fakes import End, RawBackend, reply, script, until
from tests.samples import Pieces
from tests.unit.upstream.calls import Make, call, fails, streamed

EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n"


async def test_a_target_is_all_targets_of_its_upstream(make: Make) -> None:
    target = make("http://10.0.0.1")
    assert (target.targets, target.load) == ((target,), 0)


async def test_its_load_is_what_it_serves(make: Make) -> None:
    async with RawBackend(script(EVENTS, End.NEVER)) as backend:
        target = make(backend.url)
        stream = streamed(await target.send(call()))
        assert target.load == 1
        stream.close()
        assert target.load == 0


async def test_the_wait_for_a_share_is_part_of_the_time_to_connect(make: Make) -> None:
    gate = asyncio.Event()
    async with RawBackend(script(gate, reply()), default=script(reply())) as backend:
        target = make(backend.url, max_connections=2, max_caller_percent=50)
        calls = [call(), call()]
        sending = [asyncio.ensure_future(target.send(each)) for each in calls]
        await until(lambda: target.pending == 1 and len(backend.requests) == 1)
        gate.set()
        assert [answer.status for answer in await asyncio.gather(*sending)] == [200, 200]
        assert [each.connect_timeout_s < 1.0 for each in calls] == [False, True]


async def test_a_body_that_streams_needs_a_share_of_its_own(make: Make) -> None:
    async with RawBackend(script(EVENTS, End.NEVER)) as backend:
        target = make(backend.url, max_connections=2, max_stream_percent=50)
        stream = streamed(await target.send(call()))
        with pytest.raises(GatewayError) as caught:
            await target.send(call(b"POST", Pieces(b"ab")))
        assert caught.value.fault is UPSTREAM_SATURATED
        assert target.idle == 1
        stream.close()


async def test_a_connection_that_was_released_meanwhile_is_taken(make: Make) -> None:
    async with RawBackend() as backend:
        target = make(backend.url)
        await target.send(call())
        connection = await target._connect(call(), fresh=False)
        assert (connection.has_served, target.idle, target.active) == (True, 0, 1)
        target.release(connection, None)


async def test_for_a_fresh_connection_an_idle_one_makes_way(make: Make) -> None:
    async with RawBackend() as backend:
        target = make(backend.url, max_connections=1)
        await target.send(call())
        connection = await target._connect(call(), fresh=True)
        assert (connection.has_served, target.idle, target.active) == (False, 0, 1)
        await backend.closed(0)
        target.release(connection, None)


async def test_a_connection_that_ended_while_it_was_made_frees_its_slot(make: Make) -> None:
    class Ending(UpstreamConnection):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            self.abandon()

    async with RawBackend() as backend:
        target: Any = make(backend.url, max_connections=1)
        about = (target, target.target, target.origin, target._clock)
        target._connection = lambda loop: Ending(*about, loop, target._write_batch, target._loop_budget)
        for _ in range(2):
            assert (await fails(target, call())).fault is UPSTREAM_INCOMPLETE


async def test_a_caller_may_leave_while_its_call_is_sent_again(make: Make) -> None:
    async with RawBackend(script(reply()), script(End.CLOSE), script(End.NEVER)) as backend:
        target = make(backend.url)
        await target.send(call())
        sending = asyncio.ensure_future(target.send(call()))
        await until(lambda: len(backend.requests) == 3)
        sending.cancel()
        await asyncio.wait([sending])
        assert target.active == 0
