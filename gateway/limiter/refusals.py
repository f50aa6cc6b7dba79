"""Refusals of Redis that are remembered for a moment, so that a client that goes on costs Redis nothing.

A refusal is remembered when a window that refused has not one token left, so that no call of any cost is let through
meanwhile: until its next token, and for a second at most, the same claim is refused without asking Redis again. It is
forgotten when this process lets a call through that took from one of its buckets. Time is measured by this process's
monotonic clock from before Redis was asked, so that whatever the clocks of the two say, nothing is refused here that
Redis would let through.
"""

from collections.abc import Sequence
from math import inf

import msgspec

from gateway.kernel.clock import Clock
from gateway.kernel.limits.token_bucket import Claim, Decision, decision

MAX_REFUSALS = 8192
"""Refusals remembered, some 300 bytes each."""
REFUSED_S = 1.0
"""The longest time that one is remembered: buckets that an operator fills, and limits changed elsewhere, take effect
by then.
"""
CLOCK_RATE = 0.999
"""Two clocks that are corrected while they run (500 ppm each at most) agree to this on how long something takes."""


class Refusal(msgspec.Struct):
    """A reply of Redis: the times of the buckets and its own time, in us.

    `until_s` and `received_s` are of the monotonic clock.
    """

    tats_us: list[int]
    now_us: int
    received_s: float
    until_s: float


class RememberedRefusals:
    """The refusals that one process remembers."""

    def __init__(self, clock: Clock) -> None:
        self._monotonic = clock.monotonic
        self.by_claim: dict[Claim, Refusal] = {}
        self._claims: dict[str, set[Claim]] = {}
        """The claims that were refused, by the keys of their buckets."""

    def __repr__(self) -> str:
        return f"<RememberedRefusals {len(self.by_claim)}>"

    def find(self, claim: Claim, now_s: float) -> Decision | None:
        """Return the refusal of the same claim, if it holds still at `now_s`, of the monotonic clock."""
        refusal = self.by_claim.get(claim)
        if refusal is None:
            return None
        if now_s < refusal.until_s:
            now_us = refusal.now_us + int((now_s - refusal.received_s) * CLOCK_RATE * 1e6)
            return decision("cache", refusal.tats_us, claim, now_us, allowed=False)
        self.forget(claim.keys)
        return None

    def remember(self, claim: Claim, reply: list[int], asked_s: float) -> None:
        """Remember a reply of Redis, which was asked at `asked_s`, of the monotonic clock."""
        now_us, tats_us = reply[1], reply[2:]
        wait_us = inf
        for window, tat_us in zip(claim.windows[: claim.enforced], tats_us, strict=False):
            free_us = now_us + window.full_us - tat_us
            if claim.cost * window.emission_us > free_us:
                wait_us = min(wait_us, window.emission_us - free_us)
        if wait_us <= 0:
            return  # a cheaper call may take what there is, and this one has to wait for longer then
        if len(self.by_claim) >= MAX_REFUSALS:
            self.clear()
        until_s = asked_s + min(wait_us / 1e6 * CLOCK_RATE, REFUSED_S)
        self.by_claim[claim] = Refusal(tats_us, now_us, self._monotonic(), until_s)
        for key in claim.keys:
            self._claims.setdefault(key, set()).add(claim)

    def forget(self, keys: Sequence[str]) -> None:
        """Forget the refusals of claims that have one of these buckets, which has changed."""
        for refused in {refused for key in keys for refused in self._claims.get(key, ())}:
            self.by_claim.pop(refused, None)
            for key in refused.keys:
                self._claims[key].discard(refused)
                if not self._claims[key]:
                    del self._claims[key]

    def clear(self) -> None:
        """Forget all of them."""
        self.by_claim.clear()
        self._claims.clear()
