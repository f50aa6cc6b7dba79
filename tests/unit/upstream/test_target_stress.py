"""upstream/target.py: whatever backends and callers do, no slot for a connection is lost."""

import asyncio
import contextlib
import random

import pytest

from gateway.kernel.faults import GatewayError
from tests.fakes import End, RawBackend, Script, reply, script, until
from tests.unit.upstream.calls import Make, call

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def behaviour(chance: random.Random) -> Script:
    return chance.choice(
        [
            script(reply(b"fine")),
            script(reply(b"fine")),
            script(reply(b"fine"), End.CLOSE),
            script(reply(b"fine", b"Connection: close")),
            script(reply(b"fine"), b"unasked"),
            script(reply(b"fine") + reply(b"unasked")),
            script(CHUNKED, b"4\r\nfine\r\n", b"0\r\n\r\n"),
            script(CHUNKED, b"4\r\nfine\r\n", End.RESET),
            script(End.CLOSE),
            script(End.RESET),
            script(b"HTTP/1.1 200", End.CLOSE),
            script(b"garbage\r\n\r\n"),
            script(End.NEVER),
            script(reply(b"fine", status=b"413 Content Too Large"), early=True),
        ]
    )


@pytest.mark.parametrize("seed", range(6))
async def test_no_slot_is_lost(make: Make, seed: int) -> None:
    chance = random.Random(seed)
    async with RawBackend(*[behaviour(chance) for _ in range(300)], default=script(reply(b"fine"))) as backend:
        upstream = make(backend.url, max_connections=5, max_pending=20)
        bodies: list[bytes] = []

        async def use() -> None:
            sent = call(
                chance.choice([b"GET", b"PUT", b"POST"]),
                chance.choice([b"", b"x" * 100]),
                buffer_bytes=chance.choice([0, 3, 100]),
                connect_s=0.2,
                first_byte_s=0.02,
                total_s=0.04,
            )
            with contextlib.suppress(GatewayError):
                answer = await upstream.send(sent)
                body = answer.body
                if answer.stream is not None:
                    if chance.random() < 0.3:
                        answer.stream.close()
                        return
                    while piece := await answer.stream.read():
                        body += piece
                bodies.append(body)

        async def client() -> None:
            for _ in range(20):
                using = asyncio.ensure_future(use())
                patience = chance.choice([0.0, 0.002, None, None, None])
                await asyncio.wait({using}, timeout=patience)
                using.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await using
                assert upstream.idle + upstream.active <= 5

        await asyncio.gather(*[client() for _ in range(15)])
        await until(lambda: upstream.active == 0)
        assert upstream.pending == 0
        assert len(upstream._all) == upstream.idle <= 5
        assert bodies
        # Unasked bytes that are sent together with a reply may reach the next call only as a fault
        assert set(bodies) == {b"fine"}
        while len(backend.requests) < 300:
            with contextlib.suppress(GatewayError):
                await upstream.send(call(first_byte_s=0.02))
        assert (await upstream.send(call())).body == b"fine"
