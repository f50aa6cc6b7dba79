"""Bounds the work on large replies in one iteration of the event loop.

Law: however many large replies arrive at once, the loop spends a bounded amount of work on them in one iteration.
Further work waits for a later iteration, in order, and everything else is served in between.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from gateway.net.waiter import Waiter

LARGE_BYTES = 256 * 1024
"""Smaller replies are not counted."""
_BYTES_PER_ITERATION = 1024 * 1024
_AT_A_TIME = 2
"""The number of those who wait that continue in one iteration."""


class LoopBudget:
    """The budget of one event loop."""

    __slots__ = ("_left", "_waiting")

    def __init__(self) -> None:
        self._left = _BYTES_PER_ITERATION
        self._waiting: deque[Callable[[], None]] = deque()

    def __repr__(self) -> str:
        return f"<LoopBudget {self._left} bytes left, {len(self._waiting)} waiting>"

    def spent(self, size: int) -> bool:
        """Count `size` bytes of work; return whether the budget of this iteration is spent."""
        if self._left == _BYTES_PER_ITERATION:
            asyncio.get_running_loop().call_soon(self._next)
        self._left -= size
        return self._left <= 0

    def later(self, go_on: Callable[[], None]) -> None:
        """Call `go_on` in a later iteration. Only after `spent` has returned True."""
        self._waiting.append(go_on)

    async def take(self, size: int) -> None:
        """Wait until an iteration has budget for work on `size` bytes."""
        if self.spent(size):
            turn: Waiter[None] = Waiter()  # not a future, for which the caller would have to become a task

            def go_on() -> None:
                if not turn.done:
                    turn.set_result(None)

            self.later(go_on)
            await turn

    def _next(self) -> None:
        self._left = _BYTES_PER_ITERATION
        for _ in range(min(_AT_A_TIME, len(self._waiting))):
            self._waiting.popleft()()
        if self._waiting:
            self.spent(0)
