"""Which targets of an upstream are called: priority groups, the panic threshold, and slow start.

Laws:
 - Calls go to the first priority group of which enough targets are up (`panic_share`), and to all of those.
 - When no group has enough, calls go to all targets of the best group, ejected and failed ones too: the few that are
   left would not stand the load of all.
 - When no target of any group is up, calls go to those on probation, then to those that are not down, then to all.
"""

from collections.abc import Callable, Iterable, Mapping

import msgspec

_SCALE = 100
"""Weights are multiplied by this while a target starts slowly."""
_LEAST = 0.1
"""The part of its weight with which a target starts."""


class TargetGroups:
    """All targets of an upstream by number, with their `weights` and `priorities` (0 comes first)."""

    def __init__(
        self, weights: Mapping[int, int], priorities: Mapping[int, int] | None = None, panic_share: float = 0.0
    ) -> None:
        levels = sorted({*priorities.values()}) if priorities else [0]
        self._groups = [
            {number: weight for number, weight in weights.items() if not priorities or priorities[number] == level}
            for level in levels
        ]
        self._panic_share = panic_share

    def called(
        self, proven: Callable[[int], bool], up: Callable[[int], bool], down: Callable[[int], bool]
    ) -> "CalledTargets":
        """Return the targets that are called. `proven` ones are up and not on probation."""
        best, most = self._groups[0], 0.0
        reached: dict[int, int] = {}
        for group in self._groups:
            reached |= group
            well = _only(group, proven)
            if well and len(well) >= self._panic_share * len(group):
                return CalledTargets(well, frozenset(reached))
            if len(well) / len(group) > most:
                best, most = group, len(well) / len(group)
        if most:
            return CalledTargets(best, frozenset())
        return CalledTargets(self.first(reached, up) or self.first(reached, lambda number: not down(number)) or reached)

    def first(self, among: Iterable[int], passes: Callable[[int], bool]) -> dict[int, int]:
        """Return those of `among` that pass, of the first group that has any."""
        among = frozenset(among)
        for group in self._groups:
            found = {number: weight for number, weight in group.items() if number in among and passes(number)}
            if found:
                return found
        return {}


class CalledTargets(msgspec.Struct, frozen=True):
    """The `weights` of the targets that are called. Those of `on_trial` that are on probation may be tried."""

    weights: Mapping[int, int]
    on_trial: frozenset[int] = frozenset()


def slowly(weights: Mapping[int, int], ages_s: Mapping[int, float], slow_start_s: float) -> Mapping[int, int]:
    """Return `weights` with less for those that have been back for less than `slow_start_s`.

    `ages_s` is for how long targets have been back.
    """
    parts = {number: max(_LEAST, ages_s[number] / slow_start_s) for number in weights}
    if all(part >= 1.0 for part in parts.values()):
        return weights
    return {number: max(1, round(weight * _SCALE * min(1.0, parts[number]))) for number, weight in weights.items()}


def _only(group: Mapping[int, int], passes: Callable[[int], bool]) -> dict[int, int]:
    return {number: weight for number, weight in group.items() if passes(number)}
