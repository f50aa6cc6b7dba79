"""net/compressor.py: small bodies are compressed at once, large ones beside the event loop, and not too many."""

import asyncio
import gzip
import threading

from gateway.kernel.http.compression import encoder
from gateway.net import compressor
from gateway.net.compressor import INLINE_BYTES, Compressor
from tests.fakes import until

LARGE = b"a" * (INLINE_BYTES + 1)


def stepped(work: "object") -> object:
    """What a coroutine returns that waits for nothing."""
    try:
        work.send(None)  # type: ignore[attr-defined]
    except StopIteration as done:
        return done.value
    raise AssertionError("it waited")


def test_a_small_body_waits_for_nothing() -> None:
    one = Compressor()
    coded = stepped(one.compress((b"a", b"b"), 2, "gzip"))
    assert isinstance(coded, bytes)
    assert gzip.decompress(coded) == b"ab"
    assert isinstance(stepped(one.feed(encoder("gzip"), b"a")), bytes)
    one.close()


async def test_a_large_body_is_compressed_in_another_thread() -> None:
    one = Compressor()
    coded = await one.compress((LARGE,), len(LARGE), "gzip")
    assert coded is not None
    assert gzip.decompress(coded) == LARGE
    assert repr(one) == "<Compressor 0 waiting>"
    names = [thread.name for thread in threading.enumerate()]
    assert any(name.startswith("compress") for name in names)
    code = encoder("gzip")
    first = await one.feed(code, LARGE)
    assert gzip.decompress(first + code.flush()) == LARGE
    one.close()


async def test_bodies_beyond_those_that_may_wait_stay_as_they_are() -> None:
    one = Compressor(most_waiting=2)
    tasks = [asyncio.ensure_future(one.compress((LARGE * 100,), len(LARGE) * 100, "gzip")) for _ in range(3)]
    await until(lambda: any(task.done() for task in tasks))
    assert await tasks[2] is None
    assert all([await task for task in tasks[:2]])
    assert await one.compress((LARGE,), len(LARGE), "gzip") is not None
    one.close()


async def test_a_client_that_leaves_frees_its_place() -> None:
    one = Compressor(most_waiting=1)
    task = asyncio.ensure_future(one.compress((LARGE * 100,), len(LARGE) * 100, "gzip"))
    await until(lambda: repr(one) == "<Compressor 1 waiting>")
    task.cancel()
    await asyncio.wait([task])
    assert repr(one) == "<Compressor 0 waiting>"
    one.close()
    assert compressor.INLINE_BYTES == 64 * 1024
