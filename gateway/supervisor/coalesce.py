"""Runs a piece of work once at a time; requests that arrive meanwhile share the next run."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Generic, TypeVar

ResultT = TypeVar("ResultT")


class Coalescer(Generic[ResultT]):
    """Runs `work` on request.

    A run always begins after the request that it answers, so that its result is never older.
    """

    def __init__(self, work: Callable[[], Awaitable[ResultT]]) -> None:
        self._work = work
        self._requested = asyncio.Event()
        self._next: asyncio.Future[ResultT] | None = None

    def request(self) -> "asyncio.Future[ResultT]":
        """Return the result of the next run."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
            self._requested.set()
        return self._next

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run `work` on request inside the context; at the end a run that is under way is cancelled."""
        loop_task = asyncio.get_running_loop().create_task(self._run())
        try:
            yield
        finally:
            loop_task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await loop_task
            if self._next is not None:
                self._next.cancel()

    async def _run(self) -> None:
        while True:
            await self._requested.wait()
            self._requested.clear()
            requested, self._next = self._next, None
            assert requested is not None
            try:
                result = await self._work()
            except BaseException:
                requested.cancel()
                raise
            if not requested.done():
                requested.set_result(result)
