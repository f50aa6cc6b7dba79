"""An upstream with several equal targets, or with one that calls are sent to again.

Laws:
 - A call is sent at most as often as its `RetryPolicy` says, over all targets and connections together, and again only
   where that policy allows it.
 - All attempts together take no longer than one target may, the waits between them included.
 - What a target answers with Retry-After is obeyed: this call does not go there again earlier. When that is too late
   for the call, the answer is passed on.
"""

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from gateway.kernel.clock import Clock
from gateway.kernel.faults import GatewayError
from gateway.kernel.traffic.retry import RetryBudget, RetryPolicy, retry_after_s
from gateway.upstream.call import Answer, Body, Call, Resend, RetryObserver
from gateway.upstream.hedging import Hedging
from gateway.upstream.outlier_detection import OutlierDetector
from gateway.upstream.target import Target


class Upstream:
    """Chooses a target for each call, of those that `outlier_detector` allows.

    `chance` returns a random number in [0, 1). `policy` says when a call is sent again, and `budget` bounds that for
    all calls together; None does not. A route may have others (`Call.retry`).
    """

    def __init__(
        self,
        id: str,  # noqa: A002 - what the configuration calls it
        targets: Sequence[Target],
        outlier_detector: OutlierDetector,
        clock: Clock,
        chance: Callable[[], float],
        observer: RetryObserver | None = None,
        *,
        policy: RetryPolicy | None = None,
        budget: RetryBudget | None = None,
        hedging: Hedging | None = None,
    ) -> None:
        self.id = id
        self.targets = tuple(targets)
        self._outlier_detector = outlier_detector
        self._clock = clock
        self._chance = chance
        self._observer = observer
        self._policy = policy or RetryPolicy()
        self._budget = budget
        self._hedging = hedging
        self._closed = False

    def __repr__(self) -> str:
        return f"<Upstream {self.id} {len(self.targets)} targets, {self.active} active, {self.pending} pending>"

    @property
    def idle(self) -> int:
        return sum(target.idle for target in self.targets)

    @property
    def active(self) -> int:
        """The number of connections that serve a call or are being made."""
        return sum(target.active for target in self.targets)

    @property
    def pending(self) -> int:
        """The number of calls that wait for a connection."""
        return sum(target.pending for target in self.targets)

    @property
    def most_tries(self) -> int:
        """The most attempts of a call when no target can be reached."""
        attempts = self._policy.attempts
        return attempts if self._policy.same_target else min(attempts, len(self.targets))

    async def send(self, call: Call) -> Answer:
        """Do what `Target.send` does, with any of the targets."""
        body = call.body
        first = b"" if isinstance(body, bytes) else await body.read()
        now = self._clock.monotonic()
        outlier_detector, policy, budget = self._outlier_detector, self._policy, self._budget
        if call.retry is not None:
            policy, budget = call.retry.policy, call.retry.budget or budget
        call.resends = policy.attempts - 1
        if budget is not None:
            budget.called()
            call.budget = budget
        picker, tried = outlier_detector.draw(now), None
        if outlier_detector.due:
            tried = outlier_detector.trial(now, call.connect_timeout_s + call.total_timeout_s)
        number = (
            picker.one(self._load, self._chance, outlier_detector.errs_more, call.affinity) if tried is None else tried
        )
        ends_at = now + call.total_timeout_s
        if call.resends:
            if policy.same_target or len(self.targets) > 1:
                call.connect_timeout_s /= 2
            if policy.per_try_s is not None:
                _shorten(call, policy.per_try_s)
        if self._hedging is not None and self._hedging.covers(call):
            return await self._race(self._hedging, call, policy, ends_at, number)
        answers = outlier_detector.answers[number]
        try:
            answer = await self.targets[number].send(call, first)
        except GatewayError as error:
            failure: GatewayError | Answer = error.kept()
        except BaseException:
            outlier_detector.given_up(number, self._clock.monotonic() - now, answers)
            raise
        else:
            if answer.status not in policy.statuses:
                outlier_detector.answered(number, answer.status)
                return answer
            failure = answer
        return await self._send_again(_Unanswered(call, policy, body, first, ends_at, number, failure))

    async def close(self) -> None:
        """Close all targets, as `Target.close` does."""
        self._closed = True
        for target in self.targets:
            await target.close()

    async def _race(self, hedging: Hedging, call: Call, policy: RetryPolicy, ends_at: float, number: int) -> Answer:
        """Send a call that goes to a second target when the first one is slow, and again when both have failed."""
        body = call.body
        raced = await hedging.send(call, number, ends_at, policy)
        outcome = raced.outcome
        if isinstance(outcome, Answer) and outcome.status not in policy.statuses:
            self._outlier_detector.answered(raced.number, outcome.status)
            return outcome
        unanswered = _Unanswered(call, policy, body, b"", ends_at, raced.number, outcome, tried=raced.failed)
        return await self._send_again(unanswered)

    async def _send_again(self, unanswered: "_Unanswered") -> Answer:
        """Send a call again, as long as that is allowed. Return or raise the last outcome."""
        call, first, policy = unanswered.call, unanswered.first, unanswered.policy
        detector = self._outlier_detector
        self._failed(unanswered)
        while (wait_s := self._next_target(unanswered)) is not None:
            failure = unanswered.failure
            if isinstance(failure, Answer) and failure.stream is not None:
                failure.stream.close()
            if wait_s:
                await asyncio.sleep(wait_s)
            if self._observer is not None:
                self._observer.retried()
            number, now = unanswered.number, self._clock.monotonic()
            reason = str(failure.status) if isinstance(failure, Answer) else failure.fault.name
            call.resent = (*call.resent, Resend(now, reason))
            self._begin_attempt(unanswered, now)
            answers = detector.answers[number]
            try:
                answer = await self.targets[number].send(call, first)
            except GatewayError as error:
                unanswered.failure = error.kept()
            except BaseException:
                detector.given_up(number, self._clock.monotonic() - now, answers)
                raise
            else:
                if answer.status not in policy.statuses:
                    detector.answered(number, answer.status)
                    return answer
                unanswered.failure = answer
            self._failed(unanswered)
            if unanswered.charged and call.budget is not None:
                call.budget.failed()
        if isinstance(unanswered.failure, Answer):
            return unanswered.failure
        raise unanswered.failure

    def _next_target(self, unanswered: "_Unanswered") -> float | None:
        """Choose the target of the next attempt, and return how long to wait before. None when there is none."""
        call, failure = unanswered.call, unanswered.failure
        if self._closed or not call.resends or not self._may_repeat(unanswered):
            return None
        policy, detector, now = unanswered.policy, self._outlier_detector, self._clock.monotonic()
        others = detector.others(unanswered.tried, now)
        elsewhere = bool(others)
        if not others and policy.same_target:
            others = detector.others((), now)
        if not others:
            return None
        number = detector.picker(others).one(self._load, self._chance, detector.errs_more, call.affinity)
        charged = not isinstance(failure, GatewayError) or failure.fault.reached_service
        wait_s = policy.wait_s(len(unanswered.tried), self._chance()) if charged or not elsewhere else 0.0
        wait_s = max(wait_s, unanswered.not_before.get(number, now) - now)
        if now + wait_s >= unanswered.ends_at:
            return None
        if charged and call.budget is not None and not call.budget.take():
            if self._observer is not None:
                self._observer.not_retried()
            return None
        unanswered.number, unanswered.charged = number, charged
        unanswered.last = call.resends == 1 or not (policy.same_target or len(others) > 1)
        return wait_s

    def _begin_attempt(self, unanswered: "_Unanswered", now: float) -> None:
        """Give the next attempt half of the connect time-out that is left, or the last one all of it."""
        call = unanswered.call
        call.resends -= 1
        call.body, call.total_timeout_s = unanswered.body, unanswered.ends_at - now
        call.connect_timeout_s /= 1 if unanswered.last else 2
        if unanswered.policy.per_try_s is not None:
            _shorten(call, unanswered.policy.per_try_s)

    def _failed(self, unanswered: "_Unanswered") -> None:
        number, failure = unanswered.number, unanswered.failure
        unanswered.tried.append(number)
        if isinstance(failure, GatewayError):
            self._outlier_detector.failed(number, failure.fault)
            return
        self._outlier_detector.answered_badly(number, failure.status)
        for name, value in failure.fields:
            if name == b"retry-after":
                wait_s = retry_after_s(value, self._clock.wall())
                unanswered.not_before[number] = self._clock.monotonic() + wait_s

    def _may_repeat(self, unanswered: "_Unanswered") -> bool:
        call, body, failure = unanswered.call, unanswered.body, unanswered.failure
        policy, replayable = unanswered.policy, isinstance(body, bytes)
        if isinstance(failure, Answer):
            return policy.after_status(failure.status, call.method, replayable=replayable)
        return policy.after_fault(failure.fault, call.method, with_body=body != b"", replayable=replayable)

    def _load(self, number: int) -> int:
        return self.targets[number].load


class _Unanswered(msgspec.Struct):
    """A call whose last attempt, at target `number`, has ended with `failure`.

    `body` and `first` are those that `Upstream.send` was given. All attempts end at `ends_at`. `tried` are the targets
    of the attempts so far, and `not_before` the earliest time for those that have named one. `charged`: the last
    attempt was taken from the budget. `last`: no other attempt will follow it.
    """

    call: Call
    policy: RetryPolicy
    body: bytes | Body
    first: bytes
    ends_at: float
    number: int
    failure: GatewayError | Answer
    tried: list[int] = []
    not_before: dict[int, float] = {}
    charged: bool = False
    last: bool = False


def _shorten(call: Call, most_s: float) -> None:
    call.total_timeout_s = min(call.total_timeout_s, most_s)
    call.connect_timeout_s = min(call.connect_timeout_s, most_s)
