"""upstream/http1/connection.py: replies that arrive in several pieces."""

import asyncio
import hashlib
import tracemalloc

import pytest

from gateway.kernel.faults import (
    UPSTREAM_INCOMPLETE,
    UPSTREAM_PROTOCOL_ERROR,
    UPSTREAM_TIMEOUT,
    GatewayError,
)
from tests.fakes import End, RawBackend, Step, reply, script, turn, until
from tests.unit.upstream.calls import Make, call, rest, streamed

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
MIB = 1 << 20


class TestAnswerAsStream:
    async def test_at_once(self, make: Make) -> None:
        gate = asyncio.Event()
        async with RawBackend(script(CHUNKED, gate, b"2\r\nab\r\n0\r\n\r\n")) as backend:
            upstream = make(backend.url)
            answer = await upstream.send(call(buffer_bytes=0))
            assert (answer.body, answer.length, upstream.active) == (b"", None, 1)
            gate.set()
            assert await streamed(answer).read() == b"ab"
            assert await streamed(answer).read() == b""
            assert await streamed(answer).read() == b""
            assert upstream.idle == 1
            streamed(answer).close()
            assert upstream.idle == 1

    async def test_whole_before_it_is_asked_for(self, make: Make) -> None:
        async with RawBackend(script(reply(b"ab"))) as backend:
            answer = await make(backend.url).send(call(buffer_bytes=0))
            assert (answer.body, answer.stream, answer.length) == (b"ab", None, 2)

    async def test_beyond_the_buffer(self, make: Make) -> None:
        gate = asyncio.Event()
        head, body = HEAD + b"Content-Length: 300\r\n\r\n", bytes(range(100)) * 3
        async with RawBackend(script(head, body[:100], gate, body[100:])) as backend:
            upstream = make(backend.url)
            answer = await upstream.send(call(buffer_bytes=99))
            assert (answer.body, answer.length) == (body[:100], 300)
            reading = asyncio.ensure_future(rest(streamed(answer)))
            gate.set()
            assert await reading == body[100:]
            assert upstream.idle == 1

    async def test_as_long_as_the_buffer(self, make: Make) -> None:
        async with RawBackend(script(reply(b"x" * 50_000))) as backend:
            answer = await make(backend.url).send(call(buffer_bytes=50_000))
            assert (len(answer.body), answer.stream) == (50_000, None)

    async def test_whole_but_unread(self, make: Make) -> None:
        """The connection serves the next call, however much of the last reply waits to be read."""
        gate, body = asyncio.Event(), bytes(300_000)
        async with RawBackend(script(reply(body)[:-100_000], gate, body[-100_000:])) as backend:
            upstream = make(backend.url)
            answer = await upstream.send(call(buffer_bytes=0))
            [connection] = upstream._all
            await until(lambda: connection._reply.received > 200_000)
            gate.set()
            await until(lambda: upstream.idle == 1)
            assert (await upstream.send(call())).body == b"{}"
            assert len(answer.body + await rest(streamed(answer))) == 300_000

    async def test_in_many_small_chunks(self, make: Make) -> None:
        async with RawBackend(script(CHUNKED, *[b"1\r\na\r\n"] * 500, b"0\r\n\r\n")) as backend:
            assert (await make(backend.url).send(call())).body == b"a" * 500

    @pytest.mark.parametrize(
        ("steps", "fault"),
        [
            ((b"5\r\nab", End.CLOSE), UPSTREAM_INCOMPLETE),
            ((b"2\r\nab\r\n", End.RESET), UPSTREAM_INCOMPLETE),
            ((b"2\r\nab\r\nzz\r\n",), UPSTREAM_PROTOCOL_ERROR),
            ((b"2\r\nab\r\n", End.NEVER), UPSTREAM_TIMEOUT),
        ],
        ids=["cut off", "reset", "broken framing", "time-out"],
    )
    async def test_broken(self, make: Make, steps: tuple[bytes | End, ...], fault: object) -> None:
        gate = asyncio.Event()
        async with RawBackend(script(CHUNKED + b"1\r\nx\r\n", gate, *steps)) as backend:
            upstream = make(backend.url)
            answer = await upstream.send(call(buffer_bytes=0, idle_s=0.1))
            gate.set()
            with pytest.raises(GatewayError) as caught:
                await rest(streamed(answer))
            assert caught.value.fault is fault
            assert (upstream.active, upstream.idle) == (0, 0)
            with pytest.raises(GatewayError):
                await streamed(answer).read()
            assert (await upstream.send(call())).status == 200

    async def test_given_up(self, make: Make) -> None:
        async with RawBackend(script(CHUNKED, End.NEVER)) as backend:
            upstream = make(backend.url)
            answer = await upstream.send(call(buffer_bytes=0))
            streamed(answer).close()
            assert upstream.active == 0
            await backend.closed(0)
            with pytest.raises(GatewayError):
                await streamed(answer).read()

    async def test_reader_cancelled(self, make: Make) -> None:
        async with RawBackend(script(CHUNKED, End.NEVER)) as backend:
            upstream = make(backend.url)
            answer = await upstream.send(call(buffer_bytes=0))
            reading = asyncio.ensure_future(streamed(answer).read())
            await turn()
            reading.cancel()
            await asyncio.wait([reading])
            await backend.closed(0)
            assert upstream.active == 0

    async def test_cancelled_when_the_answer_is_there(self, make: Make) -> None:
        async with RawBackend(script(End.NEVER)) as backend:
            upstream = make(backend.url)
            sending = asyncio.ensure_future(upstream.send(call(buffer_bytes=0)))
            await until(lambda: len(backend.requests) == 1)
            [connection] = upstream._all
            connection.data_received(CHUNKED)
            sending.cancel()
            await asyncio.wait([sending])
            assert upstream.active == 0
            await backend.closed(0)

    @pytest.mark.parametrize("framed", ["length", "chunks", "end"])
    async def test_64_mib_in_little_memory(self, make: Make, framed: str) -> None:
        piece, written = bytes(range(256)) * 1024, 0

        async def pour(writer: asyncio.StreamWriter) -> None:
            nonlocal written
            for _ in range(256):
                writer.write(piece if framed != "chunks" else b"%x\r\n%b\r\n" % (len(piece), piece))
                written += len(piece)
                await writer.drain()

        head = {"length": HEAD + b"Content-Length: %d\r\n\r\n" % (64 * MIB), "chunks": CHUNKED, "end": HEAD + b"\r\n"}[
            framed
        ]
        tail: Step = {"length": b"", "chunks": b"0\r\n\r\n", "end": End.CLOSE}[framed]  # type: ignore[assignment]
        async with RawBackend(script(head, pour, tail)) as backend:
            upstream = make(backend.url)
            answer = await upstream.send(call(buffer_bytes=0, total_s=30))
            # Nobody reads: what is under way fills the kernel's buffers and no more
            [connection] = upstream._all
            await until(lambda: not connection._transport.is_reading())
            tracemalloc.start()
            received, digest = len(answer.body), hashlib.sha256(answer.body)
            while data := await streamed(answer).read():
                received += len(data)
                digest.update(data)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert received == written == 64 * MIB
            assert digest.hexdigest() == hashlib.sha256(piece * 256).hexdigest()
            assert peak < 4 * MIB
            assert upstream.idle == (framed != "end")
