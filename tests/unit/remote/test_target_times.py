import asyncio
import socket
import time

import pytest

from gateway.kernel.faults import UPSTREAM_CONNECT_TIMEOUT, UPSTREAM_TIMEOUT
from tests.fakes import End, RawBackend, reply, script
from tests.unit.remote.calls import Make, call, fails


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
                filler.setblocking(False)
                filler.connect_ex(deaf.getsockname())
            unheard = call(connect_s=0.05)
            error = await fails(make(f"http://127.0.0.1:{deaf.getsockname()[1]}"), unheard)
            assert (error.fault, unheard.handed) == (UPSTREAM_CONNECT_TIMEOUT, False)
            for filler in fillers:
                filler.close()
