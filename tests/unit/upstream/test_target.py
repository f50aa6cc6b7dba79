"""upstream/target.py: connecting, sending, retrying, cancelling, closing."""

import asyncio
import re
import socket
from typing import Any

import pytest

from gateway.kernel.faults import (
    UPSTREAM_PROTOCOL_ERROR,
    UPSTREAM_REFUSED,
    UPSTREAM_RESET,
    UPSTREAM_TIMEOUT,
    UPSTREAM_UNREACHABLE,
    Fault,
    GatewayError,
)
from gateway.upstream.call import Call
from tests.fakes import End, RawBackend, reply, script, turn, until
from tests.unit.upstream.calls import Make, RetryCounter, call, fails


async def test_reuses_the_connection_used_last(make: Make) -> None:
    gate = asyncio.Event()
    async with RawBackend(script(gate, reply()), script(gate, reply())) as backend:
        upstream = make(backend.url)
        calls = [asyncio.ensure_future(upstream.send(call())) for _ in range(2)]
        await until(lambda: len(backend.requests) == 2)
        assert (upstream.idle, upstream.active) == (0, 2)
        assert repr(upstream) == f"<Target orders 127.0.0.1:{backend.port}, 0 idle, 2 active, 0 pending>"
        gate.set()
        first, second = await asyncio.gather(*calls)
        assert (first.status, first.body, first.stream, first.length, first.target) == (
            200,
            b"{}",
            None,
            2,
            f"127.0.0.1:{backend.port}",
        )
        assert first.fields == [(b"content-type", b"application/json"), (b"content-length", b"2")]
        assert second.body == b"{}"
        for _ in range(5):
            await upstream.send(call())
        assert backend.connections == 2
        assert len({request.connection for request in backend.requests[2:]}) == 1
        assert (upstream.idle, upstream.active) == (2, 0)


@pytest.mark.parametrize(
    ("method", "body", "framing"),
    [
        (b"GET", b"", b""),
        (b"DELETE", b"", b""),
        (b"OPTIONS", b"", b""),
        (b"POST", b"", b"Content-Length: 0\r\n"),
        (b"PUT", b"", b"Content-Length: 0\r\n"),
        (b"PATCH", b"", b"Content-Length: 0\r\n"),
        (b"POST", b"abc", b"Content-Length: 3\r\n"),
        (b"DELETE", b"abc", b"Content-Length: 3\r\n"),
    ],
)
async def test_frames_a_body_in_memory(make: Make, method: bytes, body: bytes, framing: bytes) -> None:
    async with RawBackend() as backend:
        await make(backend.url).send(call(method, body))
        [request] = backend.requests
        last = b"Connection: close\r\n" if body and method == b"DELETE" else b""
        assert request.head == method + b" /x HTTP/1.1\r\nHost: h\r\n" + last + framing + b"\r\n"
        assert request.body == body


async def test_writes_a_large_body_in_memory(make: Make) -> None:
    body = bytes(range(256)) * 3000
    async with RawBackend() as backend:
        upstream = make(backend.url)
        await upstream.send(call(b"POST", body))
        assert backend.requests[0].body == body
        assert upstream.idle == 1


class TestConnecting:
    async def test_refused(self, make: Make) -> None:
        with socket.create_server(("127.0.0.1", 0)) as unused:
            port = unused.getsockname()[1]
        error = await fails(make(f"http://127.0.0.1:{port}"), call())
        assert error.fault is UPSTREAM_REFUSED
        assert error.cause == f"127.0.0.1:{port}: Connection refused"

    async def test_bytes_before_the_call_are_not_its_answer(self, make: Make) -> None:
        async with RawBackend() as backend:
            upstream = make(backend.url)
            await upstream.send(call())
            connection = upstream._idle.take(0.0)
            assert connection is not None
            connection.data_received(reply(b'"unasked"'))
            with pytest.raises(GatewayError) as caught:
                connection.begin(call(), b"", 0.0)
            assert caught.value.fault is UPSTREAM_PROTOCOL_ERROR
            assert upstream.active == 0

    async def test_closed_while_accepting(self, make: Make) -> None:
        async with RawBackend(greeting=script(End.CLOSE)) as backend:
            assert (await fails(make(backend.url), call())).fault is UPSTREAM_RESET
            assert backend.connections == 1


class TestCancelling:
    async def test_cancelled_while_answered(self, make: Make) -> None:
        async with RawBackend(script(End.NEVER)) as backend:
            upstream = make(backend.url, max_connections=1)
            busy = asyncio.ensure_future(upstream.send(call()))
            await until(lambda: len(backend.requests) == 1)
            busy.cancel()
            await asyncio.wait([busy])
            assert (upstream.active, upstream.idle) == (0, 0)
            await backend.closed(0)
            assert (await upstream.send(call())).status == 200

    async def test_cancelled_while_waiting(self, make: Make) -> None:
        gate = asyncio.Event()
        async with RawBackend(script(gate, reply())) as backend:
            upstream = make(backend.url, max_connections=1)
            calls = [asyncio.ensure_future(upstream.send(call())) for _ in range(3)]
            await until(lambda: upstream.pending == 2 and len(backend.requests) == 1)
            calls[1].cancel()
            await asyncio.wait([calls[1]])
            assert upstream.pending == 1
            gate.set()
            assert (await calls[2]).status == 200

    async def test_cancelled_when_handed_a_connection(self, make: Make) -> None:
        gate = asyncio.Event()
        async with RawBackend(script(gate, reply())) as backend:
            upstream = make(backend.url, max_connections=1)
            first = asyncio.ensure_future(upstream.send(call()))
            await until(lambda: len(backend.requests) == 1)
            second, third = (asyncio.ensure_future(upstream.send(call())) for _ in range(2))
            await until(lambda: upstream.pending == 2)
            # In the same turn of the loop in which the first one wakes, the second has its connection but has not run
            first.add_done_callback(lambda _: second.cancel())
            upstream_was_handed = asyncio.ensure_future(first)
            gate.set()
            await upstream_was_handed
            await asyncio.wait([second])
            assert (await third).status == 200
            assert upstream.active == 0

    async def test_cancelled_while_connecting(self, make: Make) -> None:
        async with RawBackend() as backend:
            upstream = make(backend.url, max_connections=1)
            for iterations in range(12):
                task = asyncio.ensure_future(upstream.send(call()))
                for _ in range(iterations):
                    await turn()
                task.cancel()
                await asyncio.wait([task])
                assert upstream.active == 0
            assert (await upstream.send(call())).status == 200


