"""One at a time, and whoever asks meanwhile shares the next one."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Coalescer(Generic[T]):
    """Does `work` when asked. It begins after the question, so that its answer is never older."""

    def __init__(self, work: Callable[[], Awaitable[T]]) -> None:
        self._work = work
        self._asked = asyncio.Event()
        self._next: asyncio.Future[T] | None = None

    def ask(self) -> "asyncio.Future[T]":
        """What comes of the next turn."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
            self._asked.set()
        return self._next

    @contextlib.asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Questions are answered while this lasts; one under way at the end is given up."""
        turning = asyncio.get_running_loop().create_task(self._turn())
        try:
            yield
        finally:
            turning.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await turning
            if self._next is not None:
                self._next.cancel()

    async def _turn(self) -> None:
        while True:
            await self._asked.wait()
            self._asked.clear()
            asked, self._next = self._next, None
            assert asked is not None
            try:
                answer = await self._work()
            except BaseException:
                asked.cancel()
                raise
            if not asked.done():
                asked.set_result(answer)
