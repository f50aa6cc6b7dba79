"""Sends a call to a second target when the first one is slow to answer, and takes the answer that comes first.

Laws:
 - Only a call whose method allows it, whose body is in memory, and which may still be sent again, has a second attempt.
   That counts as one of its attempts.
 - Second attempts are bounded by a budget for all calls of the upstream, and go only to targets that are called anyway.
 - The attempt that loses is cancelled, which closes its connection. Nothing of its answer is kept.
 - A target that others overtake counts as one that does not answer once it has answered nothing for `_SILENCE_S`. A
   pause that all its calls have in common is one pause.
"""

import asyncio
from collections.abc import Callable, Sequence, Set
from typing import Protocol

import msgspec

from gateway.kernel.clock import Clock
from gateway.kernel.copies import replace
from gateway.kernel.faults import GatewayError
from gateway.kernel.traffic.latency_quantile import LatencyQuantile
from gateway.kernel.traffic.retry import HedgeResult, RetryBudget, RetryPolicy
from gateway.net.coroutine_driver import in_task
from gateway.upstream.call import Answer, Call, Resend
from gateway.upstream.outlier_detection import OutlierDetector
from gateway.upstream.target import Target

_SOONEST_S = 0.001
_SILENCE_S = 0.25


class HedgeRules(msgspec.Struct, frozen=True):
    """When calls have a second attempt.

    `methods` are those of such calls. A call waits for `after_s` before that, or, where that is None, for as long as
    `quantile` of the calls take. `budget` is the number of second attempts to that of calls, at most.
    """

    methods: Set[bytes]
    after_s: float | None
    quantile: float
    budget: float


class HedgeObserver(Protocol):
    """Is notified of second attempts."""

    def hedged(self, result: HedgeResult) -> None: ...


class Raced(msgspec.Struct):
    """The outcome of a call: what target `number` has answered, or how it has failed. `failed` are the others."""

    number: int
    outcome: Answer | GatewayError
    failed: list[int] = []


class _Attempt(msgspec.Struct, eq=False):
    """An attempt at target `number`, with a copy of the call. `answers` had the target given when it `began`."""

    number: int
    call: Call
    began: float
    answers: int
    task: "asyncio.Task[Answer | GatewayError]"


