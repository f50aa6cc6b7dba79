"""Finds out how many calls a service takes at once, from how long they take.

The limit is judged once per window, a number of calls that began under the same limit. Their mean duration (geometric,
so that a few slow calls do not count for many) is compared with that at half of the calls, which is measured in a
window of its own now and then:

    as short      the limit was not too high. It grows, if it was used: quickly at first, and slowly near the number
                  of calls at which durations last became longer (the cubic of RFC 9438)
    longer        the service is at its limit. The limit falls a little below the calls that there were, and in
                  proportion to the duration if it was longer in the window before, too
    not much, but fewer calls were answered at a higher rate not long ago
                  the limit falls a little, and then grows slowly near the number of those calls

Most windows are spent just below the point where more calls only make all of them slower.
"""

import math

import msgspec

_LONGER = math.log(1.3)
"""The ratio of durations that says that calls wait for one another in the service."""
_SURE = 2.0
"""How many times larger than its standard error the difference has to be beside that."""
_LEAST_CALLS = 30
"""In a window, whatever the limit."""
_WORSE = 0.03
"""The logarithm by which the rate has to be lower than the best one was with fewer calls, beside that."""
_FADES = 0.002
"""By how much the logarithm of the best rate falls in each window, so that it is measured again."""
_BACK = 0.92
_PLATEAU_WINDOWS, _LONGEST_PLATEAU_WINDOWS = 30, 240
"""How many windows pass until the limit is where it was too high: twice as many each time that it is there again."""
_SAME = 0.1
"""The part by which two limits that were too high may differ and be the same."""
_GROWTH = 1.5
"""In each window, before it was ever too high."""
_MEASURED_EVERY = 100
"""How many windows there are for one that measures the duration at half of the calls."""
_SHORTEST_S = 1e-6


class LimitBounds(msgspec.Struct, frozen=True):
    """The least and the most calls at once that a limit may become."""

    least: int
    most: int


class ConcurrencyLimit:
    """The number of calls that may be under way at once. It begins with the least that it may be."""

    def __init__(self, bounds: LimitBounds) -> None:
        self._bounds = bounds
        self._limit = float(bounds.least)
        self.limit = bounds.least
        self.mean_s = 0.0
        """The mean duration in the last window, 0 before the first one has ended."""
        self._too_high = 0.0
        self._plateau = _PLATEAU_WINDOWS
        self._windows_since = 0
        self._windows = 0
        self._base, self._base_error = math.nan, 0.0
        self._best_rate, self._best_error, self._best_calls = -math.inf, 0.0, 0
        self._was_longer = False
        self._measuring = False
        self._since = -math.inf
        self._count = self._most_in_flight = 0
        self._sum = self._squares = 0.0

    def done(self, began: float, now: float, in_flight: int) -> None:
        """Count a call that began at `began` and ends `now`, with `in_flight` calls before its end.

        Calls that began under another limit do not count.
        """
        if began < self._since:
            return
        self._count += 1
        log = math.log(max(_SHORTEST_S, now - began))
        self._sum += log
        self._squares += log * log
        self._most_in_flight = max(self._most_in_flight, in_flight)
        if self._count >= max(_LEAST_CALLS, min(self.limit, self._most_in_flight)):
            mean = self._sum / self._count
            variance = max(0.0, self._squares / self._count - mean * mean)
            self._judge(mean, math.sqrt(variance / self._count))
            self._begin(now)

    def _begin(self, now: float) -> None:
        self._since = now
        self._count = self._most_in_flight = 0
        self._sum = self._squares = 0.0

    def _judge(self, mean: float, error: float) -> None:
        """`mean` is that of the logarithms of all durations in the window, `error` its standard error."""
        self._windows += 1
        self.mean_s = math.exp(mean)
        if self._measuring or self.limit == self._bounds.least or math.isnan(self._base):
            self._measuring = False
            if mean - self._base > _LONGER:  # the service has become slower: what was too high says nothing any more
                self._too_high, self._best_rate = 0.0, -math.inf
            self._base, self._base_error = mean, error
        longer = mean - self._base
        if longer > _LONGER + _SURE * math.hypot(error, self._base_error):
            self._fall(longer)
        elif self._is_worse(mean, error):
            self._fall(longer)
            self._too_high = float(self._best_calls)
        else:
            self._was_longer = False
            self._windows_since += 1
            # Where the limit was not used there is nothing to be learned about a higher one.
            if self._most_in_flight >= int(self._limit) * _BACK:
                self._grow()
        self.limit = max(self._bounds.least, int(self._limit))
        if self._windows % _MEASURED_EVERY == 0:
            self._measuring = True
            self.limit = max(self._bounds.least, min(self.limit, self._most_in_flight) // 2)

    def _is_worse(self, mean: float, error: float) -> bool:
        """Return whether fewer calls at once were answered at a higher rate, and keep the best rate."""
        rate = math.log(max(1, self._most_in_flight)) - mean  # Little's law
        self._best_rate -= _FADES
        if rate >= self._best_rate:
            self._best_rate, self._best_error, self._best_calls = rate, error, self._most_in_flight
            return False
        sure = _WORSE + _SURE * math.hypot(error, self._best_error)
        return self._most_in_flight > self._best_calls and rate < self._best_rate - sure

    def _fall(self, longer: float) -> None:
        reached = min(self._limit, float(max(self._most_in_flight, self._bounds.least)))
        part = max(0.5, math.exp(-longer)) if self._was_longer and longer > _LONGER else _BACK
        if not self._was_longer:
            same = abs(reached - self._too_high) <= _SAME * reached
            self._plateau = min(2 * self._plateau, _LONGEST_PLATEAU_WINDOWS) if same else _PLATEAU_WINDOWS
        self._too_high, self._windows_since, self._was_longer = reached, 0, True
        self._limit = max(float(self._bounds.least), reached * part)

    def _grow(self) -> None:
        if self._too_high:
            step = (self._windows_since - self._plateau) / self._plateau
            grown = self._too_high * (1.0 + (1.0 - _BACK) * step**3)
        else:
            grown = self._limit * _GROWTH
        self._limit = min(float(self._bounds.most), max(self._limit, grown))
