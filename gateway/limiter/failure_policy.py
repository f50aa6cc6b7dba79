"""Decides what each limit of a call does while Redis is away.

`local` counts this gateway's share of the limit in memory, `allow` does not count, `deny` refuses. A limit has its own
`on_failure`, or that of `redis.on_failure`. One limit that denies is enough to refuse a call. Those that count decide
together, in one step. A shadow refuses nothing: under `deny` it is not counted. Quotas and concurrency do what
`redis.on_failure` says.
"""

import msgspec

from gateway.kernel.limits.token_bucket import Claim, Decision, OnFailure, Window, WindowState
from gateway.kernel.memo import MANY_CALLERS, Memo
from gateway.limiter.fallback import Fallback

MAX_PLANS = MANY_CALLERS
"""Claims whose plans are remembered."""


class _Plan(msgspec.Struct):
    """The part of a claim that is counted, and the `positions` of its enforced windows in the whole claim."""

    denied: bool
    counted: Claim
    positions: tuple[int, ...]


class FailurePolicy:
    """`on_failure` is that of limits without their own."""

    def __init__(self, on_failure: OnFailure, fallback: Fallback) -> None:
        self.on_failure: OnFailure = on_failure
        self._fallback = fallback
        self._plans: Memo[Claim, _Plan] = Memo(MAX_PLANS)

    def decide_now(self, claim: Claim) -> Decision | None:
        """Decide without Redis; None: the call is to be refused.

        Limits that are not counted have the states of fresh buckets.
        """
        plan = self._plans.get(claim) or self._plan(claim)
        if plan.denied:
            return None
        if plan.counted is claim:
            return self._fallback.decide_now(claim)
        enforced = claim.windows[: claim.enforced]
        if not plan.counted.windows and not plan.counted.postings:
            return Decision(
                allowed=True, store="allow", states=tuple([_as_if_fresh(window, claim.cost) for window in enforced])
            )
        decided = self._fallback.decide_now(plan.counted)
        states = [_as_if_fresh(window, claim.cost if decided.allowed else 0) for window in enforced]
        for position, state in zip(plan.positions, decided.states, strict=True):
            states[position] = state
        return Decision(
            decided.allowed, decided.store, tuple(states), decided.shadows, decided.spent, decided.reservation
        )

    def _plan(self, claim: Claim) -> _Plan:
        ways = [window.on_failure or self.on_failure for window in claim.windows]
        local = [index for index, way in enumerate(ways) if way == "local"]
        counted = claim
        postings = claim.postings if self.on_failure == "local" else ()
        if len(local) < len(ways) or len(postings) < len(claim.postings):
            windows = tuple([claim.windows[index] for index in local])
            counted = Claim(tuple([claim.keys[index] for index in local]), windows, claim.cost, postings=postings)
        denied = "deny" in ways[: claim.enforced] or (self.on_failure == "deny" and bool(claim.postings))
        return self._plans.keep(
            claim, _Plan(denied, counted, tuple([index for index in local if index < claim.enforced]))
        )


def _as_if_fresh(window: Window, cost: int) -> WindowState:
    return WindowState(window, max(window.burst - cost, 0), cost * window.emission_us, 0)
