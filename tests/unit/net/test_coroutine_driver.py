"""Coroutines that run without a task, and go on in one."""

import asyncio
import gc
import weakref
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import pytest

from gateway.net.coroutine_driver import CoroutineDriver, in_task
from gateway.net.waiter import Waiter


class Driven:
    """A driver with one coroutine. `ends` are the errors that its end was reported with."""

    def __init__(self, *, always_in_task: bool = False) -> None:
        self.driver = CoroutineDriver(asyncio.get_running_loop(), always_in_task=always_in_task)
        self.ends: list[BaseException | None] = []
        self.ended = asyncio.Event()

    def run(self, coroutine: Coroutine[Any, Any, object]) -> bool:
        return self.driver.run(coroutine, self._on_end)

    def _on_end(self, error: BaseException | None) -> None:
        self.ends.append(error)
        self.ended.set()


async def noted(seen: list[object], *awaited: Any) -> None:
    """Await each, and note what came of it."""
    for each in awaited:
        try:
            seen.append(await each)
        except BaseException as error:
            seen.append(type(error))
            raise
    seen.append("end")


async def test_a_coroutine_without_a_wait_ends_within_run() -> None:
    driven, seen = Driven(), list[object]()
    assert driven.run(noted(seen))
    assert (seen, driven.ends) == (["end"], [])
    assert repr(driven.driver) == "<CoroutineDriver idle>"


async def test_what_completes_a_waiter_runs_the_coroutine_at_once() -> None:
    driven, seen = Driven(), list[object]()
    first, second = Waiter[int](), Waiter[int]()
    assert not driven.run(noted(seen, first, second))
    assert repr(driven.driver) == "<CoroutineDriver driving>"
    asyncio.get_running_loop().call_soon(first.set_result, 1)
    asyncio.get_running_loop().call_soon(second.set_result, 2)
    await driven.ended.wait()
    assert (seen, driven.ends) == ([1, 2, "end"], [None])


async def test_in_a_callback_no_task_is_asked_for() -> None:
    driven, seen, waiter = Driven(), list[object](), Waiter[int]()
    assert not driven.run(noted(seen, waiter))
    asyncio.get_running_loop().call_soon(waiter.set_result_in_callback, 1)
    await driven.ended.wait()
    assert (seen, driven.ends) == ([1, "end"], [None])


async def test_within_another_task_the_coroutine_waits_for_its_turn() -> None:
    driven, seen, waiter = Driven(), list[object](), Waiter[asyncio.Task[Any] | None]()

    async def whose() -> None:
        seen.append(await waiter)
        seen.append(asyncio.current_task())

    driven.run(whose())
    waiter.set_result(None)
    assert seen == []
    await driven.ended.wait()
    assert seen == [None, None]


async def test_a_future_of_asyncio_is_awaited_in_a_task() -> None:
    driven, seen = Driven(), list[object]()
    future, waiter = asyncio.get_running_loop().create_future(), Waiter[str]()
    assert not driven.run(noted(seen, future, waiter))
    assert repr(driven.driver) == "<CoroutineDriver in a task>"
    future.set_result("from a future")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiter.set_result("from a waiter")
    await driven.ended.wait()
    assert (seen, driven.ends) == (["from a future", "from a waiter", "end"], [None])


async def test_asyncios_timeout_needs_a_task() -> None:
    driven, seen = Driven(), list[object]()

    async def patient() -> None:
        seen.append(asyncio.current_task())
        await in_task()
        seen.append(asyncio.current_task() is not None)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await Waiter[None]()
        await in_task()  # nothing happens in a task

    asyncio.get_running_loop().call_soon(driven.run, patient())
    await driven.ended.wait()
    assert (seen, driven.ends) == ([None, True], [None])


async def test_always_in_task_starts_with_one() -> None:
    driven, seen = Driven(always_in_task=True), list[object]()
    assert not driven.run(noted(seen))
    assert seen == []
    await driven.ended.wait()
    assert (seen, driven.ends) == (["end"], [None])


async def test_cancelling_ends_a_wait_for_a_waiter() -> None:
    driven, seen, waiter = Driven(), list[object](), Waiter[int]()
    driven.run(noted(seen, waiter))
    driven.driver.cancel()
    await driven.ended.wait()
    assert seen == [asyncio.CancelledError]
    assert waiter.done
    assert [type(end) for end in driven.ends] == [asyncio.CancelledError]


