"""What `local` does while Redis is away: this gateway's share of every limit, counted here, and paid for afterwards.

A share is the limit divided by the gateways that were there, and at least 1: together they admit what the limit allows
(as long as it is not smaller than their number). A call that costs more than the share does not fit until Redis is back.
The windows that callers see are the whole ones, what remains of them is what remains here.

When Redis is back, what was admitted here, and would not have come back since, is taken out of its buckets, up to all that
they hold. A charge whose answer was lost is not made again.
"""

import asyncio
from collections.abc import Callable, Sequence
from itertools import islice
from math import ceil

import msgspec
from msgspec.structs import replace

from gateway.kernel.clock import Clock
from gateway.kernel.limits.token_bucket import Claim, Decision, Window, carry
from gateway.kernel.memo import Memo
from gateway.limiter.memory_limiter import LocalLimiter
from gateway.redis_client.client import Call

MOST_DEBTORS = 100_000
"""Buckets whose calls are remembered until Redis is back; those of any more are forgotten."""
MOST_SHARES = 8192
"""Claims whose shares are remembered."""
AT_ONCE = 64
"""Debtors that are settled in one go, between requests."""

Pack = Callable[[Claim], bytes]
"""Makes the command that decides."""


class Debt(msgspec.Struct):
    """What was taken out of a bucket here since Redis last knew, in tokens. `window` is the whole one.

    They come back by `tat_us`, of the monotonic clock, one each `emission_us`: as fast as the share was when they were taken.
    """

    window: Window
    tokens: int
    tat_us: int
    emission_us: int

    def left(self, now_us: int) -> int:
        """Tokens that have not come back by themselves."""
        return min(self.tokens, max(-(-(self.tat_us - now_us) // self.emission_us), 0), self.window.burst)


class Fallback:
    """A Limiter for the time without Redis. `gateways` is by how many the limits are divided, `memory` where shares are counted."""

    def __init__(self, clock: Clock) -> None:
        self.gateways = 1
        self.memory = LocalLimiter(clock, store="fallback")
        self.on_change: Callable[[str], None] = ignore_key
        """Called with each bucket of which something was taken, or told to Redis."""
        self._monotonic = clock.monotonic
        self._shares: Memo[tuple[int, Claim], Claim] = Memo(MOST_SHARES)
        self._debts: dict[str, Debt] = {}

    def __repr__(self) -> str:
        return f"<Fallback 1/{self.gateways} of each limit, {len(self._debts)} debtors>"

    def decide_now(self, claim: Claim) -> Decision:
        """As `Limiter.decide`; raises nothing."""
        share = self._share(claim)
        decision = self.memory.decide_now(share)
        if decision.allowed and claim.cost:
            over = {window.id for window in decision.shadows}
            for key, window, part in zip(claim.keys, claim.windows, share.windows, strict=True):
                if window.id not in over:
                    self._owe(key, window, claim.cost, part.emission_us)
        for state, window in zip(decision.states, claim.windows, strict=False):
            state.window = window
        return decision

    @property
    def debts(self) -> int:
        """Buckets that Redis is still to be told of."""
        return len(self._debts)

    def debtors(self) -> list[str]:
        """Those buckets."""
        return list(self._debts)

    def debt(self, key: str) -> Debt | None:
        return self._debts.get(key)

    def owe(self, key: str, debt: Debt) -> None:
        """What another one has taken, besides what is owed here."""
        known = self._debts.get(key)
        if known is None:
            if len(self._debts) < MOST_DEBTORS:
                self._debts[key] = debt
                self.on_change(key)
            return
        now_us = self._now_us()
        left = max(debt.tat_us - now_us, 0) / debt.emission_us
        known.tat_us = max(known.tat_us, now_us) + ceil(left * known.emission_us)
        known.tokens += debt.tokens
        self.on_change(key)

    def forgive(self) -> None:
        """Somebody else owes all of it now."""
        self._debts.clear()

    def renew_now(self, keys: Sequence[str]) -> None:
        """Make buckets as good as never used: what was taken out of them is not owed either."""
        self.memory.renew_now(keys)
        for key in keys:
            self._debts.pop(key, None)
            self.on_change(key)

    async def settle(self, call: Call, pack: Pack) -> None:
        """Charge what is owed. Ends early when Redis is away again; the rest is owed still."""
        while self._debts:
            batch = [(key, self._debts.pop(key)) for key in list(islice(self._debts, AT_ONCE))]
            for key, _ in batch:
                self.on_change(key)
            paid = await asyncio.gather(*(self._pay(key, debt, call, pack) for key, debt in batch))
            if not all(paid):
                for (key, debt), done in zip(batch, paid, strict=True):
                    if not done:
                        self.owe(key, debt)
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

    def _owe(self, key: str, window: Window, tokens: int, emission_us: int) -> None:
        debt = self._debts.get(key)
        if debt is None:
            if len(self._debts) >= MOST_DEBTORS:
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

    async def _pay(self, key: str, debt: Debt, call: Call, pack: Pack) -> bool:
        """Whether Redis answered: all of it was charged or, at a second try, what was there."""
        window = replace(debt.window, shadow=False)
        tokens = debt.left(self._now_us())
        if not tokens:
            return True
        asked = Claim((key,), (window,), tokens)
        reply = await call(pack(asked), asked.tag)
        if not isinstance(reply, list):
            return False
        allowed, now_us, tat_us = reply
        left = (now_us + window.full_us - tat_us) // window.emission_us
        if not allowed and left > 0:
            await call(pack(Claim((key,), (window,), left)), asked.tag)
        return True

    def _now_us(self) -> int:
        return int(self._monotonic() * 1e6 + 0.5)


def ignore_key(key: str) -> None:
    """For who does not care what changes."""
