import asyncio
import socket
import time
from typing import Any

import pytest

from gateway.kernel.faults import (
    UPSTREAM_NAME_UNRESOLVED,
    UPSTREAM_REFUSED,
    UPSTREAM_RESET,
    UPSTREAM_SATURATED,
    UPSTREAM_TIMEOUT,
    UPSTREAM_UNREACHABLE,
    Fault,
    GatewayError,
)
from gateway.remote.call import Answer, Call
from tests.fakes import End, RawBackend, reply, script, turn, until
from tests.unit.remote.calls import Make, Seen, call, fails


async def test_reuses_the_connection_used_last(make: Make) -> None:
    gate = asyncio.Event()
    async with RawBackend(script(gate, reply()), script(gate, reply())) as backend:
        upstream = make(backend.url)
        calls = [asyncio.ensure_future(upstream.send(call())) for _ in range(2)]
        await until(lambda: len(backend.requests) == 2)
        assert (upstream.idle, upstream.active) == (0, 2)
        assert repr(upstream) == f"<Upstream orders 127.0.0.1:{backend.port}, 0 idle, 2 active, 0 pending>"
        gate.set()
        first, second = await asyncio.gather(*calls)
        assert (first.status, first.body, first.stream, first.length, first.target) == (200, b"{}", None, 2, f"127.0.0.1:{backend.port}")
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
        assert request.head == method + b" /x HTTP/1.1\r\nHost: h\r\n" + framing + b"\r\n"
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

    async def test_every_address_of_a_name_is_tried(self, make: Make) -> None:
        async with RawBackend() as backend:
            assert (await make(f"http://localhost:{backend.port}").send(call())).status == 200

    async def test_name_unresolved(self, make: Make) -> None:
        error = await fails(make("http://no-such-name.invalid"), call())
        assert error.fault is UPSTREAM_NAME_UNRESOLVED

    async def test_a_greeting_is_not_an_answer(self, make: Make) -> None:
        async with RawBackend(greeting=script(reply(b'"unasked"'), End.NEVER)) as backend:
            upstream = make(backend.url)
            try:
                answer = await upstream.send(call())
            except GatewayError as error:
                assert error.fault is UPSTREAM_RESET  # noqa: PT017
            else:
                # It arrived after the request had been written: nobody could tell
                assert answer.body == b'"unasked"'

    async def test_closed_while_accepting(self, make: Make) -> None:
        async with RawBackend(greeting=script(End.CLOSE)) as backend:
            assert (await fails(make(backend.url), call())).fault is UPSTREAM_RESET
            assert backend.connections == 1

    @pytest.mark.parametrize("url", ["ftp://h", "h:80", "http://", "http://h:x"])
    def test_bad_url(self, make: Make, url: str) -> None:
        with pytest.raises(ValueError, match=r"URL|[Pp]ort"):
            make(url)

    def test_default_ports(self, make: Make) -> None:
        assert make("http://h").target == "h:80"
        assert make("https://h").target == "h:443"
        assert make("http://[::1]:3000").target == "[::1]:3000"


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

    async def test_a_place_that_a_failure_frees_is_used(self, make: Make) -> None:
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


class TestLeaving:
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
            for turns in range(12):
                task = asyncio.ensure_future(upstream.send(call()))
                for _ in range(turns):
                    await turn()
                task.cancel()
                await asyncio.wait([task])
                assert upstream.active == 0
            assert (await upstream.send(call())).status == 200


