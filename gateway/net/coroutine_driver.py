"""Runs coroutines without a task, as long as they await nothing but what `Waiter` completes.

A coroutine runs at once, in the callback that starts it, until it has to wait. What completes its waiter resumes it,
again at once. A coroutine that awaits a future of asyncio, or `in_task`, goes on in a task from there to its end, with
all that asyncio offers. Both ways run the same code: which one a coroutine takes is only a question of cost.

Laws:
 - A coroutine never runs within another task: what asyncio knows as the current task would be the wrong one.
 - No error of a coroutine reaches the callback that has resumed it.
"""

import asyncio
from asyncio import current_task
from collections.abc import Callable, Coroutine, Generator
from typing import Any, ClassVar, TypeAlias

from gateway.net.waiter import Waiter, WaiterDriver

Suspended: TypeAlias = Coroutine[Any, Any, object]
Steps: TypeAlias = Generator[Any, Any, object]
"""Runs a coroutine from one wait to the next."""
OnEnd: TypeAlias = Callable[[BaseException | None], None]
"""Receives the error that has ended a coroutine, None after a normal end."""
_ENDED = object()
_next = next
"""The builtin: mypyc looks that up in its module for each call."""


class CoroutineDriver(WaiterDriver):
    """Runs one coroutine at a time. `always_in_task` is for tests, None for what is set for all drivers."""

    __slots__ = ("_always_in_task", "_cancelled", "_loop", "_on_end", "_steps", "_task", "_waiter")

    always_in_task: ClassVar[bool] = False
    """Whether every coroutine runs in a task from its start. For tests, which compare both ways."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, always_in_task: bool | None = None) -> None:
        self._loop = loop
        self._always_in_task = self.always_in_task if always_in_task is None else always_in_task
        self._on_end: OnEnd | None = None
        self._steps: Steps | None = None
        self._waiter: Waiter[Any] | None = None
        self._task: asyncio.Task[object] | None = None
        self._cancelled = False

    def __repr__(self) -> str:
        state = "in a task" if self._task is not None else "idle" if self._steps is None else "driving"
        return f"<CoroutineDriver {state}>"

    def run(self, coroutine: Suspended, on_end: OnEnd) -> bool:
        """Start `coroutine`, and return whether it has ended normally. If it has not, `on_end` is called at its end.

        Only while no other is under way.
        """
        self._on_end = on_end  # not longer than the coroutine runs, because its owner refers to this driver
        self._cancelled = False
        if self._always_in_task:
            self._go_on_in_task(coroutine)
            return False
        self._steps = steps = coroutine.__await__()
        if not self._step(steps):
            return False
        self._steps = self._on_end = None
        return True

    def cancel(self) -> None:
        """Raise CancelledError in the coroutine where it waits, or will wait next. Without one, nothing happens."""
        if self._task is not None:
            self._task.cancel()
        elif self._steps is not None and (self._waiter is None or not self._waiter.cancel()):
            self._cancelled = True

    def resume(self) -> None:
        """Let the coroutine go on, because its waiter is done. Called by the waiter."""
        if current_task(self._loop) is None:
            self.advance()
        else:
            self._loop.call_soon(self.advance)

    def advance(self) -> None:
        """Do what `resume` does, in a callback of the event loop."""
        if self._step(self._steps):  # type: ignore[arg-type]  # set as long as a coroutine waits
            self._end(None)

    def _step(self, steps: Steps) -> bool:
        """Run a coroutine until it waits; return whether it has ended normally."""
        try:
            # With a default: a StopIteration would cost more than all else here.
            awaited = steps.throw(asyncio.CancelledError()) if self._cancelled else _next(steps, _ENDED)
        except (KeyboardInterrupt, SystemExit):
            raise
        except StopIteration:
            return True
        except BaseException as error:
            if not isinstance(error, asyncio.CancelledError):
                self._report(error)
            self._end(error)
            return False
        if awaited is _ENDED:
            return True
        if isinstance(awaited, Waiter):
            self._waiter = awaited
            awaited.driver = self
            if self._cancelled:
                awaited.cancel()
        else:
            self._waiter = None
            self._go_on_in_task(_Suspended(steps, awaited))
        return False

    def _go_on_in_task(self, coroutine: Suspended) -> None:
        self._task = self._loop.create_task(coroutine)
        self._task.add_done_callback(self._task_ended)
        if self._cancelled:
            self._task.cancel()

    def _task_ended(self, task: "asyncio.Task[object]") -> None:
        self._task = None
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is not None and not task.cancelled():
            self._report(error)
        self._end(error)

    def _report(self, error: BaseException) -> None:
        self._loop.call_exception_handler({"message": "an exchange has failed", "exception": error})

    def _end(self, error: BaseException | None) -> None:
        on_end = self._on_end
        self._steps = self._on_end = self._waiter = None
        on_end(error)  # type: ignore[misc]  # set as long as a coroutine runs


async def in_task() -> None:
    """Go on in a task from here. What asyncio offers only to tasks, above all `asyncio.timeout`, needs this before."""
    if asyncio.current_task() is None:
        await asyncio.sleep(0)


class _Suspended(Coroutine[Any, Any, object]):
    """A coroutine that has started, for a task to go on with. It waits for `awaited`, which was not passed on yet."""

    __slots__ = ("_awaited", "_passed", "_steps")

    def __init__(self, steps: Steps, awaited: object) -> None:
        self._steps = steps
        self._awaited = awaited
        self._passed = False

    def send(self, value: Any) -> Any:
        if self._passed:
            return self._steps.send(value)
        self._passed = True
        awaited, self._awaited = self._awaited, None
        return awaited

    def throw(self, *error: Any) -> Any:
        self._passed = True
        awaited, self._awaited = self._awaited, None
        if isinstance(awaited, asyncio.Future):  # cancelled with the coroutine, as a task would have done
            awaited.cancel()
        try:
            return self._steps.throw(*error)
        finally:
            del error  # its traceback refers to this frame, and must not refer to it in a circle

    def close(self) -> None:
        self._steps.close()

    def __await__(self) -> Generator[Any, Any, object]:  # a task calls `send` and `throw`
        raise NotImplementedError