async def test_the_reply_to_a_caller_cancelled_in_the_same_iteration_reaches_nobody_else(make: Make) -> None:
    begun = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{"a":"A"}\r\n'
    async with RawBackend(script(begun, asyncio.Event()), default=script(reply(b""))) as backend:
        upstream = make(backend.url)
        leaving = asyncio.ensure_future(upstream.send(call()))
        await until(lambda: any(connection._buffer.size for connection in upstream._all))
        (connection,) = upstream._all
        leaving.cancel()
        connection.data_received(b"0\r\n\r\n")
        with pytest.raises(asyncio.CancelledError):
            await leaving
        assert upstream.idle == 0
        assert (await upstream.send(call())).body == b""
        assert backend.connections == 2


class TestRetry:
    @pytest.mark.parametrize("end", [End.CLOSE, End.RESET])
    async def test_of_an_idempotent_call(self, make: Make, end: End) -> None:
        retries = RetryCounter()
        async with RawBackend(script(reply()), script(end)) as backend:
            upstream = make(backend.url, observer=retries)
            await upstream.send(call())
            assert (await upstream.send(call())).status == 200
            assert [request.connection for request in backend.requests] == [0, 0, 1]
            assert (backend.connections, retries.count) == (2, 1)

    @pytest.mark.parametrize(
        ("second", "sent"),
        [
            (script(End.CLOSE), call(b"POST", b"x")),
            (script(b"H", End.CLOSE), call()),
            (script(End.NEVER), call(first_byte_s=0.05)),
        ],
        ids=["not idempotent", "a byte of reply", "time-out"],
    )
    async def test_never(self, make: Make, second: Any, sent: Call) -> None:
        retries = RetryCounter()
        async with RawBackend(script(reply()), second) as backend:
            upstream = make(backend.url, observer=retries)
            await upstream.send(call())
            await fails(upstream, sent)
            assert len(backend.requests) == 2
            assert retries.count == 0

    async def test_not_on_a_fresh_connection(self, make: Make) -> None:
        async with RawBackend(script(End.CLOSE)) as backend:
            assert (await fails(make(backend.url), call())).fault is UPSTREAM_RESET
            assert len(backend.requests) == 1

    async def test_only_once(self, make: Make) -> None:
        async with RawBackend(script(reply()), script(End.CLOSE), script(End.CLOSE)) as backend:
            upstream = make(backend.url)
            await upstream.send(call())
            assert (await fails(upstream, call())).fault is UPSTREAM_RESET
            assert len(backend.requests) == 3

    async def test_within_the_rest_of_its_time(self, make: Make) -> None:
        gate = asyncio.Event()
        async with RawBackend(script(reply()), script(gate, End.CLOSE), script(End.NEVER)) as backend:
            upstream = make(backend.url)
            await upstream.send(call())
            failing = asyncio.ensure_future(fails(upstream, call(total_s=0.6)))
            await until(lambda: len(backend.requests) == 2)
            asyncio.get_running_loop().call_later(0.2, gate.set)
            error = await failing
            assert error.fault is UPSTREAM_TIMEOUT
            remaining = re.search(r"no end of the reply within ([0-9.]+) s", error.cause or "")
            assert remaining is not None
            assert float(remaining[1]) < 0.5
            assert len(backend.requests) == 3

    async def test_on_a_fresh_connection_although_others_idle(self, make: Make) -> None:
        gate = asyncio.Event()
        async with RawBackend(script(gate, reply()), script(gate, reply()), script(End.CLOSE)) as backend:
            upstream = make(backend.url, max_connections=2)
            calls = [asyncio.ensure_future(upstream.send(call())) for _ in range(2)]
            await until(lambda: len(backend.requests) == 2)
            gate.set()
            await asyncio.gather(*calls)
            assert (await upstream.send(call())).status == 200
            assert backend.requests[-1].connection == 2


async def test_close(make: Make) -> None:
    async with RawBackend(script(End.NEVER)) as backend:
        upstream = make(backend.url, max_connections=1)
        calls = [asyncio.ensure_future(upstream.send(call())) for _ in range(2)]
        await until(lambda: upstream.pending == 1 and len(backend.requests) == 1)
        await upstream.close()
        faults: list[Fault] = []
        for each in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(each, GatewayError)
            faults.append(each.fault)
        assert faults == [UPSTREAM_UNREACHABLE, UPSTREAM_UNREACHABLE]
        assert (await fails(upstream, call())).fault is UPSTREAM_UNREACHABLE


async def test_close_while_connecting(make: Make) -> None:
    async with RawBackend() as backend:
        upstream = make(backend.url)
        sending = asyncio.ensure_future(upstream.send(call()))
        await turn()
        assert upstream.active == 1
        await upstream.close()
        with pytest.raises(GatewayError) as caught:
            await sending
        assert caught.value.fault is UPSTREAM_UNREACHABLE
        assert upstream.active == 0
