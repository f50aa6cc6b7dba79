"""Decides which targets of an upstream are called: those that are up and not ejected for repeated failures.

Laws:
 - A target is ejected after `consecutive_failures` calls in a row that it did not answer, and for longer each time. An
   answered error is an answer, unless it is one after which calls are sent again.
 - A call that its client gave up counts as one that was not answered if the client had waited for `_PATIENCE_S`, and
   the target has answered no other call meanwhile: a target that hangs is found by clients that do not wait, too.
 - So does a call that went to a second target as well, and was answered by that one first, after a while of silence.
 - A target whose ejection or downtime has ended is on probation: one call of the whole node at a time goes to it as a
   trial, and the others go to other targets. (Two workers that read the state at the same instant may both send one.)
   An answer ends the probation, a failure ejects the target again.
 - A target does not attract calls by answering errors: when it is less busy than another target, it gets a call in
   place of that one only if that one answers errors as often or more often.
 - At most `max_percent` of the targets are ejected at the same time, though always one may be. The last target that is
   called is never ejected. When it does not answer either, all are called, as if none had been ejected, until one does.
 - Which of the targets that are left are called, and with which weight, is up to kernel/traffic/eligible.py.
"""

import math
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

import msgspec

from gateway.kernel.backoff import backoff_s
from gateway.kernel.clock import Clock
from gateway.kernel.faults import UPSTREAM_TIMEOUT, Fault
from gateway.kernel.load_balancing import Draw, Picker
from gateway.kernel.traffic.eligible import TargetGroups, slowly
from gateway.upstream.shared_state import TargetRow, UpstreamRow

_NEWEST = 1 / 16
"""The weight of the newest answer in the error share of a target."""
_PATIENCE_S = 0.25
_STEPS = 20
"""The steps in which a target regains its whole weight."""
_TOLERANCE = 0.1
"""Error shares that differ by less count as equal, because a few answers make the difference."""


class EjectionRules(msgspec.Struct, frozen=True):
    """When a target is ejected (0 failures: never), and for how long: `first_s` at first, at most `longest_s`."""

    consecutive_failures: int
    first_s: float
    longest_s: float
    max_percent: int


class EjectionObserver(Protocol):
    """Is notified of each change once, by the worker that causes it. `number` is that of the target."""

    def ejected(self, number: int, reason: int | str, for_s: float) -> None:
        """`reason` is the status of the last call that failed, or the name of its fault."""
        ...

    def returned(self, number: int) -> None:
        """Note that the target has answered again."""
        ...


