import asyncio

import pytest

from gateway.supervisor.coalesce import Coalescer
from tests.fakes import until


async def test_who_asks_during_a_turn_shares_the_next_one() -> None:
    begun: list[asyncio.Event] = []

    async def work() -> int:
        number = len(begun)
        begun.append(asyncio.Event())
        await begun[number].wait()
        return number

    turns = Coalescer(work)
    async with turns.taken():
        first = turns.ask()
        await until(lambda: bool(begun))
        second, third = turns.ask(), turns.ask()
        assert second is third is not first
        begun[0].set()
        assert await first == 0
        await until(lambda: len(begun) == 2)
        begun[1].set()
        assert await second == 1


async def test_at_the_end_nobody_is_left_waiting() -> None:
    turns: Coalescer[int] = Coalescer(lambda: asyncio.get_running_loop().create_future())
    async with turns.taken():
        first = turns.ask()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        second = turns.ask()
    for asked in (first, second):
        with pytest.raises(asyncio.CancelledError):
            await asked
