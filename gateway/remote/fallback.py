"""What `local` does while Redis is away: this gateway's share of every limit, counted here, and paid for afterwards.

A share is the limit divided by the gateways that were there, and at least 1: together they admit what the limit allows
(as long as it is not smaller than their number). A call that costs more than the share does not fit until Redis is back.
The windows that callers see are the whole ones, what remains of them is what remains here.

When Redis is back, what was admitted here, and would not have come back since, is taken out of its buckets, up to all that
they hold. A charge whose answer was lost is not made again.
"""

import asyncio
from collections.abc import Callable
from itertools import islice

import msgspec
from msgspec.structs import replace

from gateway.kernel.bucket import Decision, Window
from gateway.kernel.clock import Clock
from gateway.remote.local import LocalLimiter
from gateway.remote.presence import Call

MOST_DEBTORS = 100_000
"""Callers whose calls are remembered until Redis is back; those of any more are forgotten."""
MOST_SHARES = 1024
AT_ONCE = 64
"""Debtors that are settled in one go, between requests."""

Pack = Callable[[str, tuple[Window, ...], int], bytes]
"""Makes the command that decides: bucket, windows, cost."""


class _Debt(msgspec.Struct):
    """What a caller was admitted here since Redis last knew, in tokens."""

    windows: tuple[Window, ...]
    tokens: int


class Fallback:
    """A Limiter for the time without Redis. `gateways` is by how many the limits are divided, `memory` where shares are counted."""

    def __init__(self, clock: Clock) -> None:
        self.gateways = 1
        self.memory = LocalLimiter(clock, store="fallback")
        self._shares: dict[tuple[int, tuple[Window, ...]], tuple[Window, ...]] = {}
        self._debts: dict[str, _Debt] = {}

    def __repr__(self) -> str:
        return f"<Fallback 1/{self.gateways} of each limit, {len(self._debts)} debtors>"

    def decide_now(self, bucket: str, windows: tuple[Window, ...], cost: int = 1) -> Decision:
        """As `Limiter.decide`; raises nothing."""
        decision = self.memory.decide_now(bucket, self._share(windows), cost)
        if decision.allowed and cost:
            debt = self._debts.get(bucket)
            if debt is not None:
                debt.windows = windows
                debt.tokens += cost
            elif len(self._debts) < MOST_DEBTORS:
                self._debts[bucket] = _Debt(windows, cost)
        for state, window in zip(decision.states, windows, strict=True):
            state.window = window
        return decision

    async def settle(self, call: Call, pack: Pack) -> None:
        """Charge what is owed. Ends early when Redis is away again; the rest is owed still."""
        while self._debts:
            batch = [(bucket, self._debts.pop(bucket)) for bucket in list(islice(self._debts, AT_ONCE))]
            paid = await asyncio.gather(*(self._pay(bucket, debt, call, pack) for bucket, debt in batch))
            if not all(paid):
                for (bucket, debt), done in zip(batch, paid, strict=True):
                    if not done:
                        self._owe_again(bucket, debt)
                return

    def _share(self, windows: tuple[Window, ...]) -> tuple[Window, ...]:
        if self.gateways == 1:
            return windows
        known = self._shares.get((self.gateways, windows))
        if known is None:
            if len(self._shares) >= MOST_SHARES:
                self._shares.clear()
            known = tuple(replace(window, max=max(window.max // self.gateways, 1)) for window in windows)
            self._shares[self.gateways, windows] = known
        return known

    async def _pay(self, bucket: str, debt: _Debt, call: Call, pack: Pack) -> bool:
        """Whether Redis answered at all."""
        shares = self._share(debt.windows)
        states = self.memory.decide_now(bucket, shares, 0).states
        used = [-(-round(state.full_s * 1e6) // share.emission_us) for state, share in zip(states, shares, strict=True)]
        charges = [
            self._charge(bucket, window, min(debt.tokens, tokens), call, pack)
            for window, tokens in zip(debt.windows, used, strict=True)
            if tokens
        ]
        answered = await asyncio.gather(*charges)
        return not answered or any(answered)

    async def _charge(self, bucket: str, window: Window, tokens: int, call: Call, pack: Pack) -> bool:
        """All of it or, at the second try, what is there."""
        reply = await call(pack(bucket, (window,), min(tokens, window.max)), bucket)
        if not isinstance(reply, list):
            return False
        allowed, now_us, tat_us = reply
        left = (now_us + window.full_us - tat_us) // window.emission_us
        if not allowed and left > 0:
            await call(pack(bucket, (window,), left), bucket)
        return True

    def _owe_again(self, bucket: str, debt: _Debt) -> None:
        meanwhile = self._debts.get(bucket)
        if meanwhile is None:
            self._debts[bucket] = debt
        else:
            meanwhile.tokens += debt.tokens
