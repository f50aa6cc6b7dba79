"""What becomes of calls while Redis is away, as each of their limits has it.

`local` counts this gateway's share of the limit in memory, `allow` does not count, `deny` refuses. A limit says which for
itself, or leaves it to `redis.on_failure`. One that denies is enough to refuse a call; what the others do is done together,
in one decision. A shadow refuses nothing: under `deny` it is not counted. Quotas and concurrency do what `redis.on_failure` says.
"""

import msgspec

from gateway.kernel.limits.token_bucket import Claim, Decision, OnFailure, Window, WindowState
from gateway.kernel.memo import Memo
from gateway.limiter.fallback import Fallback

MOST_STEPS = 8192
"""Claims of which it is remembered what becomes of them."""


class _Step(msgspec.Struct):
    """What becomes of a claim: `counted` is the part of it that is, `places` where its enforced windows stand in the whole."""

    denied: bool
    counted: Claim
    places: tuple[int, ...]


class FailurePolicy:
    """`on_failure` is what limits do that say nothing else."""

    def __init__(self, on_failure: OnFailure, fallback: Fallback) -> None:
        self.on_failure: OnFailure = on_failure
        self._fallback = fallback
        self._steps: Memo[Claim, _Step] = Memo(MOST_STEPS)

    def decide_now(self, claim: Claim) -> Decision | None:
        """None: it is to be refused, because nobody knows. States of limits that are not counted are those of fresh buckets."""
        step = self._steps.get(claim) or self._step(claim)
        if step.denied:
            return None
        if step.counted is claim:
            return self._fallback.decide_now(claim)
        enforced = claim.windows[: claim.enforced]
        if not step.counted.windows and not step.counted.postings:
            return Decision(True, "allow", tuple([_as_if_fresh(window, claim.cost) for window in enforced]))
        decided = self._fallback.decide_now(step.counted)
        states = [_as_if_fresh(window, claim.cost if decided.allowed else 0) for window in enforced]
        for place, state in zip(step.places, decided.states, strict=True):
            states[place] = state
        return Decision(decided.allowed, decided.store, tuple(states), decided.shadows, decided.spent, decided.hold)

    def _step(self, claim: Claim) -> _Step:
        ways = [window.on_failure or self.on_failure for window in claim.windows]
        local = [index for index, way in enumerate(ways) if way == "local"]
        counted = claim
        postings = claim.postings if self.on_failure == "local" else ()
        if len(local) < len(ways) or len(postings) < len(claim.postings):
            windows = tuple([claim.windows[index] for index in local])
            counted = Claim(tuple([claim.keys[index] for index in local]), windows, claim.cost, postings=postings)
        denied = "deny" in ways[: claim.enforced] or (self.on_failure == "deny" and bool(claim.postings))
        return self._steps.keep(claim, _Step(denied, counted, tuple([index for index in local if index < claim.enforced])))


def _as_if_fresh(window: Window, cost: int) -> WindowState:
    return WindowState(window, max(window.burst - cost, 0), cost * window.emission_us / 1e6, 0.0)
