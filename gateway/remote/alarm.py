"""One deadline that is moved far more often than it is met."""

import asyncio
import math
from collections.abc import Callable

from gateway.kernel.clock import Clock


class Alarm:
    """Calls `ring` once the clock has reached `at`, a reading of `clock.monotonic`; infinity, as at first, is never.

    A timer of the event loop costs more than all else that a call does about time. So there is one for many
    deadlines: a later one only moves `at`, and the timer, when it fires too early, is set again for what is left.
    """

    def __init__(self, ring: Callable[[], None], clock: Clock, loop: asyncio.AbstractEventLoop) -> None:
        self.at = math.inf
        self._ring = ring
        self._clock = clock
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf

    def set(self, at: float) -> None:
        """Ring at `at`. (To put it off, or to clear it, assigning `at` is enough.)"""
        self.at = at
        if self._timer is not None:
            if self._timer_at <= at:
                return
            self._timer.cancel()
        elif at == math.inf:
            return
        self._timer_at = at
        # The loop's clock is coarser than ours: never ask it for nothing
        self._timer = self._loop.call_later(max(0.001, at - self._clock.monotonic()), self._fired)

    def cancel(self) -> None:
        self.at = math.inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fired(self) -> None:
        self._timer = None
        if self.at > self._clock.monotonic():
            self.set(self.at)
        else:
            self.at = math.inf
            self._ring()
