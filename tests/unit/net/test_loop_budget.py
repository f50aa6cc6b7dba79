"""net/loop_budget.py: large work is done in parts, one in each iteration of the loop."""

import asyncio

from gateway.net.coroutine_driver import CoroutineDriver
from gateway.net.loop_budget import LARGE_BYTES, LoopBudget


async def turns_of(loop: asyncio.AbstractEventLoop, done: asyncio.Event) -> list[int]:
    """Counts the turns of the loop until `done`."""
    count = [0]

    def tick() -> None:
        count[0] += 1
        if not done.is_set():
            loop.call_soon(tick)

    tick()
    await done.wait()
    return count


async def test_what_fits_in_a_turn_waits_for_none() -> None:
    budget = LoopBudget()
    assert [budget.spent(LARGE_BYTES) for _ in range(4)] == [False, False, False, True]
    await asyncio.sleep(0)
    assert not budget.spent(LARGE_BYTES)
    await budget.take(1)


async def test_of_many_large_ones_two_go_on_in_a_turn_in_order() -> None:
    budget, went, done = LoopBudget(), [], asyncio.Event()

    async def work(number: int) -> None:
        await budget.take(20 * LARGE_BYTES)
        went.append(number)
        if len(went) == 20:
            done.set()

    tasks = [asyncio.ensure_future(work(number)) for number in range(20)]
    assert "left" in repr(budget)
    count = await turns_of(asyncio.get_running_loop(), done)
    await asyncio.gather(*tasks)
    assert went == [*range(20)]
    assert count[0] >= 10


async def test_who_was_cancelled_takes_no_turn() -> None:
    budget = LoopBudget()
    gone = asyncio.ensure_future(budget.take(20 * LARGE_BYTES))
    await asyncio.sleep(0)
    gone.cancel()
    later = asyncio.ensure_future(budget.take(20 * LARGE_BYTES))
    await asyncio.wait([gone, later])
    assert gone.cancelled()
    assert later.exception() is None


async def test_who_waits_needs_no_task() -> None:
    budget, ended = LoopBudget(), asyncio.Event()
    driver = CoroutineDriver(asyncio.get_running_loop(), always_in_task=False)
    assert not driver.run(budget.take(20 * LARGE_BYTES), lambda _: ended.set())
    assert "driving" in repr(driver)
    await ended.wait()