class OutlierDetector:
    """The targets of one upstream, by number, each with its weight. `process` is the id of this process.

    `groups` are the priority groups of the targets, `picker` makes the object that chooses one of them. A target that
    is back gets less than its weight for `slow_start_s`.
    """

    def __init__(
        self,
        row: UpstreamRow,
        weights: Mapping[int, int],
        rules: EjectionRules,
        observer: EjectionObserver,
        process: int,
        clock: Clock,
        chance: Callable[[], float],
        *,
        groups: TargetGroups | None = None,
        picker: Callable[[Mapping[int, int]], Picker] = Draw,
        slow_start_s: float = 0.0,
    ) -> None:
        self._row = row
        self._weights = dict(weights)
        self._groups = groups or TargetGroups(weights)
        self.picker = picker
        self._slow_start_s = slow_start_s
        self._rules = rules
        self._observer = observer
        self._process = process
        self._clock = clock
        self._chance = chance
        self._failures = dict.fromkeys(weights, 0)
        self._errors = dict.fromkeys(weights, 0.0)
        self.answers = dict.fromkeys(weights, 0)
        """The number of calls that each target has answered."""
        self.due: list[int] = []
        """The targets for which a trial was due when `draw` was called last."""
        self._review(clock.monotonic())

    def draw(self, now: float) -> Picker:
        """Return what chooses among the targets that are called."""
        if self._row.version != self._seen or now >= self._review_at:
            self._review(now)
        return self._draw

    def trial(self, now: float, trial_s: float) -> int | None:
        """Return the number of a target for which the next call is the trial, or None.

        The trial counts as lost after `trial_s`.
        """
        self.draw(now)
        if not self.due:
            return None
        number = self.due[0]
        self._target(number).trial_until = now + trial_s
        self._changed()
        return number

    def errs_more(self, number: int, than: int) -> bool:
        """Return whether target `number` answers errors clearly more often than target `than`."""
        return self._errors[number] > self._errors[than] + _TOLERANCE

    def called_others(self, tried: Collection[int], now: float) -> dict[int, int]:
        """Return the targets that are called, without those that were `tried`, with their weights."""
        self.draw(now)
        return {number: self._weights[number] for number in self._called if number not in tried}

    def others(self, tried: Collection[int], now: float) -> dict[int, int]:
        """Return the targets to try after `tried` have failed, with their weights.

        They include ejected targets when there are no others, but none that is down.
        """
        called = self.called_others(tried, now)
        remaining = [number for number in self._weights if number not in tried]
        return called or self._groups.first(remaining, lambda number: not self._target(number).down)

    def answered(self, number: int, status: int) -> None:
        self._failures[number] = 0
        self.answers[number] += 1
        errors = self._errors[number]
        self._errors[number] = errors + ((status >= 400) - errors) * _NEWEST
        if number in self._suspects and not self._target(number).ejected(self._clock.monotonic()):
            self._target(number).ejections = 0
            self._target(number).trial_until = 0
            self._target(number).back_at = self._clock.monotonic()
            self._changed()
            self._observer.returned(number)

    def failed(self, number: int, fault: Fault) -> None:
        """Note that a call to target `number` has failed with `fault`."""
        self.undecided(number)
        if fault.against_target:
            self._count(number, fault.name)

    def answered_badly(self, number: int, status: int) -> None:
        """Target `number` has answered with a status after which calls are sent again."""
        self.undecided(number)
        self._count(number, status)

    def given_up(self, number: int, waited_s: float, answers: int) -> None:
        """Note that a client left before target `number` answered, after `waited_s`.

        `answers` is the number of its answers when the call began.
        """
        if waited_s >= _PATIENCE_S and answers == self.answers[number]:
            self.overtaken(number)
        else:
            self.undecided(number)

    def overtaken(self, number: int) -> None:
        """Note that target `number` does not answer: others have answered calls that it got earlier."""
        self.undecided(number)
        self._count(number, UPSTREAM_TIMEOUT.name)

    def undecided(self, number: int) -> None:
        """Note a call without a result that concerns the target. If it was a trial, the next call is the trial."""
        if number in self._suspects and self._target(number).trial_until:
            self._target(number).trial_until = 0
            self._changed()

    def _count(self, number: int, reason: int | str) -> None:
        self._errors[number] += (1.0 - self._errors[number]) * _NEWEST
        if not self._rules.consecutive_failures:
            return
        self._failures[number] += 1
        if self._failures[number] >= (1 if number in self._suspects else self._rules.consecutive_failures):
            self._eject(number, reason)

    def _eject(self, number: int, reason: int | str) -> None:
        now, rules, target = self._clock.monotonic(), self._rules, self._target(number)
        others = [row for row in self._row.targets if row is not target]
        out = sum(row.ejections > 0 and not row.down for row in others)
        most = max(1, len(self._weights) * rules.max_percent // 100)
        if not any(row.up(now) and not row.ejections for row in others):
            self._failures[number] = 0
            self._call_all(others, target, now)
            return
        if target.ejected(now) or out >= most:
            return
        self._failures[number] = 0
        target.ejections += 1
        for_s = backoff_s(rules.first_s, rules.longest_s, target.ejections, self._chance())
        target.ejected_until = now + for_s
        target.ejected_by = self._process
        target.reason = reason
        self._changed()
        self._observer.ejected(number, reason, for_s)

    def _call_all(self, others: list[TargetRow], last: TargetRow, now: float) -> None:
        """Put all targets on probation, as none answers: then all are called. Later ejections are not longer for that.

        The first one that answers is called alone again, and the others are tried.
        """
        ejected = [row for row in others if row.ejected(now) and not row.down]
        for row in ejected:
            row.ejected_until, row.ejections = now, 1
        if ejected:
            last.ejections = 1
            self._changed()

    def _changed(self) -> None:
        self._row.version = now = self._clock.monotonic()
        self._review(now)

    def _review(self, now: float) -> None:
        self._seen = self._row.version
        targets = self._row.targets
        called = self._groups.called(
            lambda number: targets[number].up(now) and not targets[number].ejections,
            lambda number: targets[number].up(now),
            lambda number: targets[number].down,
        )
        self._called = called.weights
        weights, warm_at = called.weights, math.inf
        if self._slow_start_s:
            ages_s = {number: now - targets[number].back_at for number in weights}
            weights = slowly(weights, ages_s, self._slow_start_s)
            if min(ages_s.values()) < self._slow_start_s:
                warm_at = now + self._slow_start_s / _STEPS
        self._draw = self.picker(weights)
        self._suspects = frozenset(number for number in self._weights if targets[number].ejections)
        self.due = [
            number
            for number in sorted(called.on_trial & self._suspects)
            if targets[number].up(now) and targets[number].trial_until <= now
        ]
        times = (time for row in targets for time in (row.ejected_until, row.trial_until) if time > now)
        self._review_at = min(times, default=math.inf)
        self._review_at = min(self._review_at, warm_at)

    def _target(self, number: int) -> TargetRow:
        return self._row.targets[number]
