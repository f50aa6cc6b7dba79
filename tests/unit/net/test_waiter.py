"""A waiter under both kinds of drivers."""

import asyncio
import gc
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any
from weakref import ref

import pytest

from gateway.net.waiter import NO_DRIVER, Waiter


class OwnError(ValueError):
    """One that can be referred to weakly."""


class Driver:
    """The smallest driver that is no Task. It keeps what its coroutine returned or raised."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutine = coroutine
        self.awaited: Waiter[Any] | None = None
        self.ended: object = None
        self.resume()

    def resume(self) -> None:
        try:
            self.awaited = self._coroutine.send(None)
        except StopIteration as end:
            self.awaited, self.ended = None, end.value
        except BaseException as error:
            self.awaited, self.ended = None, error
        else:
            self.awaited.driver = self

    advance = resume


async def added(first: Waiter[int], second: Waiter[int]) -> int:
    return await first + await second


def test_a_driver_goes_on_at_once() -> None:
    first, second = Waiter[int](), Waiter[int]()
    driver = Driver(added(first, second))
    assert driver.awaited is first
    first.set_result(40)
    assert driver.awaited is second
    second.set_result(2)
    assert driver.ended == 42


def test_what_is_done_is_not_waited_for() -> None:
    first, second = Waiter[int](), Waiter[int]()
    first.set_result(40)
    second.set_result(2)
    assert Driver(added(first, second)).ended == 42


def test_an_error_is_raised_in_the_coroutine() -> None:
    first = Waiter[int]()
    driver = Driver(added(first, Waiter()))
    first.set_exception(error := ValueError("no"))
    assert driver.ended is error


def test_cancelling_raises_in_the_coroutine_once() -> None:
    first = Waiter[int]()
    driver = Driver(added(first, Waiter()))
    assert first.cancel()
    assert isinstance(driver.ended, asyncio.CancelledError)
    assert first.done
    assert not first.cancel()


def test_nothing_refers_in_a_circle_to_what_is_done() -> None:
    first = Waiter[int]()
    Driver(added(first, Waiter()))
    first.set_result(1)
    assert first.driver is NO_DRIVER


async def failed(waiter: Waiter[int]) -> None:
    with suppress(OwnError):
        await waiter


def test_an_error_does_not_refer_to_itself() -> None:
    waiter = Waiter[int]()
    Driver(failed(waiter))
    error = OwnError()
    is_alive = ref(error)
    gc.disable()
    try:
        waiter.set_exception(error)
        del error
        assert is_alive() is None
    finally:
        gc.enable()


async def test_a_task_goes_on_in_a_later_iteration() -> None:
    first, second = Waiter[int](), Waiter[int]()
    task = asyncio.create_task(added(first, second))
    await asyncio.sleep(0)
    first.set_result(40)
    second.set_result(2)
    assert not task.done()
    assert await task == 42


async def test_a_task_gets_the_error() -> None:
    first = Waiter[int]()
    task = asyncio.create_task(added(first, Waiter()))
    await asyncio.sleep(0)
    first.set_exception(ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        await task


async def test_a_cancelled_task_cancels_what_it_awaits() -> None:
    first = Waiter[int]()
    task = asyncio.create_task(added(first, Waiter()))
    await asyncio.sleep(0)
    task.cancel()
    assert first.done
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_task_that_was_given_its_result_is_cancelled_all_the_same() -> None:
    first = Waiter[int]()
    task = asyncio.create_task(added(first, Waiter()))
    await asyncio.sleep(0)
    first.set_result(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_time_out_cancels_it() -> None:
    first = Waiter[int]()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await first
    assert first.done


def test_it_is_known_to_the_garbage_collector() -> None:
    assert gc.is_tracked(Waiter[int]())


async def test_a_task_is_made_for_one_that_nobody_awaits_yet() -> None:
    """It is no future, which `ensure_future` would return as it is."""
    first = Waiter[int]()
    first.set_result(1)
    assert await asyncio.ensure_future(first) == 1


async def test_a_result_in_a_callback_resumes_at_once() -> None:
    first, second = Waiter[int](), Waiter[int]()
    driver = Driver(added(first, second))
    first.set_result_in_callback(40)
    assert driver.awaited is second
    assert first.driver is NO_DRIVER
    second.set_result_in_callback(2)
    assert driver.ended == 42
    unawaited = Waiter[int]()
    unawaited.set_result_in_callback(1)
    assert unawaited.result() == 1
