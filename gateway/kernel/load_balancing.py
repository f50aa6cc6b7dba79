"""Chooses one of several targets for a call. The load and the random numbers are parameters.

Two different ones are drawn by weight, and the one with fewer calls for its weight takes it ("the power of two
choices", Mitzenmacher 2001). Drawing one would let queues grow by bad luck, asking all would send every worker to the
same idle target at once. That they differ matters where one hangs: it gets no more calls than others have under way.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from itertools import accumulate


class Draw:
    """At least one target, by number, each with its weight."""

    __slots__ = ("_bounds", "_numbers", "_total", "_weights")

    def __init__(self, weights: Mapping[int, int]) -> None:
        self._numbers = tuple(weights)
        self._weights = tuple(weights.values())
        self._bounds = list(accumulate(self._weights))
        self._total = self._bounds[-1]

    def one(
        self, load: Callable[[int], int], chance: Callable[[], float], errs_more: Callable[[int, int], bool]
    ) -> int:
        """The number of one of them. `load` tells how many calls a target has; `chance` is from 0 up to 1, and asked
        twice.

        While nobody is busy, targets are chosen as their weights say. `errs_more` says whether the first of two answers
        errors clearly more often than the second: such a one is never busy, and gets no more than its weight for that.
        """
        numbers, weights, bounds = self._numbers, self._weights, self._bounds
        first = bisect_right(bounds, chance() * self._total)
        one = numbers[first]
        if len(numbers) == 1:
            return one
        at = chance() * (self._total - weights[first])
        second = bisect_right(bounds, at if at < bounds[first] - weights[first] else at + weights[first])
        other = numbers[second]
        if load(other) * weights[first] < load(one) * weights[second] and not errs_more(other, one):
            return other
        return one
