"""Large work of one event loop, a little in each of its turns.

Law: however many large replies arrive at once, what the loop does for them in one turn is bounded: who wants more waits for
a later turn, in order, and everything else is served in between.
"""

import asyncio
from collections import deque
from collections.abc import Callable

LARGE_BYTES = 256 * 1024
"""What is smaller asks for no turn."""
_TURN_BYTES = 1024 * 1024
_AT_A_TIME = 2
"""How many of those who wait go on in one turn."""


class Turns:
    """For one event loop."""

    __slots__ = ("_left", "_waiting")

    def __init__(self) -> None:
        self._left = _TURN_BYTES
        self._waiting: deque[Callable[[], None]] = deque()

    def __repr__(self) -> str:
        return f"<Turns {self._left} bytes left, {len(self._waiting)} waiting>"

    def spent(self, size: int) -> bool:
        """Whether `size` bytes more are all that this turn has, or more. They count."""
        if self._left == _TURN_BYTES:
            asyncio.get_running_loop().call_soon(self._next)
        self._left -= size
        return self._left <= 0

    def later(self, go_on: Callable[[], None]) -> None:
        """Call `go_on` in a later turn. Only after `spent` has said yes."""
        self._waiting.append(go_on)

    async def take(self, size: int) -> None:
        """Wait for a turn that has room for work on `size` bytes."""
        if self.spent(size):
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()

            def go_on() -> None:
                if not turn.done():
                    turn.set_result(None)

            self.later(go_on)
            await turn

    def _next(self) -> None:
        self._left = _TURN_BYTES
        for _ in range(min(_AT_A_TIME, len(self._waiting))):
            self._waiting.popleft()()
        if self._waiting:
            self.spent(0)
