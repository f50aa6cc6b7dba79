"""Decides when a server counts as away, and when to try it again.

It has no socket and no clock: its owner reports what happened.
"""

import random
from collections.abc import Callable

FAILURES_TO_AWAY = 3
FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 1.0
FOR_ALL = frozenset({
    "BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "MOVED", "NOAUTH", "NOPERM", "NOREPLICAS", "NOSCRIPT",
    "OOM", "READONLY",
})  # fmt: skip
"""Redis's error codes for what every other call would have met as well."""


class Availability:
    """Whether to ask a server. It is away until it was reached, and again after the third failure in a row.

    While it is away its owner probes it, outside of any request, after each `delay_s`.
    `chance` returns a number from 0 up to 1.
    """

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        self.is_away = True
        self.failures = 0
        self._chance = chance
        self._delay_s = FIRST_DELAY_S

    def __repr__(self) -> str:
        return f"<Availability {'away' if self.is_away else 'reachable'}, {self.failures} failures in a row>"

    def reached(self) -> None:
        """Note that a call or a probe was answered."""
        self.is_away = False
        self.failures = 0
        self._delay_s = FIRST_DELAY_S

    def lost(self) -> None:
        """Note that the server is away for every call, not only for the one that found out."""
        self.is_away = True

    def failed(self, reason: str) -> None:
        """Note that a call failed for `reason` (of a RedisConnectionError), perhaps it alone."""
        if reason in FOR_ALL:
            self.lost()
            return
        self.failures += 1
        if self.failures >= FAILURES_TO_AWAY:
            self.lost()

    def delay_s(self) -> float:
        """Return the time before the next probe: up to twice as long each time, and random within that.

        The chance keeps the gateways of a fleet from returning to a server in the same instant.
        """
        longest_s, self._delay_s = self._delay_s, min(2 * self._delay_s, LONGEST_DELAY_S)
        return longest_s * self._chance()
