"""Chooses one of several targets for a call. The load, the random numbers and the key of the call are parameters.

`Draw` draws two different ones by weight, and the one with fewer calls for its weight takes it ("the power of two
choices", Mitzenmacher 2001). Drawing one would let queues grow by bad luck, asking all would send every worker to the
same idle target at once. That they differ matters where one hangs: it gets no more calls than others have under way.
`RoundRobin` takes turns, and `Rendezvous` sends all calls of one key to the same target.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping
from hashlib import blake2b
from itertools import accumulate
from typing import Protocol

Loads = Callable[[int], int]
"""Returns the number of calls that a target has."""
Comparison = Callable[[int, int], bool]
"""Returns whether the first of two targets answers errors clearly more often than the second."""


class Picker(Protocol):
    """At least one target, by number, each with its weight."""

    def one(self, load: Loads, chance: Callable[[], float], errs_more: Comparison, key: int = 0) -> int:
        """Return the number of one of them. `chance` is from 0 up to 1, and `key` is a hash of 64 bits."""
        ...


class Draw:
    """At least one target, by number, each with its weight."""

    __slots__ = ("_bounds", "_numbers", "_total", "_weights")

    def __init__(self, weights: Mapping[int, int]) -> None:
        self._numbers = tuple(weights)
        self._weights = tuple(weights.values())
        self._bounds = list(accumulate(self._weights))
        self._total = self._bounds[-1]

    def one(self, load: Loads, chance: Callable[[], float], errs_more: Comparison, _key: int = 0) -> int:
        """Return the number of a target. `load` returns a target's calls; `chance`, from 0 up to 1, is called twice.

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


class RoundRobin:
    """At least one target, by number, each with its weight. They take turns, spread evenly.

    In each step every target gains its weight, and the one that has most takes the call and pays the total.
    """

    __slots__ = ("_gained", "_total", "_weights")

    def __init__(self, weights: Mapping[int, int]) -> None:
        self._weights = dict(weights)
        self._gained = dict.fromkeys(weights, 0)
        self._total = sum(weights.values())

    def one(self, _load: Loads, _chance: Callable[[], float], _errs_more: Comparison, _key: int = 0) -> int:
        gained, best = self._gained, -1
        for number, weight in self._weights.items():
            gained[number] += weight
            if best < 0 or gained[number] > gained[best]:
                best = number
        gained[best] -= self._total
        return best


_MASK = (1 << 64) - 1


class Rendezvous:
    """At least one target, by number, each with its weight and the seed of its own that `seed_of` returns.

    The calls of one key go to the target with the highest score for it ("rendezvous hashing", Thaler and Ravishankar
    1998). When a target leaves, only its keys move; when one comes, only those that move to it.
    """

    __slots__ = ("_entries",)

    def __init__(self, weights: Mapping[int, int], seeds: Mapping[int, int]) -> None:
        self._entries = [(number, weight, seeds[number]) for number, weight in weights.items()]

    def one(self, _load: Loads, _chance: Callable[[], float], _errs_more: Comparison, key: int = 0) -> int:
        return self.of(key)

    def of(self, key: int) -> int:
        """Return the number of the target that the calls of `key` go to."""
        best, highest = -1, -1.0
        for number, weight, seed in self._entries:
            mixed = ((key ^ seed) * 0x9E3779B97F4A7C15) & _MASK
            mixed = ((mixed ^ mixed >> 32) * 0xD6E8FEB86659FD93) & _MASK
            score = weight / -math.log(((mixed ^ mixed >> 32) + 0.5) / (_MASK + 2))
            if score > highest:
                best, highest = number, score
        return best


def seed_of(text: str) -> int:
    """Return a hash of 64 bits, which is the same in all processes."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest())
