"""Counts this gateway's share of every `local` limit while Redis is away, and charges Redis for it afterwards.

A share is the limit divided by the gateways that were there, and at least 1: together they admit what the limit allows
(as long as it is not smaller than their number). A call that costs more than the share does not fit until Redis is
back. Callers see the windows of the whole limit, and what remains of them here.

When Redis is back, what was admitted here and would not have come back since is taken out of its buckets, up to all
that they hold. A charge whose answer was lost is not made again.
"""

import asyncio
from collections.abc import Callable, Sequence
from itertools import islice
from math import ceil

import msgspec

from gateway.kernel.clock import Clock
from gateway.kernel.copies import replace
from gateway.kernel.limits.token_bucket import Claim, Decision, Window, carry
from gateway.kernel.memo import MANY_CALLERS, Memo
from gateway.limiter.memory_limiter import LocalLimiter
from gateway.redis_client.client import RedisCall

MAX_DEBTS = 100_000
"""Debts that are remembered until Redis is back; those of further buckets are forgotten."""
MAX_SHARES = MANY_CALLERS
"""Claims whose shares are remembered."""
BATCH = 64
"""Debts that are paid at one time, between requests."""

Pack = Callable[[Claim], bytes]
"""Makes the command by which Redis decides about a claim."""


class Debt(msgspec.Struct):
    """What was taken out of a bucket here since Redis last knew, in tokens. `window` is that of the whole limit.

    The tokens come back by `tat_us`, of the monotonic clock, one each `emission_us`: as fast as the share was refilled
    when they were taken.
    """

    window: Window
    tokens: int
    tat_us: int
    emission_us: int

    def outstanding(self, now_us: int) -> int:
        """Return how many tokens have not come back by themselves."""
        return min(self.tokens, max(-(-(self.tat_us - now_us) // self.emission_us), 0), self.window.burst)


class Fallback:
    """Decides while Redis is away. The limits are divided by `gateways`, and their shares counted in `memory`."""

    def __init__(self, clock: Clock) -> None:
        self.gateways = 1
        self.memory = LocalLimiter(clock, store="fallback", kept_buckets=0)
        self.on_change: Callable[[str], None] = ignore_key
        """Is called with the key of each bucket whose tokens were taken or paid."""
        self._monotonic = clock.monotonic
        self._shares: Memo[tuple[int, Claim], Claim] = Memo(MAX_SHARES)
        self._debts: dict[str, Debt] = {}

    def __repr__(self) -> str:
        return f"<Fallback 1/{self.gateways} of each limit, {len(self._debts)} debtors>"

    def decide_now(self, claim: Claim) -> Decision:
        """Decide as `Limiter.decide`, from the shares; raises nothing."""
        share = self._share(claim)
        decision = self.memory.decide_now(share)
        if decision.allowed and claim.cost:
            over = {window.id for window in decision.shadows}
            for key, window, part in zip(claim.keys, claim.windows, share.windows, strict=True):
                if window.id not in over:
                    self._charge(key, window, claim.cost, part.emission_us)
        for state, window in zip(decision.states, claim.windows, strict=False):
            state.window = window
        return decision

    @property
    def debts(self) -> int:
        """The number of buckets that Redis has to be charged for."""
        return len(self._debts)

    def debtors(self) -> list[str]:
        """Return the keys of these buckets."""
        return list(self._debts)

    def debt(self, key: str) -> Debt | None:
        """Return the debt of a bucket, None when there is none."""
        return self._debts.get(key)

    def add_debt(self, key: str, debt: Debt) -> None:
        """Add what another process has taken from the bucket, or could not be paid."""
        known = self._debts.get(key)
        if known is None:
            if len(self._debts) < MAX_DEBTS:
                self._debts[key] = debt
                self.on_change(key)
            return
        now_us = self._now_us()
        outstanding = max(debt.tat_us - now_us, 0) / debt.emission_us
        known.tat_us = max(known.tat_us, now_us) + ceil(outstanding * known.emission_us)
        known.tokens += debt.tokens
        self.on_change(key)

    def forget_debts(self) -> None:
        """Forget all debts: another process charges them."""
        self._debts.clear()

    def renew_now(self, keys: Sequence[str]) -> None:
        """Fill these buckets; nothing is owed for them any more."""
        self.memory.renew_now(keys)
        for key in keys:
            self._debts.pop(key, None)
            self.on_change(key)

    async def pay_debts(self, call: RedisCall, pack: Pack) -> None:
        """Charge Redis with the debts. Ends early when Redis is away again; the rest stays owed."""
        while self._debts:
            batch = [(key, self._debts.pop(key)) for key in list(islice(self._debts, BATCH))]
            for key, _ in batch:
                self.on_change(key)
            paid = await asyncio.gather(*(self._pay(key, debt, call, pack) for key, debt in batch))
            if not all(paid):
                for (key, debt), done in zip(batch, paid, strict=True):
                    if not done:
                        self.add_debt(key, debt)
                return

    def _share(self, claim: Claim) -> Claim:
        if self.gateways == 1:
            return claim
        known = self._shares.get((self.gateways, claim))
        if known is None:
            share = Claim(claim.keys, tuple(map(self._part, claim.windows)), claim.cost, postings=claim.postings)
            known = self._shares.keep((self.gateways, claim), share)
        return known

    def _part(self, window: Window) -> Window:
        return replace(window, max=max(window.max // self.gateways, 1))

    def _charge(self, key: str, window: Window, tokens: int, emission_us: int) -> None:
        debt = self._debts.get(key)
        if debt is None:
            if len(self._debts) >= MAX_DEBTS:
                return
            debt = self._debts[key] = Debt(window, 0, 0, emission_us)
        now_us = self._now_us()
        if debt.emission_us != emission_us:
            debt.tat_us = carry(debt.tat_us, debt.emission_us, emission_us, now_us)
            debt.emission_us = emission_us
        debt.window = window
        debt.tokens += tokens
        debt.tat_us = max(debt.tat_us, now_us) + tokens * emission_us
        self.on_change(key)

    async def _pay(self, key: str, debt: Debt, call: RedisCall, pack: Pack) -> bool:
        """Return whether Redis answered: then all of it was charged or, at a second try, what the bucket held."""
        window = replace(debt.window, shadow=False)
        tokens = debt.outstanding(self._now_us())
        if not tokens:
            return True
        whole = Claim((key,), (window,), tokens)
        reply = await call(pack(whole), whole.tag)
        if not isinstance(reply, list):
            return False
        allowed, now_us, tat_us = reply
        available = (now_us + window.full_us - tat_us) // window.emission_us
        if not allowed and available > 0:
            await call(pack(Claim((key,), (window,), available)), whole.tag)
        return True

    def _now_us(self) -> int:
        return int(self._monotonic() * 1e6 + 0.5)


def ignore_key(key: str) -> None:
    """Do nothing, by default, when a bucket changes."""