async def test_cancelling_ends_a_wait_for_a_future() -> None:
    driven, seen, future = Driven(), list[object](), asyncio.get_running_loop().create_future()
    driven.run(noted(seen, future))
    driven.driver.cancel()
    await driven.ended.wait()
    assert seen == [asyncio.CancelledError]
    assert future.cancelled()


async def test_cancelling_before_the_task_has_started_ends_the_wait() -> None:
    driven, seen = Driven(), list[object]()

    async def sleeper() -> None:
        driven.driver.cancel()
        await noted(seen, asyncio.get_running_loop().create_future())

    driven.run(sleeper())
    await driven.ended.wait()
    assert seen == [asyncio.CancelledError]


async def test_cancelling_a_running_coroutine_ends_its_next_wait() -> None:
    driven, seen = Driven(), list[object]()

    async def giving_up() -> None:
        driven.driver.cancel()
        await noted(seen, Waiter[int]())

    driven.run(giving_up())
    await driven.ended.wait()
    assert seen == [asyncio.CancelledError]


async def test_cancelling_between_the_result_and_the_coroutine_wins() -> None:
    driven, seen, waiter = Driven(), list[object](), Waiter[int]()
    driven.run(noted(seen, waiter))
    waiter.set_result(1)  # this test is a task: the coroutine waits for its turn
    driven.driver.cancel()
    await driven.ended.wait()
    assert seen == [asyncio.CancelledError]


async def test_a_coroutine_may_end_as_usual_when_it_is_cancelled() -> None:
    driven, waiter = Driven(), Waiter[int]()

    async def calm() -> None:
        with suppress(asyncio.CancelledError):
            await waiter

    driven.run(calm())
    waiter.set_result(1)  # this test is a task: the coroutine waits for its turn
    driven.driver.cancel()
    await driven.ended.wait()
    assert driven.ends == [None]


async def test_a_coroutine_may_wait_again_when_it_is_cancelled() -> None:
    driven, seen, first, second = Driven(), list[object](), Waiter[int](), Waiter[int]()

    async def tidy() -> None:
        try:
            await noted(seen, first)
        finally:
            seen.append(await second)

    driven.run(tidy())
    driven.driver.cancel()
    await asyncio.sleep(0)
    second.set_result(2)
    await driven.ended.wait()
    assert seen == [asyncio.CancelledError, 2]


async def test_cancelling_nothing_does_nothing() -> None:
    driven, seen = Driven(), list[object]()
    driven.driver.cancel()
    assert driven.run(noted(seen))
    driven.driver.cancel()
    assert driven.run(noted(seen))


@pytest.mark.parametrize("in_a_task", [False, True])
async def test_an_error_is_reported_and_goes_no_further(*, in_a_task: bool) -> None:
    driven, reported = Driven(), list[dict[str, Any]]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))

    async def failing() -> None:
        if in_a_task:
            await in_task_of_its_own()
        raise ValueError("a bug")

    asyncio.get_running_loop().call_soon(driven.run, failing())
    await driven.ended.wait()
    assert [type(end) for end in driven.ends] == [ValueError]
    assert [str(context["exception"]) for context in reported] == ["a bug"]


async def in_task_of_its_own() -> None:
    await in_task()


async def test_the_end_of_the_program_is_not_an_error_of_a_coroutine() -> None:
    async def ending() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        Driven().run(ending())


async def test_nothing_is_left_for_the_garbage_collector() -> None:
    class Owner:
        def __init__(self) -> None:
            self.driver = CoroutineDriver(asyncio.get_running_loop(), always_in_task=False)

        def ended(self, _error: BaseException | None) -> None: ...

    owner, waiter = Owner(), Waiter[int]()
    alive = weakref.ref(owner)
    owner.driver.run(noted([], waiter), owner.ended)
    waiter.set_result(1)
    await asyncio.sleep(0)
    gc.disable()
    try:
        del owner
        assert alive() is None
    finally:
        gc.enable()


async def test_a_task_that_is_dropped_closes_the_coroutine() -> None:
    driven, seen = Driven(), list[object]()

    async def sleeper() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except GeneratorExit:
            seen.append("closed")
            raise

    driven.run(sleeper())
    task = driven.driver._task
    assert task is not None
    suspended: Any = task.get_coro()
    suspended.close()
    assert seen == ["closed"]
    with pytest.raises(NotImplementedError):
        suspended.__await__()
    driven.driver.cancel()
    await driven.ended.wait()
