"""When connections are too old to answer another call."""

SPREAD = 0.1
"""The part of the greatest age by which a connection may end earlier, so that not all end together."""
_GOLDEN = 0.618034
"""The fractional parts of its multiples are spread evenly, however many there are."""


class ConnectionAges:
    """The ages of one target's connections.

    `longest_s` may be infinity. Times are readings of one clock, in seconds.
    """

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._at = 0.0

    def ends_at(self, now: float) -> float:
        """Return when a connection that is made `now` becomes too old.

        Each call returns a different part of the spread.
        """
        self._at = (self._at + _GOLDEN) % 1
        return now + self._longest_s * (1 - SPREAD * self._at)
