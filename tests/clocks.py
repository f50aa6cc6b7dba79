"""Clocks that a test moves."""

from gateway.kernel.clock import Clock


class ManualClock:
    """Stands still until it is told. In whole microseconds, so that a test can say exactly when."""

    def __init__(self, now_us: int = 1_000_000_000) -> None:
        self.now_us = now_us

    @property
    def clock(self) -> Clock:
        return Clock(self._seconds, self._seconds)

    def advance(self, seconds: float) -> None:
        """Back as well, with a negative number."""
        self.now_us += round(seconds * 1e6)

    def _seconds(self) -> float:
        return self.now_us / 1e6
