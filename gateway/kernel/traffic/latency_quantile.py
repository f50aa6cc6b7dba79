"""Estimates the time within which a share of the recent calls to an upstream was answered.

Counts times in buckets, eight to each doubling, so that an estimate is at most 9 % too long. Old times fade: whenever
`_FULL` have been counted, all counts are halved.
"""

import math

_STEPS = 8
_BUCKETS = _STEPS * 28
"""Up to four and a half minutes."""
_FULL = 2048
_ENOUGH = 50
"""No estimate is made of fewer times."""
_REFRESH = 16
"""An estimate is as old as so many times at most."""


class LatencyQuantile:
    """`share` is of the calls, above 0 and below 1. `seconds` is the estimate, None while too little is known."""

    __slots__ = ("_counted", "_counts", "_due", "_share", "seconds")

    def __init__(self, share: float) -> None:
        self._share = share
        self._counts = [0.0] * _BUCKETS
        self._counted = 0.0
        self._due = _ENOUGH
        self.seconds: float | None = None

    def add(self, seconds: float) -> None:
        """Count the time of a call. One that was given up counts with the time until then."""
        bucket = int(_STEPS * math.log2(1.0 + max(0.0, seconds) * 1e6))
        self._counts[min(bucket, _BUCKETS - 1)] += 1.0
        self._counted += 1.0
        self._due -= 1
        if not self._due:
            self._due = _REFRESH
            self._estimate()

    def _estimate(self) -> None:
        wanted, bucket, seen = self._share * self._counted, 0, self._counts[0]
        while seen < wanted:
            bucket += 1
            seen += self._counts[bucket]
        self.seconds = (2.0 ** ((bucket + 1) / _STEPS) - 1.0) / 1e6
        if self._counted >= _FULL:
            self._counts = [count / 2 for count in self._counts]
            self._counted /= 2
