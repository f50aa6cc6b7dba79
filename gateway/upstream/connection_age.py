"""How old connections may become."""

SPREAD = 0.1
"""How much earlier than at the greatest age one may end: those that were made together are not all made anew together."""
_GOLDEN = 0.618034
"""Multiples of it, whole parts left out, are spread evenly however many there are."""


class Ages:
    """`longest_s` may be infinity. Times are readings of one clock, in seconds."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._at = 0.0

    def ends_at(self, now: float) -> float:
        """When the next connection is too old, which is made `now`."""
        self._at = (self._at + _GOLDEN) % 1
        return now + self._longest_s * (1 - SPREAD * self._at)
