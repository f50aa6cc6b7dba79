"""Decides when a store counts as away, and when to look for it again. No sockets and no clock: it is told what happened."""

import random
from collections.abc import Callable

FAILURES_TO_OPEN = 3
FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 1.0


class Availability:
    """Open means: do not ask. It is open until the store was reached, and opens again at the third failure in a row.

    While it is open its owner probes the store, outside of any request, after each `delay_s`.
    `chance` returns a number from 0 up to 1.
    """

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        self.is_open = True
        self.failures = 0
        self._chance = chance
        self._delay_s = FIRST_DELAY_S

    def __repr__(self) -> str:
        return f"<Availability {'open' if self.is_open else 'closed'}, {self.failures} failures in a row>"

    def close(self) -> None:
        """A call or a probe was answered."""
        self.is_open = False
        self.failures = 0
        self._delay_s = FIRST_DELAY_S

    def open(self) -> None:
        """The store is away for every call, not only for the one that found out."""
        self.is_open = True

    def failed(self) -> None:
        """A call failed, perhaps alone."""
        self.failures += 1
        if self.failures >= FAILURES_TO_OPEN:
            self.open()

    def delay_s(self) -> float:
        """How long to wait before the next probe: up to twice as long each time, and how much of that is chance.

        The chance keeps the gateways of a fleet from returning to a store in the same instant.
        """
        longest_s, self._delay_s = self._delay_s, min(2 * self._delay_s, LONGEST_DELAY_S)
        return longest_s * self._chance()