class Hedging:
    """Sends the calls of an upstream that may have a second attempt."""

    def __init__(
        self,
        rules: HedgeRules,
        targets: Sequence[Target],
        outlier_detector: OutlierDetector,
        clock: Clock,
        chance: Callable[[], float],
        observer: HedgeObserver,
    ) -> None:
        self._rules = rules
        self._targets = targets
        self._outlier_detector = outlier_detector
        self._clock = clock
        self._chance = chance
        self._observer = observer
        self._budget = RetryBudget(rules.budget)
        self._latency = LatencyQuantile(rules.quantile)
        self._silent: dict[int, tuple[int, float]] = {}
        """By target that was overtaken: the number of its answers then, and when that call had begun."""

    def __repr__(self) -> str:
        return f"<Hedging after {self.after_s} s>"

    @property
    def after_s(self) -> float | None:
        """How long calls wait before their second attempt; None while it is not known."""
        after_s = self._rules.after_s if self._rules.after_s is not None else self._latency.seconds
        return None if after_s is None else max(_SOONEST_S, after_s)

    def covers(self, call: Call) -> bool:
        return (
            call.method in self._rules.methods
            and isinstance(call.body, bytes)
            and not call.upgrade_mask
            and call.resends > 0
        )

    async def send(self, call: Call, number: int, ends_at: float, policy: RetryPolicy) -> Raced:
        """Send `call` to target `number`, and to another one if that is slow. Cancelling this ends both.

        All of the call ends at `ends_at`. Of the failures all but the one that is returned are noted.
        """
        self._budget.called()
        after_s = self.after_s
        await in_task()
        attempts = [self._begin(call, replace(call), number)]
        try:
            if after_s is not None:
                await asyncio.wait({attempts[0].task}, timeout=after_s)
                second = None if attempts[0].task.done() else self._second(call, attempts[0], ends_at, policy)
                if second is not None:
                    attempts.append(second)
            while (running := {each.task for each in attempts if not each.task.done()}) and not any(
                self._answered(each, policy) for each in attempts
            ):
                await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        except BaseException:
            self._give_up(attempts)
            raise
        finally:
            call.handed = call.handed or any(each.call.handed for each in attempts)
            call.resends = attempts[-1].call.resends
        return self._concluded(call, attempts, policy)

    def _begin(self, call: Call, copy: Call, number: int) -> _Attempt:
        return _Attempt(
            number,
            copy,
            self._clock.monotonic(),
            self._outlier_detector.answers[number],
            asyncio.get_running_loop().create_task(self._attempt(copy, number), name=f"hedge {call.upstream}"),
        )

    async def _attempt(self, call: Call, number: int) -> Answer | GatewayError:
        try:
            return await self._targets[number].send(call, b"")
        except GatewayError as error:
            return error.kept()

    def _second(self, call: Call, first: _Attempt, ends_at: float, policy: RetryPolicy) -> _Attempt | None:
        """Begin the second attempt, if there is another target and the call may be sent again.

        What is left of that belongs to the second attempt from then on: its target may send the call again on another
        connection, as that of the first one may have done.
        """
        detector, now = self._outlier_detector, self._clock.monotonic()
        others = detector.called_others((first.number,), now)
        left = first.call.resends
        if not others or not left:
            return None
        if not self._budget.take():
            self._observer.hedged("refused")
            return None
        number = detector.picker(others).one(self._load, self._chance, detector.errs_more, call.affinity)
        first.call.resends, call.resends = 0, left - 1
        call.resent = (*call.resent, Resend(now, "hedge"))
        total_s = max(_SOONEST_S, min(ends_at - now, policy.per_try_s or ends_at - now))
        copy = replace(call, total_timeout_s=total_s, connect_timeout_s=min(call.connect_timeout_s, total_s))
        return self._begin(call, copy, number)

    @staticmethod
    def _answered(attempt: _Attempt, policy: RetryPolicy) -> Answer | None:
        """Return the answer of an attempt, None if there is none yet, or none that may be passed on at once."""
        outcome = attempt.task.result() if attempt.task.done() else None
        return outcome if isinstance(outcome, Answer) and outcome.status not in policy.statuses else None

    def _concluded(self, call: Call, attempts: list[_Attempt], policy: RetryPolicy) -> Raced:
        """Return the outcome, and end or note the other attempt."""
        won = next((each for each in attempts if self._answered(each, policy) is not None), attempts[-1])
        outcome, now = won.task.result(), self._clock.monotonic()
        self._latency.add(now - attempts[0].began)
        if self._answered(won, policy) is not None:
            call.body = b""
        if len(attempts) > 1:
            failed = self._answered(won, policy) is None
            result: HedgeResult = "failed" if failed else "won" if won is attempts[1] else "lost"
            call.hedge = result
            self._observer.hedged(result)
        raced = Raced(won.number, outcome)
        for each in attempts:
            if each is not won and self._end(each, policy, overtaken=each is attempts[0]):
                raced.failed.append(each.number)
        return raced

    def _end(self, attempt: _Attempt, policy: RetryPolicy, *, overtaken: bool) -> bool:
        """End an attempt that is not the outcome, and return whether it has failed."""
        detector = self._outlier_detector
        if not attempt.task.done():
            attempt.task.cancel()
            if overtaken and self._is_silent(attempt):
                detector.overtaken(attempt.number)
            else:
                detector.undecided(attempt.number)
            return False
        outcome = attempt.task.result()
        if isinstance(outcome, GatewayError):
            detector.failed(attempt.number, outcome.fault)
            return True
        if outcome.stream is not None:
            outcome.stream.close()
        if outcome.status in policy.statuses:
            detector.answered_badly(attempt.number, outcome.status)
            return True
        detector.answered(attempt.number, outcome.status)
        return False

    def _is_silent(self, attempt: _Attempt) -> bool:
        """Return whether the target of an attempt that was overtaken has answered nothing for a while."""
        answers = self._outlier_detector.answers[attempt.number]
        known = self._silent.get(attempt.number)
        if known is None or known[0] != answers:
            known = self._silent[attempt.number] = (answers, attempt.began)
        return self._clock.monotonic() - known[1] >= _SILENCE_S

    def _give_up(self, attempts: list[_Attempt]) -> None:
        now = self._clock.monotonic()
        for each in attempts:
            if each.task.cancel():
                self._outlier_detector.given_up(each.number, now - each.began, each.answers)
            elif isinstance(outcome := each.task.result(), Answer) and outcome.stream is not None:
                outcome.stream.close()

    def _load(self, number: int) -> int:
        return self._targets[number].load
