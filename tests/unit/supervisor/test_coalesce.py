import asyncio

import pytest

from gateway.supervisor.coalesce import Coalescer
from tests.fakes import until


async def test_requests_during_a_run_share_the_next_one() -> None:
    begun: list[asyncio.Event] = []

    async def work() -> int:
        number = len(begun)
        begun.append(asyncio.Event())
        await begun[number].wait()
        return number

    coalescer = Coalescer(work)
    async with coalescer.running():
        first = coalescer.request()
        await until(lambda: bool(begun))
        second, third = coalescer.request(), coalescer.request()
        assert second is third is not first
        begun[0].set()
        assert await first == 0
        await until(lambda: len(begun) == 2)
        begun[1].set()
        assert await second == 1


async def test_at_the_end_all_waiting_requests_are_cancelled() -> None:
    coalescer: Coalescer[int] = Coalescer(lambda: asyncio.get_running_loop().create_future())
    async with coalescer.running():
        first = coalescer.request()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        second = coalescer.request()
    for requested in (first, second):
        with pytest.raises(asyncio.CancelledError):
            await requested
