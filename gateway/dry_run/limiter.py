"""Asks a limiter what a call would get, at no cost."""

from collections.abc import Sequence

from gateway.kernel.clock import Clock
from gateway.kernel.limits.quota import MeterState, Posting, charged
from gateway.kernel.limits.token_bucket import Claim, Decision
from gateway.limiter.interface import Decider
from gateway.limiter.memory_limiter import LocalLimiter


class PeekingLimiter:
    """Decides as `limiter` would, and takes nothing from it.

    What is left of each limit is read at no cost into a limiter of its own, which then decides. Limits in shadow mode
    are left out: what is left of them is in no decision.
    """

    def __init__(self, limiter: Decider, clock: Clock) -> None:
        self._limiter = limiter
        self._clock = clock

    async def decide(self, claim: Claim) -> Decision:
        """See `Decider.decide`."""
        keys, windows = claim.keys[: claim.enforced], claim.windows[: claim.enforced]
        scratch = LocalLimiter(self._clock)
        store = None
        if windows:
            known = await self._limiter.decide(Claim(keys, windows, 0, claim.fields))
            store, now_us = known.store, self._clock.monotonic() * 1e6
            for key, state in zip(keys, known.states, strict=False):
                scratch.add(key, round(now_us) + state.full_us, state.window.emission_us)
        charges = charged(claim.postings)
        for posting, read in zip(charges, await self._limiter.read(charges), strict=True):
            scratch.memory_quotas.begin(posting, read.used)
        decision = await scratch.decide(Claim(keys, windows, claim.cost, claim.fields, claim.postings))
        decision.store = store or decision.store
        return decision

    async def read(self, postings: Sequence[Posting]) -> list[MeterState]:
        """See `Decider.read`."""
        return await self._limiter.read(postings)
