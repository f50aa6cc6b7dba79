"""upstream/http1/uploading_socket.py: request bodies that are sent in several pieces."""

import asyncio
import time
import tracemalloc

import pytest

from gateway.kernel.faults import (
    BODY_TOO_LARGE,
    CLIENT_CLOSED,
    MALFORMED_REQUEST,
    UPSTREAM_RESET,
    UPSTREAM_TIMEOUT,
    GatewayError,
)
from tests.fakes import End, RawBackend, reply, script, until
from tests.unit.upstream.calls import Make, call, fails, streamed

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
MIB = 1 << 20


class BodyPieces:
    """A Body that hands out what it is given: bytes, an event to wait for, or an error."""

    def __init__(self, *pieces: bytes | asyncio.Event | Exception, length: int | None = None) -> None:
        self.length = length
        self.received = 0
        self._pieces = iter(pieces)

    async def read(self) -> bytes:
        piece = next(self._pieces, b"")
        if isinstance(piece, Exception):
            raise piece
        if isinstance(piece, asyncio.Event):
            await piece.wait()
            return await self.read()
        self.received += len(piece)
        return piece


class Cancelled(BodyPieces):
    """A Body whose reading is cancelled after its pieces."""

    async def read(self) -> bytes:
        if piece := await super().read():
            return piece
        raise asyncio.CancelledError


class Repeated:
    """A Body of `count` times the same piece."""

    def __init__(self, piece: bytes, count: int, *, announced: bool) -> None:
        self.length = len(piece) * count if announced else None
        self.received = 0
        self._piece, self._remaining = piece, count

    async def read(self) -> bytes:
        if not self._remaining:
            return b""
        self._remaining -= 1
        self.received += len(self._piece)
        return self._piece


