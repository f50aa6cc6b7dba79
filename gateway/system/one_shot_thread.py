"""Runs blocking work in threads that end with it, in a process that forks."""

import asyncio
import contextlib
import errno
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias, TypeVar

T = TypeVar("T")

STILL_S = 0.25
"""A thread that has not run for this time waits in a system call."""
_ThreadState: TypeAlias = tuple[object, ...]


class Threads:
    """The threads of a process that forks.

    A child gets a copy of every lock but of no other thread: a lock that a thread holds at the moment of a fork stays
    locked in the child. So a fork waits until threads have ended. It does not wait for a thread that is blocked in a
    system call, as when a file system does not answer: that one holds no lock that a child needs, and might never end.
    Work that comes while a fork waits begins after it: otherwise whoever asks for work again and again would put it off
    for ever.
    """

    def __init__(self) -> None:
        self._living: dict[threading.Thread, asyncio.Future[None]] = {}
        self._forks = 0
        self._may_begin = asyncio.Event()
        self._may_begin.set()

    def __repr__(self) -> str:
        return f"<Threads {len(self._living)} at work>"

    async def run(self, work: Callable[[], T]) -> T:
        """Run `work` in a new thread, and return or raise what it does.

        When this returns, the thread has ended.

        After a cancellation the work goes on, and its result is dropped. Raises OSError when no thread can be started.
        """
        while self._forks:
            await self._may_begin.wait()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        ended: asyncio.Future[None] = loop.create_future()

        def finish(result: T | None, error: BaseException | None) -> None:
            thread.join()  # it is about to end
            del self._living[thread]
            ended.set_result(None)
            if done.cancelled():
                return
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(result)  # type: ignore[arg-type]  # it is T when there is no error

        def run() -> None:
            result, failed = None, None
            try:
                result = work()
            except BaseException as error:
                failed = error
            with contextlib.suppress(RuntimeError):  # the loop is closed: no task waits any more
                loop.call_soon_threadsafe(finish, result, failed)

        # A daemon, because a thread that hangs must not keep the process from exiting.
        thread = threading.Thread(target=run, name="work", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            raise OSError(errno.EAGAIN, str(error)) from error
        self._living[thread] = ended
        return await done

    async def quiet(self) -> None:
        """Return when no thread runs; the caller may fork if it does so before it awaits anything."""
        self._forks += 1
        self._may_begin.clear()
        try:
            while self._living:
                before = {thread: _state(thread) for thread in self._living}
                await asyncio.wait(set(self._living.values()), timeout=STILL_S)
                if all(thread in before and _is_same(before[thread], _state(thread)) for thread in self._living):
                    return
        finally:
            self._forks -= 1
            if not self._forks:
                self._may_begin.set()


def _state(thread: threading.Thread) -> _ThreadState | None:
    """Return a sleeping thread's instruction and context switches; None if it runs, or if that is unknown."""
    try:
        lines = Path(f"/proc/self/task/{thread.native_id}/status").read_text().splitlines()
    except OSError:
        return None
    frame = sys._current_frames().get(thread.ident or 0)
    at = None if frame is None else (id(frame), frame.f_lasti)
    asleep = any(line.startswith(("State:\tS", "State:\tD")) for line in lines)
    return (at, *[line for line in lines if "ctxt_switches" in line]) if asleep else None


def _is_same(before: _ThreadState | None, after: _ThreadState | None) -> bool:
    return before is not None and before == after
