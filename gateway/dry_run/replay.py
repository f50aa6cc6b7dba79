"""Replays the calls of an access log against a configuration: routes, keys, permissions, and limits on the log's clock.

Laws:
 - The verdict of each call is that of the gateway's own stages. Limits are decided by the memory limiter, whose
   arithmetic is that of the kernel, at the time at which the call began; a call ends when the log says so.
 - A log that is compared with another configuration is replayed under both, so their verdicts differ only where the
   configurations do.
 - A log that is compared with itself knows times to the millisecond, and not what was used of a limit before its first
   line. A verdict that would have been the other one `CLOCK_SLACK_S` earlier or later is taken from the log. Until a
   bucket that was empty at the first line would be full, a refusal in the log shows how much was used.

What is not in a log is not replayed: hosts, queries, header fields, bodies, the amounts that services report.
"""

import heapq
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from math import inf
from typing import NamedTuple, TypeAlias

from msgspec import structs

from gateway.dry_run.access_lines import CallOutcome, LoggedCall
from gateway.dry_run.request import DryRequest
from gateway.dry_run.run import Compiled, DryRun, DryRunError
from gateway.kernel.clock import Clock
from gateway.kernel.faults import KEY_MISSING, KEY_UNKNOWN, RATE_LIMITED
from gateway.kernel.limits.quota import Reservation
from gateway.kernel.limits.token_bucket import UNLIMITED, Claim, Decision
from gateway.kernel.memo import Memo
from gateway.limiter.memory_limiter import LocalLimiter

CLOCK_SLACK_S = 0.05
_OF_THE_KEY = frozenset({401, 403})
_MOST_KNOWN = 100_000


