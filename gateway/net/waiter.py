"""What one coroutine waits for, completed by a callback: a Future that needs no event loop to resume its coroutine.

Two kinds of drivers run coroutines that await a `Waiter`:

    a Task             is resumed in a later iteration of the event loop, as it is by a Future
    a driver of our    gets the waiter from the coroutine and assigns itself as its `driver`; its `resume` is called at
    own                once, within `set_result`, `set_exception` or `cancel`, and lets the coroutine go on. Within
                       `set_result_in_callback` its `advance` is called in place of that

Laws:
 - Whoever completes a waiter does it last: the coroutine may run to its end before the call returns.
 - A coroutine that gives up is cancelled through `cancel` of the waiter that it awaits, so that nothing resumes it
   twice.
 - One coroutine awaits a waiter, directly: `asyncio.wait`, `gather`, `wait_for` and `shield` take none.
"""

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context
from functools import partial
from typing import Any, Generic, TypeVar

import msgspec

from gateway.kernel.struct_attributes import set_as_slots

T = TypeVar("T")


class WaiterDriver:
    """Runs a coroutine that awaits a waiter."""

    __slots__ = ()

    def resume(self) -> None:
        """Let the coroutine go on, because the waiter is done."""
        raise NotImplementedError

    def advance(self) -> None:
        """Do what `resume` does. Only in a callback of the event loop, where no task is the current one."""
        self.resume()


class _NoDriver(WaiterDriver):
    """Stands in a waiter that no coroutine awaits, which saves the question whether one does.

    It is known to the garbage collector, and every waiter by it from the start (see `set_as_slots`).
    """

    def resume(self) -> None:
        """Do nothing."""


NO_DRIVER = _NoDriver()


@set_as_slots
class Waiter(msgspec.Struct, Generic[T], kw_only=True, eq=False):
    """A result that is still to come. `done`: it has come, or it never will.

    `value` is the result once it has come. `error` is raised in its place. A struct, as one is made for each call.
    """

    value: T | None = None
    error: BaseException | None = None
    driver: WaiterDriver = NO_DRIVER
    done: bool = False
    _asyncio_future_blocking: bool | None = None

    def __await__(self) -> Generator[Any, Any, T]:
        """Wait until it is done. Return the result, or raise the error."""
        if not self.done:
            self._asyncio_future_blocking = True  # a Task waits for nothing else
            yield self
        return self.value if self.error is None else self.result()  # type: ignore[return-value]  # as in `result`

    def result(self) -> T:
        """Return the result, or raise the error. Only when it is done, and only once."""
        error = self.error
        if error is None:
            return self.value  # type: ignore[return-value]  # it was set, to whatever T allows
        self.error = None
        try:
            raise error
        finally:
            del error  # its traceback refers to this frame, and must not refer to it in a circle

    def set_result(self, value: T) -> None:
        """Complete it, and resume the coroutine that awaits it. Only while it is not done."""
        self.value = value
        self.done = True
        driver = self.driver
        self.driver = NO_DRIVER  # the driver, the coroutine and this must not refer in a circle
        driver.resume()

    def set_result_in_callback(self, value: T) -> None:
        """Do what `set_result` does. Only in a callback of the event loop, where no task is the current one."""
        self.value = value
        self.done = True
        driver = self.driver
        self.driver = NO_DRIVER
        driver.advance()

    def set_exception(self, error: BaseException) -> None:
        """Do what `set_result` does, with an error in place of a result."""
        self.error = error
        self.set_result(None)  # type: ignore[arg-type]  # nobody gets it

    def cancel(self, msg: object = None) -> bool:  # noqa: ARG002 - a Task passes it
        """Raise CancelledError in the coroutine that awaits it. False when it was done already."""
        if self.done:
            return False
        self.set_exception(asyncio.CancelledError())
        return True

    # Called by a Task

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop of the Task that awaits it."""
        return asyncio.get_running_loop()

    def add_done_callback(self, wake_up: Callable[..., Any], *, context: Context) -> None:
        """Call `wake_up` with this waiter, in a later iteration of the loop, when it is done."""
        self.driver = Callback(partial(self.get_loop().call_soon, wake_up, self, context=context))


class Callback(WaiterDriver):
    """Is called where a driver would let its coroutine go on."""

    __slots__ = ("_called",)

    def __init__(self, called: Callable[[], object]) -> None:
        self._called = called

    def resume(self) -> None:
        """Call it."""
        self._called()
