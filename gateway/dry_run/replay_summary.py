"""Counts the calls that would meet something else, by what changes for whom."""

from collections import Counter

import msgspec

from gateway.config_diff.effects import Effect
from gateway.dry_run.replay import ReplayedCall, is_changed


class ChangedCalls(msgspec.Struct, frozen=True):
    """Calls of one key to one route with one method for which the same changes.

    A status is None for calls that are let through. `limits` names the limits and quotas that would refuse them, and
    `example` is the request id of the first one, with its path.
    """

    effect: Effect
    calls: int
    method: str
    key: str
    route_before: str | None
    route_after: str | None
    status_before: int | None
    status_after: int | None
    reason_before: str
    reason_after: str
    limits: tuple[str, ...]
    example: str
    example_path: str


class ReplaySummary(msgspec.Struct, frozen=True):
    """What a replay has found. `unplayable` calls and `other_lines` of the log were left out."""

    calls: int
    changed_calls: int
    unplayable: int
    other_lines: int
    changes: list[ChangedCalls]


def effect_of_call(replayed: ReplayedCall) -> Effect:
    """Return the effect for the caller: refused now, let through now, or neither."""
    before, after = replayed.before.status, replayed.after.status
    if before is None and after is not None:
        return "breaking"
    return "widening" if before is not None and after is None else "other"


_ORDER: tuple[Effect, ...] = ("breaking", "widening", "other")


class ReplayCounter:
    """Counts replayed calls. At most `most` groups of equal changes are kept; the others are only counted."""

    def __init__(self, most: int = 10_000) -> None:
        self.calls = 0
        self.changed_calls = 0
        self._most = most
        self._first: dict[tuple[object, ...], ReplayedCall] = {}
        self._counts: Counter[tuple[object, ...]] = Counter()
        self._effects: set[Effect] = set()

    def add(self, replayed: ReplayedCall) -> None:
        """Count one call."""
        self.calls += 1
        if not is_changed(replayed):
            return
        self.changed_calls += 1
        self._effects.add(effect_of_call(replayed))
        call, before, after = replayed
        group = (call.method, call.key_id, before.route, before.status, after)
        if group in self._first or len(self._first) < self._most:
            self._first.setdefault(group, replayed)
            self._counts[group] += 1

    @property
    def breaks(self) -> bool:
        """Whether a call that was let through would be refused."""
        return "breaking" in self._effects

    def summary(self, unplayable: int, other_lines: int) -> ReplaySummary:
        """Return the counts: breaking changes first, and of each effect the most frequent first."""
        found = [_group(first, self._counts[group]) for group, first in self._first.items()]
        found.sort(key=lambda each: (_ORDER.index(each.effect), -each.calls))
        return ReplaySummary(self.calls, self.changed_calls, unplayable, other_lines, found)


def _group(first: ReplayedCall, calls: int) -> ChangedCalls:
    call, before, after = first
    return ChangedCalls(
        effect=effect_of_call(first),
        calls=calls,
        method=call.method,
        key=call.key_id,
        route_before=before.route,
        route_after=after.route,
        status_before=before.status,
        status_after=after.status,
        reason_before=before.reason,
        reason_after=after.reason,
        limits=after.limits,
        example=call.request_id,
        example_path=call.path,
    )
