"""The time that the pool waits before it replaces a worker that has died."""

MIN_AGE_S = 0.5
"""A worker that dies before it has served for this time is probably broken itself: after several of those in a row the
next one waits.
"""
IMMEDIATE_RESTARTS = 5
FIRST_WAIT_S, MAX_WAIT_S = 0.1, 1.0
"""The cause may end unnoticed; a worker is to serve again within two seconds of that."""


class RestartBackoff:
    """Counts early deaths, by slot."""

    def __init__(self) -> None:
        self._early_deaths: dict[int, int] = {}

    def after_death(self, slot: int, served_s: float) -> float:
        """Return the seconds to wait before the next start in `slot`, whose last worker died after `served_s`."""
        deaths = self._early_deaths[slot] = 0 if served_s > MIN_AGE_S else self._early_deaths.get(slot, 0) + 1
        return (
            min(FIRST_WAIT_S * 2 ** (deaths - IMMEDIATE_RESTARTS), MAX_WAIT_S) if deaths >= IMMEDIATE_RESTARTS else 0.0
        )

    @staticmethod
    def after_failures(count: int) -> float:
        """Return the seconds to wait after `count` failed attempts in a row to start a process."""
        return float(min(FIRST_WAIT_S * 2**count, MAX_WAIT_S))
