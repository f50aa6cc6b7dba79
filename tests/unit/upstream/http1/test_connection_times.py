"""upstream/http1/connection.py: the time-outs of calls."""

import asyncio
import socket
import time
from typing import Any

import pytest

from gateway.kernel.faults import UPSTREAM_CONNECT_TIMEOUT, UPSTREAM_TIMEOUT, GatewayError
from tests.fakes import End, RawBackend, reply, script
from tests.unit.upstream.calls import Make, call, fails, rest, streamed


def _only(name: str, seconds: float) -> dict[str, Any]:
    """One of the arguments of `call`."""
    return {name: seconds}


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
                loop.call_later(number * 0.05, writer.write, piece)
            await asyncio.Event().wait()

        async with RawBackend(script(drip)) as backend:
            began = time.monotonic()
            error = await fails(make(backend.url), call(first_byte_s=0.12))
            assert error.fault is UPSTREAM_TIMEOUT
            assert time.monotonic() - began < 0.6

    async def test_total(self, make: Make) -> None:
        async with RawBackend(script(reply(b"x" * 100)[:-50], End.NEVER)) as backend:
            error = await fails(make(backend.url), call(first_byte_s=0.05, total_s=0.1))
            assert error.fault is UPSTREAM_TIMEOUT
            assert "no end of the reply within 0.1 s" in (error.cause or "")

    @pytest.mark.parametrize(
        ("kind", "buffer_bytes", "times"),
        [
            (b"text/event-stream", 1 << 20, {"idle_s": 0.05, "events_idle_s": 5.0}),
            (b"application/zip", 1 << 20, {"idle_s": 5.0, "events_idle_s": 0.05}),
            (b"application/json", 0, {"idle_s": 5.0, "events_idle_s": 0.05}),
            (b"text/event-stream", 0, {"idle_s": 0.05, "events_idle_s": 5.0}),
            (b"application/json", 3, {"idle_s": 5.0, "events_idle_s": 0.05}),
        ],
        ids=["events", "binary", "passthrough", "events in passthrough", "beyond the buffer"],
    )
    async def test_a_stream_outlives_the_total(
        self, make: Make, kind: bytes, buffer_bytes: int, times: dict[str, Any]
    ) -> None:
        gate = asyncio.Event()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: 8\r\n\r\nabcd" % kind
        async with RawBackend(script(head, gate, b"efgh")) as backend:
            answer = await make(backend.url).send(
                call(total_s=0.05, first_byte_s=0.05, buffer_bytes=buffer_bytes, **times)
            )
            asyncio.get_running_loop().call_later(0.12, gate.set)
            assert answer.body + await rest(streamed(answer)) == b"abcdefgh"

    @pytest.mark.parametrize(
        ("kind", "idle"), [(b"text/event-stream", "events_idle_s"), (b"image/png", "idle_s"), (b"", "idle_s")]
    )
    async def test_a_stream_ends_when_its_service_is_silent(self, make: Make, kind: bytes, idle: str) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: 8\r\n\r\n" % kind
        async with RawBackend(script(head, b"abcd", End.NEVER)) as backend:
            upstream = make(backend.url)
            answer = await upstream.send(call(buffer_bytes=0, **_only(idle, 0.05)))
            with pytest.raises(GatewayError) as caught:
                await rest(streamed(answer))
            assert caught.value.fault is UPSTREAM_TIMEOUT
            assert caught.value.cause == f"{upstream.target}: the reply went silent for 0.05 s"
            await backend.closed(0)
            assert upstream.active == 0

    async def test_bytes_outside_the_body_count_as_silence(self, make: Make) -> None:
        async def drip(writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n5;")
            for number in range(40):
                asyncio.get_running_loop().call_later(number * 0.02, writer.write, b"a")
            await asyncio.Event().wait()

        async with RawBackend(script(drip)) as backend:
            began = time.monotonic()
            answer = await make(backend.url).send(call(buffer_bytes=0, idle_s=0.1))
            with pytest.raises(GatewayError, match=UPSTREAM_TIMEOUT.name):
                await rest(streamed(answer))
            assert time.monotonic() - began < 0.6

    async def test_time_outs_are_suspended_while_nobody_reads(self, make: Make) -> None:
        later = asyncio.Event()
        async with RawBackend(script(reply(b"x" * 2_000_000))) as backend:
            answer = await make(backend.url).send(call(buffer_bytes=1000, idle_s=0.05, total_s=0.05))
            asyncio.get_running_loop().call_later(0.15, later.set)
            await later.wait()
            assert len(answer.body) + len(await rest(streamed(answer))) == 2_000_000
            assert streamed(answer).held_s > 0.1

    async def test_the_wait_of_a_reader_is_measured(self, make: Make) -> None:
        gate = asyncio.Event()
        async with RawBackend(script(reply(b"abcd")[:-2], gate, b"cd")) as backend:
            answer = await make(backend.url).send(call(buffer_bytes=1))
            asyncio.get_running_loop().call_later(0.05, gate.set)
            await rest(streamed(answer))
            assert streamed(answer).waited_s > 0.04
            assert streamed(answer).held_s == 0

    async def test_a_connection_serves_no_more_after_events(self, make: Make) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 2\r\n\r\n"
        gate = asyncio.Event()
        async with RawBackend(script(head, gate, b"\n\n")) as backend:
            upstream = make(backend.url)
            answer = await upstream.send(call())
            gate.set()
            assert await rest(streamed(answer)) == b"\n\n"
            assert (await upstream.send(call())).status == 200
            assert backend.connections == 2

    async def test_a_shorter_one_after_a_longer_one(self, make: Make) -> None:
        async with RawBackend(script(reply()), script(End.NEVER)) as backend:
            upstream = make(backend.url)
            await upstream.send(call())
            began = time.monotonic()
            unanswered = call(first_byte_s=0.05)
            assert ((await fails(upstream, unanswered)).fault, unanswered.handed) == (UPSTREAM_TIMEOUT, True)
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
                filler.settimeout(0)
                filler.connect_ex(deaf.getsockname())
            unheard = call(connect_s=0.05)
            error = await fails(make(f"http://127.0.0.1:{deaf.getsockname()[1]}"), unheard)
            assert (error.fault, unheard.handed) == (UPSTREAM_CONNECT_TIMEOUT, False)
            for filler in fillers:
                filler.close()