class TestUpload:
    @pytest.mark.parametrize("announced", [True, False])
    async def test_64_mib_in_little_memory(self, make: Make, *, announced: bool) -> None:
        body = Repeated(bytes(range(256)) * 256, 1024, announced=announced)
        async with RawBackend() as backend:
            upstream = make(backend.url)
            tracemalloc.start()
            answer = await upstream.send(call(b"POST", body, total_s=30))
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert answer.status == 200
            [request] = backend.requests
            assert request.size == 64 * MIB
            assert (b"Content-Length: 67108864" in request.head) == announced
            assert (b"Transfer-Encoding: chunked" in request.head) != announced
            assert request.body == (bytes(range(256)) * 4096)[: len(request.body)]
            assert peak < 8 * MIB
            assert upstream.idle == 1

    @pytest.mark.parametrize(
        ("length", "framing"), [(0, b"Content-Length: 0\r\n"), (None, b"Transfer-Encoding: chunked\r\n")]
    )
    async def test_of_nothing(self, make: Make, length: int | None, framing: bytes) -> None:
        async with RawBackend() as backend:
            upstream = make(backend.url)
            await upstream.send(call(b"POST", BodyPieces(length=length)))
            assert backend.requests[0].head.endswith(framing + b"\r\n")
            assert upstream.idle == 1

    async def test_the_first_piece_is_waited_for_without_a_connection(self, make: Make) -> None:
        gate = asyncio.Event()
        async with RawBackend() as backend:
            upstream = make(backend.url)
            sending = asyncio.ensure_future(upstream.send(call(b"POST", BodyPieces(gate, b"ab", length=2))))
            gate.set()
            assert upstream.active == 0
            await sending
            assert backend.requests[0].body == b"ab"

    @pytest.mark.parametrize("pieces", [(b"ab",), (b"ab", b"cd")], ids=["shorter", "longer"])
    async def test_not_as_long_as_announced(self, make: Make, pieces: tuple[bytes, ...]) -> None:
        async with RawBackend() as backend:
            upstream = make(backend.url)
            error = await fails(upstream, call(b"POST", BodyPieces(*pieces, length=3)))
            assert error.fault is MALFORMED_REQUEST
            await backend.closed(0)
            assert backend.requests == []
            assert upstream.idle == 0

    @pytest.mark.parametrize("before", [(), (b"ab",)], ids=["at once", "later"])
    async def test_the_clients_fault(self, make: Make, before: tuple[bytes, ...]) -> None:
        async with RawBackend() as backend:
            upstream = make(backend.url)
            error = await fails(upstream, call(b"POST", BodyPieces(*before, GatewayError(BODY_TOO_LARGE))))
            assert error.fault is BODY_TOO_LARGE
            assert upstream.idle == 0
            assert (await upstream.send(call())).status == 200

    async def test_the_clients_connection_breaks(self, make: Make) -> None:
        async with RawBackend() as backend:
            upstream = make(backend.url)
            with pytest.raises(ConnectionResetError):
                await upstream.send(call(b"POST", BodyPieces(b"ab", ConnectionResetError())))
            assert (upstream.active, upstream.idle) == (0, 0)

    async def test_an_early_refusal_stops_it(self, make: Make) -> None:
        never = asyncio.Event()
        refusal = reply(b'"too large"', status=b"413 Content Too Large")
        async with RawBackend(script(refusal, never, early=True)) as backend:
            upstream = make(backend.url)
            answer = await upstream.send(call(b"POST", BodyPieces(b"ab", never, length=10)))
            assert (answer.status, answer.body) == (413, b'"too large"')
            assert (upstream.active, upstream.idle) == (0, 0)
            await backend.closed(0)

    async def test_an_early_refusal_in_two_pieces(self, make: Make) -> None:
        never, gate = asyncio.Event(), asyncio.Event()
        refusal = reply(b'"too large"', status=b"413 Content Too Large")
        async with RawBackend(script(refusal[:-5], gate, refusal[-5:], never, early=True)) as backend:
            upstream = make(backend.url)
            sending = asyncio.ensure_future(upstream.send(call(b"POST", BodyPieces(b"ab", never, length=10))))
            await until(lambda: bool(upstream._all) and next(iter(upstream._all))._ambiguous_from == 0)
            gate.set()
            assert (await sending).body == b'"too large"'
            assert upstream.idle == 0

    async def test_a_refusal_and_an_end_while_it_pours(self, make: Make) -> None:
        refusal = reply(b'"too large"', status=b"413 Content Too Large")
        async with RawBackend(*[script(refusal, End.CLOSE, early=True)] * 20) as backend:
            upstream = make(backend.url)
            for _ in range(20):
                answer = await upstream.send(call(b"POST", Repeated(b"x" * 65536, 1024, announced=True)))
                assert answer.status == 413

    async def test_answered_while_it_goes_on(self, make: Make) -> None:
        """A backend may begin to answer below 300 and still want the rest."""

        async def echo(writer: asyncio.StreamWriter) -> None:
            writer.write(CHUNKED)
            gate.set()

        gate = asyncio.Event()
        async with RawBackend(script(echo, End.NEVER, early=True)) as backend:
            upstream = make(backend.url)
            body = BodyPieces(b"ab", gate, b"cd", length=4)
            answer = await upstream.send(call(b"POST", body, buffer_bytes=0))
            await until(lambda: body.received == 4)
            streamed(answer).close()

    async def test_not_accepted(self, make: Make) -> None:
        async with RawBackend(script(End.NEVER, early=True)) as backend:
            upstream = make(backend.url)
            began = time.monotonic()
            error = await fails(upstream, call(b"POST", Repeated(b"x" * 65536, 4096, announced=True), first_byte_s=0.1))
            assert error.fault is UPSTREAM_TIMEOUT
            assert "not taken for 0.1 s" in (error.cause or "")
            assert time.monotonic() - began < 3

    async def test_not_accepted_within_the_total(self, make: Make) -> None:
        async with RawBackend(script(End.NEVER, early=True)) as backend:
            upstream = make(backend.url)
            began = time.monotonic()
            body = Repeated(b"x" * 65536, 4096, announced=True)
            error = await fails(upstream, call(b"POST", body, first_byte_s=2, total_s=0.1))
            assert error.fault is UPSTREAM_TIMEOUT
            assert "no end of the reply within 0.1 s" in (error.cause or "")
            assert time.monotonic() - began < 1.5

    async def test_a_slow_client_is_not_the_upstreams_fault(self, make: Make) -> None:
        gate = asyncio.Event()
        async with RawBackend() as backend:
            upstream = make(backend.url)
            asyncio.get_running_loop().call_later(0.1, gate.set)
            answer = await upstream.send(call(b"POST", BodyPieces(b"ab", gate, b"cd"), first_byte_s=0.05, total_s=0.05))
            assert answer.status == 200

    async def test_answered_before_the_end_of_the_body(self, make: Make) -> None:
        async with RawBackend() as backend:
            upstream = make(backend.url)
            await upstream.send(call(b"POST", BodyPieces(b"ab", b"cd", asyncio.Event(), length=4)))
            assert upstream.idle == 1

    async def test_the_body_is_cancelled(self, make: Make) -> None:
        """As a server does with what it still reads for a client that left."""
        async with RawBackend(script(End.NEVER, early=True)) as backend:
            upstream = make(backend.url)
            error = await fails(upstream, call(b"POST", Cancelled(b"ab")))
            assert error.fault is CLIENT_CLOSED

    async def test_no_reply_after_it(self, make: Make) -> None:
        async with RawBackend(script(End.NEVER)) as backend:
            error = await fails(make(backend.url), call(b"POST", BodyPieces(b"ab"), first_byte_s=0.05))
            assert error.fault is UPSTREAM_TIMEOUT

    @pytest.mark.parametrize("end", [End.CLOSE, End.RESET])
    async def test_the_upstream_leaves(self, make: Make, end: End) -> None:
        async with RawBackend(script(end, early=True)) as backend:
            upstream = make(backend.url)
            error = await fails(upstream, call(b"PUT", BodyPieces(b"ab", asyncio.Event(), length=4)))
            assert error.fault is UPSTREAM_RESET
            assert len(backend.requests) == 1

    async def test_cancelled(self, make: Make) -> None:
        async with RawBackend() as backend:
            upstream = make(backend.url)
            sending = asyncio.ensure_future(upstream.send(call(b"POST", BodyPieces(b"ab", asyncio.Event()))))
            await until(lambda: backend.connections == 1)
            sending.cancel()
            await asyncio.wait([sending])
            await backend.closed(0)
            assert upstream.active == 0
