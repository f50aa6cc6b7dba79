"""upstream/http1/uploading_socket.py: what a connection adds to it, and heads of replies without an upload."""

import asyncio

import pytest

from gateway.upstream.http1.uploading_socket import UploadingSocket
from tests.fakes import RawBackend, reply, script, until
from tests.unit.upstream.calls import Make, call


async def test_a_connection_says_how_its_calls_fail() -> None:
    socket = UploadingSocket(asyncio.get_running_loop())
    with pytest.raises(NotImplementedError):
        socket.fail(ValueError("broken"))


async def test_after_the_head_a_reply_has_the_time_of_the_whole_call(make: Make) -> None:
    gate, whole = asyncio.Event(), reply(b"x" * 100)
    async with RawBackend(script(whole[:-50], gate, whole[-50:])) as backend:
        target = make(backend.url)
        sending = asyncio.ensure_future(target.send(call(first_byte_s=30.0, total_s=60.0)))
        await until(lambda: any(each._buffer.size for each in target._all))
        [connection] = target._all
        assert connection._deadline.at == connection._deadline._ends_at
        gate.set()
        assert (await sending).body == b"x" * 100
