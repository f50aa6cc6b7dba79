"""upstream/connection_shares.py: neither one caller nor streamed bodies use all connections."""

import asyncio
import sys
from collections.abc import Awaitable
from typing import Any

import pytest

from gateway.kernel.faults import (
    UPSTREAM_INCOMPLETE,
    UPSTREAM_SATURATED,
    UPSTREAM_SHARE_SPENT,
    UPSTREAM_STREAMS_FULL,
    GatewayError,
)
from gateway.upstream.call import Answer, Call
from gateway.upstream.connection_shares import CallerShare, ConnectionShares, share
from tests.fakes import End, RawBackend, reply, script, until
from tests.samples import Pieces
from tests.unit.upstream.calls import Make, call, rest, streamed

EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n"


def binary(size: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: %d\r\n\r\n" % size


def of(caller: str, method: bytes = b"GET", body: Any = b"", *, taken: int = 0, **times: float) -> Call:
    made = call(method, body, **times)  # type: ignore[arg-type]
    made.caller, made.read_ahead_bytes = caller, taken
    return made


def taken_from(shares: ConnectionShares, caller: str) -> CallerShare:
    share = shares.take(caller)
    assert share is not None
    return share


async def refused(sent: Awaitable[Answer]) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        await sent
    return caught.value


@pytest.mark.parametrize(
    ("most", "percent", "share_of_it"),
    [
        (256, 50, 128),
        (8, 50, 4),
        (3, 50, 2),
        (2, 50, 1),
        (2, 75, 1),
        (2, 99, 1),
        (8, 75, 6),
        (8, 1, 1),
        (100, 100, sys.maxsize),
        (1, 50, sys.maxsize),
    ],
)
def test_share(most: int, percent: int, share_of_it: int) -> None:
    assert share(most, percent) == share_of_it


async def test_one_caller_leaves_connections_to_others(make: Make) -> None:
    gate = asyncio.Event()
    async with RawBackend(default=script(gate, reply())) as backend:
        upstream = make(backend.url, max_caller_percent=50)
        calls = [asyncio.ensure_future(upstream.send(of("greedy"))) for _ in range(4)]
        await until(lambda: len(backend.requests) == 2)
        assert (upstream.active, upstream.pending) == (2, 2)
        calls.append(asyncio.ensure_future(upstream.send(of("modest"))))
        await until(lambda: len(backend.requests) == 3)
        gate.set()
        assert [answer.status for answer in await asyncio.gather(*calls)] == [200] * 5
        assert backend.connections == 3
        assert upstream.active == upstream.pending == 0


async def test_an_idle_connection_is_left_to_others_by_a_caller_that_has_its_share(make: Make) -> None:
    gate = asyncio.Event()
    async with RawBackend(script(reply()), script(gate, reply()), default=script(reply())) as backend:
        upstream = make(backend.url, max_connections=2, max_pending=0, max_caller_percent=50)
        await upstream.send(of("a"))
        busy = asyncio.ensure_future(upstream.send(of("b")))
        await until(lambda: len(backend.requests) == 2)
        await upstream.send(of("a"))
        assert upstream.idle == 1
        assert (await refused(upstream.send(of("b")))).fault is UPSTREAM_SHARE_SPENT
        gate.set()
        await busy
        assert (upstream.idle, backend.connections) == (2, 2)


async def test_a_call_that_waits_too_long_for_its_share_fails(make: Make) -> None:
    async with RawBackend(default=script(End.NEVER)) as backend:
        upstream = make(backend.url, max_connections=2, max_pending=1, max_caller_percent=50)
        busy = asyncio.ensure_future(upstream.send(of("a")))
        await until(lambda: len(backend.requests) == 1)
        late = asyncio.ensure_future(upstream.send(of("a", connect_s=0.05)))
        await until(lambda: upstream.pending == 1)
        error = await refused(upstream.send(of("a")))
        assert error.fault is UPSTREAM_SHARE_SPENT
        assert "as many of its calls wait" in str(error.cause)
        error = await refused(late)
        assert error.fault is UPSTREAM_SHARE_SPENT
        assert "in time" in str(error.cause)
        assert upstream.pending == 0
        busy.cancel()
        await asyncio.wait([busy])


async def test_a_share_comes_back_however_a_call_ends(make: Make) -> None:
    async with RawBackend(
        script(reply()), script(End.CLOSE), script(b"no HTTP"), script(EVENTS, End.CLOSE), default=script(reply())
    ) as backend:
        upstream = make(backend.url, max_connections=2, max_pending=0, max_caller_percent=50)
        await upstream.send(of("a"))
        await refused(upstream.send(of("a", b"POST", b"x")))
        await refused(upstream.send(of("a")))
        stream = streamed(await upstream.send(of("a")))
        assert (await refused(upstream.send(of("a")))).fault is UPSTREAM_SHARE_SPENT
        await rest(stream)
        await refused(upstream.send(of("a", b"POST", Pieces(GatewayError(UPSTREAM_INCOMPLETE)))))
        for _ in range(3):
            assert (await upstream.send(of("a"))).status == 200


async def test_a_share_comes_back_when_the_service_is_not_there(make: Make) -> None:
    async with RawBackend() as backend:
        url = backend.url
    upstream = make(url, max_connections=2, max_pending=0, max_caller_percent=50)
    for _ in range(3):
        assert (await refused(upstream.send(of("a")))).fault is not UPSTREAM_SHARE_SPENT


async def test_a_caller_that_is_cancelled_while_it_waits_keeps_no_share(make: Make) -> None:
    gate = asyncio.Event()
    async with RawBackend(default=script(gate, reply())) as backend:
        upstream = make(backend.url, max_connections=2, max_caller_percent=50)
        first, leaves, stays = (asyncio.ensure_future(upstream.send(of("a"))) for _ in range(3))
        await until(lambda: upstream.pending == 2 and len(backend.requests) == 1)
        leaves.cancel()
        gate.set()
        assert (await first).status == (await stays).status == 200
        assert leaves.cancelled()
        assert (await upstream.send(of("a"))).status == 200


async def test_a_share_granted_to_a_cancelled_call_is_passed_on() -> None:
    shares = ConnectionShares("t", 1, 1, 9)
    share = taken_from(shares, "a")
    first, second = (asyncio.ensure_future(shares.wait("a", 5)) for _ in range(2))
    await until(lambda: shares.waiting == 2)
    first.cancel()
    shares.give_back(share)  # before the cancelled one could say so
    assert await second is share
    shares.give_back(share)
    third = asyncio.ensure_future(shares.wait("a", 5))
    share = taken_from(shares, "a")
    await until(lambda: shares.waiting == 1)
    shares.give_back(share)
    third.cancel()  # it has it already
    await asyncio.wait([third])
    assert taken_from(shares, "a").used == 1
    assert shares.waiting == 0


async def test_the_end_of_a_call_gives_nothing_to_those_of_other_callers() -> None:
    shares = ConnectionShares("t", 1, 1, 9)
    one, other = taken_from(shares, "a"), taken_from(shares, "b")
    waits = asyncio.ensure_future(shares.wait("a", 5))
    await until(lambda: shares.waiting == 1)
    shares.give_back(other)
    assert taken_from(shares, "b").used == shares.waiting == 1
    shares.give_back(one)
    await waits


async def test_a_share_that_is_free_again_is_not_waited_for() -> None:
    shares = ConnectionShares("t", 1, 1, 0)
    await shares.wait("a", 0)
    assert (shares.take("a"), shares.waiting) == (None, 0)


def test_of_many_callers_those_without_a_call_are_forgotten() -> None:
    shares = ConnectionShares("t", 2, 1, 0)
    busy = taken_from(shares, "busy")
    for number in range(99):
        shares.give_back(taken_from(shares, f"caller {number}"))
    assert (taken_from(shares, "busy"), shares.take("busy")) == (busy, None)
    assert shares.by_caller == {"busy": busy}
    shares.give_back(busy)
    assert shares.take("busy") is busy
    for _ in range(2):
        shares.give_back(busy)
    assert shares.by_caller == {}


async def test_nothing_is_kept_of_callers_whose_calls_have_ended(make: Make) -> None:
    async with RawBackend(script(reply()), script(reply()), default=script(End.CLOSE)) as backend:
        upstream = make(backend.url, max_connections=2)
        for caller in ("a", "b"):
            assert (await upstream.send(of(caller))).status == 200
        await refused(upstream.send(of("c", b"POST")))
        (target,) = upstream.targets
        assert target._shares.by_caller == {}


async def test_streams_leave_connections_to_others(make: Make) -> None:
    async with RawBackend(
        script(EVENTS, End.NEVER), script(EVENTS, End.NEVER), script(EVENTS, End.NEVER), default=script(reply())
    ) as backend:
        upstream = make(backend.url, max_connections=3, max_stream_percent=50)
        streams = [streamed(await upstream.send(of("a"))) for _ in range(2)]
        error = await refused(upstream.send(of("b")))
        assert error.fault is UPSTREAM_STREAMS_FULL
        assert (await upstream.send(of("b"))).status == 200
        for stream in streams:
            stream.close()
        assert upstream.active == 0


async def test_beyond_the_share_of_streams_what_fits_is_answered_whole(make: Make) -> None:
    gate = asyncio.Event()
    late = script(binary(6) + b"abc", gate, b"def")
    never = script(binary(6) + b"abc", End.NEVER)
    async with RawBackend(script(EVENTS, End.NEVER), late, never, never) as backend:
        upstream = make(backend.url, max_connections=3, max_stream_percent=10)
        stream = streamed(await upstream.send(of("a")))
        whole = asyncio.ensure_future(upstream.send(of("b", taken=6)))
        await until(lambda: len(backend.requests) == 2)
        gate.set()
        answer = await whole
        assert (answer.body, answer.stream) == (b"abcdef", None)
        assert (await refused(upstream.send(of("b", taken=5)))).fault is UPSTREAM_STREAMS_FULL
        stream.close()
        streamed(await upstream.send(of("b"))).close()


async def test_uploads_that_stream_leave_connections_to_others(make: Make) -> None:
    async with RawBackend() as backend:
        upstream = make(backend.url, max_connections=2, max_stream_percent=50)
        gate = asyncio.Event()

        class Slow(Pieces):
            async def read(self) -> bytes:
                if self.received:
                    await gate.wait()
                return await super().read()

        slow = asyncio.ensure_future(upstream.send(of("a", b"POST", Slow(b"ab", b"cd"))))
        await until(lambda: upstream.active == 1)
        error = await refused(upstream.send(of("b", b"POST", Pieces(b"ab"))))
        assert error.fault is UPSTREAM_SATURATED
        assert (await upstream.send(of("b", b"POST", b"ab"))).status == 200
        gate.set()
        assert (await slow).status == 200
        assert (await upstream.send(of("b", b"POST", Pieces(b"ab")))).status == 200