class _LogClock:
    """The clock of the log, which stands at the call that is replayed."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.clock = Clock(lambda: self.now_s, lambda: self.now_s)


class _NoLimits(LocalLimiter):
    """Lets everything through, so that the stages tell what a call would claim."""

    async def decide(self, claim: Claim) -> Decision:  # noqa: ARG002  the signature of a limiter
        """Return the decision where there is nothing to decide."""
        return UNLIMITED


class _Known(NamedTuple):
    """What the stages decide about a call, apart from its limits. `claim` is None when they refuse it."""

    verdict: CallOutcome
    claim: Claim | None


class ReplayedCall(NamedTuple):
    """The verdicts about one call: before, and under the configuration to come."""

    call: LoggedCall
    before: CallOutcome
    after: CallOutcome


@dataclass(order=True)
class _End:
    ends_s: float
    number: int
    reservation: Reservation = field(compare=False)
    succeeded: bool = field(compare=False)


class _Lane:
    """The calls under one configuration. Calls have to come in the order in which they began."""

    def __init__(self, compiled: Compiled, clock: _LogClock, host: str) -> None:
        self._clock = clock
        self._named = compiled.credentials.keyring.named
        self._dry_run = DryRun(compiled, _NoLimits(clock.clock), clock.clock)
        self._limiter = LocalLimiter(clock.clock)
        self._fields = (("Host", host),) if host else ()
        self._organization_field = str(compiled.credentials.organization_header)
        self._known: Memo[tuple[str, str, str, str, str, bool], _Known] = Memo(_MOST_KNOWN)
        self._ends: list[_End] = []
        self._numbers = count()
        self._began_s: float | None = None

    async def verdict(self, call: LoggedCall, recorded: CallOutcome | None = None) -> CallOutcome:
        """Return the verdict about `call`. `recorded` is the one in the log, where that is what it is compared with."""
        self._began_s = call.started_s if self._began_s is None else self._began_s
        self._end_calls(call.started_s)
        self._clock.now_s = call.started_s
        known = await self._stages(call)
        return known.verdict if known.claim is None else self._limited(call, known.verdict, known.claim, recorded)

    async def _stages(self, call: LoggedCall) -> _Known:
        expired = self._is_expired(call)
        about = (call.method, call.path, call.client, call.key_id, call.organization, expired)
        known = self._known.get(about)
        if known is None:
            known = await self._run(call)
            self._known.keep(about, known)
        return known

    async def _run(self, call: LoggedCall) -> _Known:
        headers = (*self._fields, (self._organization_field, call.organization)) if call.organization else self._fields
        request = DryRequest(
            method=call.method, target=call.path, headers=headers, key_id=call.key_id, client=call.client
        )
        try:
            x = (await self._dry_run.run(request)).x
        except DryRunError:  # there is no such key any more
            x = (await self._dry_run.run(structs.replace(request, key_id=""))).x
        route = x.route.id if x.route is not None else None
        if x.error is None:
            return _Known(CallOutcome(route, None), x.claim)
        reason = KEY_UNKNOWN.name if call.key_id and x.error.fault.name == KEY_MISSING.name else x.error.fault.name
        return _Known(CallOutcome(route, x.reply.status if x.reply else None, reason), None)

    def _is_expired(self, call: LoggedCall) -> bool:
        key = self._named(call.key_id) if call.key_id else None
        return key is not None and key.expires is not None and call.started_s >= key.expires

    def _end_calls(self, now_s: float) -> None:
        """Settle the calls that have ended by `now_s`."""
        while self._ends and self._ends[0].ends_s <= now_s:
            end = heapq.heappop(self._ends)
            self._clock.now_s = end.ends_s
            end.reservation.commit({}, succeeded=end.succeeded)
            end.reservation.release()

    def _limited(
        self, call: LoggedCall, served: CallOutcome, claim: Claim, recorded: CallOutcome | None
    ) -> CallOutcome:
        """Return `served`, or the verdict of the limits."""
        buckets = [self._limiter.bucket(key) for key in claim.keys]
        decision = self._limiter.decide_now(claim)
        if recorded is not None and decision.allowed and recorded.status == RATE_LIMITED.status:
            room_us = [self._room_us(bucket, claim, index) for index, bucket in enumerate(buckets)]
            if self._is_doubtful(call, claim, room_us, recorded):
                self._take_back(claim, decision, buckets, room_us)
                return recorded
        elif recorded is not None and recorded.status is None and _is_nearly_allowed(decision):
            self._charge(claim)
            return served
        if decision.reservation is not None:
            end = _End(call.ended_s, next(self._numbers), decision.reservation, call.succeeded)
            heapq.heappush(self._ends, end)
        return served if decision.allowed else _refusal(served.route, decision)

    def _room_us(self, bucket: tuple[int, int] | None, claim: Claim, index: int) -> float:
        """Return for how long a call would have fitted one of its limits already, in microseconds."""
        window = claim.windows[index]
        if bucket is None or window.shadow:
            return inf
        return self._clock.now_s * 1e6 + window.full_us - claim.cost * window.emission_us - bucket[0]

    def _is_doubtful(self, call: LoggedCall, claim: Claim, room_us: Sequence[float], recorded: CallOutcome) -> bool:
        """Return whether a call that fits here may have been refused in the log by the same limits."""
        if recorded.reason != RATE_LIMITED.name:
            return True  # what was used of quotas before the log begins is not known
        known_us = (call.started_s - (self._began_s or 0.0)) * 1e6
        longest_us = max((window.full_us for window in claim.windows[: claim.enforced]), default=0)
        return min(room_us, default=inf) <= CLOCK_SLACK_S * 1e6 or known_us < longest_us

    def _take_back(
        self,
        claim: Claim,
        decision: Decision,
        buckets: Sequence[tuple[int, int] | None],
        room_us: Sequence[float],
    ) -> None:
        """Undo `decision`, and leave no room for the call in the limit that was nearest to refusing it."""
        if decision.reservation is not None:
            decision.reservation.commit({}, succeeded=False)
            decision.reservation.release()
        for key, bucket in zip(claim.keys, buckets, strict=True):
            self._limiter.renew_now([key])
            if bucket is not None:
                self._limiter.add(key, *bucket)
        if claim.enforced:
            index = min(range(claim.enforced), key=room_us.__getitem__)
            window = claim.windows[index]
            missing_us = min(room_us[index], window.full_us - claim.cost * window.emission_us)
            now_us = round(self._clock.now_s * 1e6)
            self._limiter.add(claim.keys[index], now_us + round(missing_us) + 1, window.emission_us)

    def _charge(self, claim: Claim) -> None:
        """Charge a call that the log has let through."""
        now_us = round(self._clock.now_s * 1e6)
        for key, window in zip(claim.keys, claim.windows, strict=True):
            self._limiter.add(key, now_us + claim.cost * window.emission_us, window.emission_us)


def _is_nearly_allowed(decision: Decision) -> bool:
    waits_s = [state.retry_s for state in decision.states]
    return not decision.allowed and not decision.spent and max(waits_s, default=0.0) <= CLOCK_SLACK_S


def _refusal(route: str | None, decision: Decision) -> CallOutcome:
    if decision.spent:
        fault = decision.spent[0].meter.fault
        return CallOutcome(route, fault.status, fault.name, tuple(state.meter.id for state in decision.spent))
    short = tuple(state.window.id for state in decision.states if state.retry_us)
    return CallOutcome(route, RATE_LIMITED.status, RATE_LIMITED.name, short)


Baseline: TypeAlias = Callable[[LoggedCall], CallOutcome]
"""Returns what a call would meet now, limits apart. The caller keeps it."""


async def replay(
    calls: Iterable[LoggedCall],
    config: Compiled,
    against: Compiled | None = None,
    baseline: Baseline = lambda call: call.verdict,
    host: str = "",
) -> AsyncIterator[ReplayedCall]:
    """Yield each of `calls`, in the order in which they began, with its verdicts.

    What was before is the verdict under `against`. When that is None, it is that of `baseline`, which is the log unless
    it is given, and a refusal by limits is taken from the log. `host` is what all calls have named in Host, which is
    not in the log; "" for localhost.
    """
    clock = _LogClock()
    new = _Lane(config, clock, host)
    old = None if against is None else _Lane(against, clock, host)
    for call in sorted(calls, key=lambda each: each.started_s):
        if old is not None:
            before = await old.verdict(call)
            after = await new.verdict(call)
        else:
            before = call.verdict if call.verdict.status == RATE_LIMITED.status else baseline(call)
            after = await new.verdict(call, call.verdict)
            if not call.limits_known and after.status == RATE_LIMITED.status:
                after = before
        yield ReplayedCall(call, before, after)


def is_changed(replayed: ReplayedCall) -> bool:
    """Return whether a call would meet something else: another route, or another status.

    A call whose caller the log does not know is replayed without a key, so every refusal of the key is the same.
    """
    before, after = replayed.before, replayed.after
    if replayed.call.anonymous and before.status in _OF_THE_KEY and after.status in _OF_THE_KEY:
        return False
    if replayed.before.status == RATE_LIMITED.status == replayed.after.status:
        return False
    return (before.route, before.status) != (after.route, after.status)
