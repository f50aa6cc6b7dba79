"""Which targets of an upstream are called: not those that are down by their checks, and those that failed too often are
left alone for a while, by every worker.

Laws:
 - A target is ejected after `consecutive_failures` calls in a row that it did not answer (an answered error is an answer),
   and for longer each time. When it is back its first failure ejects it again, until it has answered once.
 - Never more than `max_percent` of the targets are ejected at once, but one may always be; the last one that is called never is.
 - When checks leave none to call, those that are only ejected are called; when all are down, all are.
"""

import math
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

import msgspec

from gateway.kernel.backoff import backoff_s
from gateway.kernel.balance import Draw
from gateway.kernel.clock import Clock
from gateway.kernel.faults import (
    UPSTREAM_CONNECT_TIMEOUT,
    UPSTREAM_INCOMPLETE,
    UPSTREAM_NAME_UNRESOLVED,
    UPSTREAM_PROTOCOL_ERROR,
    UPSTREAM_REFUSED,
    UPSTREAM_RESET,
    UPSTREAM_TIMEOUT,
    UPSTREAM_TLS_FAILED,
    UPSTREAM_UNREACHABLE,
    Fault,
)
from gateway.remote.board import TargetRow, UpstreamRow

UNANSWERED = frozenset(
    fault.name
    for fault in (
        *(UPSTREAM_REFUSED, UPSTREAM_UNREACHABLE, UPSTREAM_NAME_UNRESOLVED, UPSTREAM_TLS_FAILED, UPSTREAM_CONNECT_TIMEOUT),
        *(UPSTREAM_RESET, UPSTREAM_TIMEOUT, UPSTREAM_INCOMPLETE, UPSTREAM_PROTOCOL_ERROR),
    )
)
"""Faults that speak against a target, by name: not those about the contents of an answer, nor want of a free connection."""


class Ejection(msgspec.Struct, frozen=True):
    """When a target is ejected: after that many failures in a row (0 is never), for `first_s` and at most `longest_s`."""

    consecutive_failures: int
    first_s: float
    longest_s: float
    max_percent: int


class Watcher(Protocol):
    """Is told of changes, once each, by whoever brings them about. Targets are told by their number."""

    def ejected(self, number: int, fault: Fault, for_s: float) -> None: ...

    def returned(self, number: int) -> None:
        """It has answered again."""
        ...


class Standing:
    """The targets of one upstream, by number, each with its weight. `process` is the id of this one."""

    def __init__(
        self,
        row: UpstreamRow,
        weights: Mapping[int, int],
        rules: Ejection,
        watcher: Watcher,
        process: int,
        clock: Clock,
        chance: Callable[[], float],
    ) -> None:
        self._row = row
        self._weights = dict(weights)
        self._rules = rules
        self._watcher = watcher
        self._process = process
        self._clock = clock
        self._chance = chance
        self._failures = dict.fromkeys(weights, 0)
        self._review(clock.monotonic())

    def draw(self, now: float) -> Draw:
        """Of those that are called."""
        if self._row.version != self._seen or now >= self._review_at:
            self._review(now)
        return self._draw

    def others(self, tried: Collection[int], now: float) -> dict[int, int]:
        """Whom to try when those have failed, with their weights: rather one that is ejected than none, but none that is down."""
        self.draw(now)
        left = {number: weight for number, weight in self._weights.items() if number not in tried}
        called = {number: weight for number, weight in left.items() if number in self._called}
        return called or {number: weight for number, weight in left.items() if not self._target(number).down}

    def answered(self, number: int) -> None:
        self._failures[number] = 0
        if number in self._suspects and not self._target(number).ejected(self._clock.monotonic()):
            self._target(number).ejections = 0
            self._changed()
            self._watcher.returned(number)

    def failed(self, number: int, fault: Fault) -> None:
        """A call was not answered because of `fault`."""
        if fault.name not in UNANSWERED or not self._rules.consecutive_failures:
            return
        self._failures[number] += 1
        if self._failures[number] >= (1 if number in self._suspects else self._rules.consecutive_failures):
            self._eject(number, fault)

    def _eject(self, number: int, fault: Fault) -> None:
        now, rules, target = self._clock.monotonic(), self._rules, self._target(number)
        out = sum(row.ejected(now) for row in self._row.targets)
        most = max(1, len(self._weights) * rules.max_percent // 100)
        if target.ejected(now) or out >= most or not any(row.up(now) for row in self._row.targets if row is not target):
            return
        self._failures[number] = 0
        target.ejections += 1
        for_s = backoff_s(rules.first_s, rules.longest_s, target.ejections, self._chance())
        target.ejected_until = now + for_s
        target.ejected_by = self._process
        target.reason = fault
        self._changed()
        self._watcher.ejected(number, fault, for_s)

    def _changed(self) -> None:
        self._row.version = now = self._clock.monotonic()
        self._review(now)

    def _review(self, now: float) -> None:
        self._seen = self._row.version
        targets = self._row.targets
        up = {number: weight for number, weight in self._weights.items() if targets[number].up(now)}
        self._called = up or {number: weight for number, weight in self._weights.items() if not targets[number].down} or self._weights
        self._draw = Draw(self._called)
        self._suspects = frozenset(number for number in self._weights if targets[number].ejections)
        self._review_at = min((row.ejected_until for row in targets if row.ejected_until > now), default=math.inf)

    def _target(self, number: int) -> TargetRow:
        return self._row.targets[number]
