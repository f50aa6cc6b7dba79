"""Which of several targets a call goes to. Pure: how busy they are and the chance come in.

Two are drawn by weight, and the one with fewer calls for its weight takes it ("the power of two choices", Mitzenmacher
2001). Drawing one would let queues grow by bad luck, asking all would send every worker to the same idle target at once.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from itertools import accumulate


class Draw:
    """Some targets, by number, each with its weight: one at least."""

    __slots__ = ("_bounds", "_numbers", "_total", "_weights")

    def __init__(self, weights: Mapping[int, int]) -> None:
        self._numbers = tuple(weights)
        self._weights = tuple(weights.values())
        self._bounds = list(accumulate(self._weights))
        self._total = self._bounds[-1]

    def one(self, load: Callable[[int], int], chance: Callable[[], float]) -> int:
        """The number of one of them. `load` tells how many calls a target has; `chance` is from 0 up to 1, and asked twice.

        While nobody is busy, targets are chosen as their weights say.
        """
        first = bisect_right(self._bounds, chance() * self._total)
        second = bisect_right(self._bounds, chance() * self._total)
        numbers, weights = self._numbers, self._weights
        if first != second and load(numbers[second]) * weights[first] < load(numbers[first]) * weights[second]:
            return numbers[second]
        return numbers[first]