class TestTimeouts:
    @pytest.mark.parametrize(
        "steps",
        [
            (),
            (b"HTTP/1.1 200 OK\r\n",),
            (b"HTTP/1.1 100 Continue\r\n\r\n",),
        ],
        ids=["silent", "half a head", "only 1xx"],
    )
    async def test_no_head(self, make: Make, steps: tuple[bytes, ...]) -> None:
        async with RawBackend(script(*steps, End.NEVER)) as backend:
            upstream = make(backend.url)
            error = await fails(upstream, call(first_byte_s=0.06))
            assert error.fault is UPSTREAM_TIMEOUT
            await backend.closed(0)
            assert len(backend.requests) == 1
            assert (await upstream.send(call())).status == 200

    @pytest.mark.parametrize("piece", [b"HTTP/1.1 100 Continue\r\n\r\n", b"a"], ids=["1xx", "dripped field"])
    async def test_dripping_does_not_extend_it(self, make: Make, piece: bytes) -> None:
        async def drip(writer: asyncio.StreamWriter) -> None:
            loop = asyncio.get_running_loop()
            writer.write(b"" if piece.startswith(b"HTTP") else b"HTTP/1.1 200 OK\r\nX: ")
            for number in range(15):
                loop.call_later(number * 0.01, writer.write, piece)
            await asyncio.Event().wait()

        async with RawBackend(script(drip)) as backend:
            began = time.monotonic()
            error = await fails(make(backend.url), call(first_byte_s=0.08))
            assert error.fault is UPSTREAM_TIMEOUT
            assert time.monotonic() - began < 0.14

    async def test_total(self, make: Make) -> None:
        async with RawBackend(script(reply(b"x" * 100)[:-50], End.NEVER)) as backend:
            error = await fails(make(backend.url), call(first_byte_s=0.05, total_s=0.1))
            assert error.fault is UPSTREAM_TIMEOUT
            assert "no end of the reply within 0.1 s" in (error.cause or "")

    async def test_a_shorter_one_after_a_longer_one(self, make: Make) -> None:
        async with RawBackend(script(reply()), script(End.NEVER)) as backend:
            upstream = make(backend.url)
            await upstream.send(call())
            began = time.monotonic()
            assert (await fails(upstream, call(first_byte_s=0.05))).fault is UPSTREAM_TIMEOUT
            assert time.monotonic() - began < 1

    async def test_a_longer_one_after_a_shorter_one(self, make: Make) -> None:
        gate = asyncio.Event()
        async with RawBackend(script(reply()), script(gate, reply())) as backend:
            upstream = make(backend.url)
            await upstream.send(call(first_byte_s=0.05))
            asyncio.get_running_loop().call_later(0.08, gate.set)
            assert (await upstream.send(call(first_byte_s=1))).status == 200

    async def test_connecting(self, make: Make) -> None:
        # The kernel completes two handshakes for a backlog of one; the third connection attempt gets no reply
        with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf:
            fillers = [socket.socket() for _ in range(3)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(deaf.getsockname())
            error = await fails(make(f"http://127.0.0.1:{deaf.getsockname()[1]}"), call(connect_s=0.05))
            assert error.fault.name == "upstream_connect_timeout"
            for filler in fillers:
                filler.close()


class TestSecondTry:
    @pytest.mark.parametrize("end", [End.CLOSE, End.RESET])
    async def test_of_an_idempotent_call(self, make: Make, end: End) -> None:
        seen = Seen()
        async with RawBackend(script(reply()), script(end)) as backend:
            upstream = make(backend.url, observer=seen)
            await upstream.send(call())
            assert (await upstream.send(call())).status == 200
            assert [request.connection for request in backend.requests] == [0, 0, 1]
            assert (seen.connections, seen.retries) == (2, 1)

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
        seen = Seen()
        async with RawBackend(script(reply()), second) as backend:
            upstream = make(backend.url, observer=seen)
            await upstream.send(call())
            await fails(upstream, sent)
            assert len(backend.requests) == 2
            assert seen.retries == 0

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


class TestIdling:
    async def test_what_died_meanwhile_is_not_used(self, make: Make) -> None:
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
            connection = upstream._idle[0]
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

    async def test_the_target_may_ask_for_less(self, make: Make) -> None:
        async with RawBackend(script(reply(b"{}", b"Keep-Alive: timeout=0, max=5"))) as backend:
            upstream = make(backend.url)
            await upstream.send(call())
            await upstream.send(call(b"POST", b"x"))
            assert backend.connections == 2


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
