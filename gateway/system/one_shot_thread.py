"""Work that takes long, beside the loop, in a thread that is gone when it is done."""

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
"""A thread that has not run for so long waits in a system call."""
_Look: TypeAlias = tuple[object, ...]


class Threads:
    """Those of a process that forks.

    A child has a copy of every lock and of no other thread: what a thread holds at the moment of a fork stays locked in
    the child. So a fork waits for the end of threads. It does not wait for one that stands still in a system call, as
    when a file system does not answer: that one holds nothing that a child needs, and might never end.
    """

    def __init__(self) -> None:
        self._living: dict[threading.Thread, asyncio.Future[None]] = {}

    def __repr__(self) -> str:
        return f"<Threads {len(self._living)} at work>"

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` returns or raises. Unlike the loop's pool it leaves no thread behind, which a fork could not copy.

        When this is cancelled the work goes on, and nobody is told what comes of it. Raises OSError when there is no thread.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        ended: asyncio.Future[None] = loop.create_future()

        def settle(result: T | None, error: BaseException | None) -> None:
            thread.join()  # it has nothing left to do but end
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
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, result, failed)

        # A daemon: one that hangs must not keep the process from ending.
        thread = threading.Thread(target=run, name="work", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            raise OSError(errno.EAGAIN, str(error)) from error
        self._living[thread] = ended
        return await done

    async def quiet(self) -> None:
        """Returns when no thread runs, and the caller may fork before anybody else's turn."""
        while self._living:
            looks = {thread: _look(thread) for thread in self._living}
            await asyncio.wait(set(self._living.values()), timeout=STILL_S)
            if all(thread in looks and _is_same(looks[thread], _look(thread)) for thread in self._living):
                return


def _look(thread: threading.Thread) -> _Look | None:
    """Where it stands and how often it has been switched, None if that cannot be told."""
    try:
        lines = Path(f"/proc/self/task/{thread.native_id}/status").read_text().splitlines()
    except OSError:
        return None
    frame = sys._current_frames().get(thread.ident or 0)
    at = None if frame is None else (id(frame), frame.f_lasti)
    asleep = any(line.startswith(("State:\tS", "State:\tD")) for line in lines)
    return (at, *[line for line in lines if "ctxt_switches" in line]) if asleep else None


def _is_same(before: _Look | None, now: _Look | None) -> bool:
    return before is not None and before == now
