"""A gateway's share of each meter while Redis is away: counted in memory, from what Redis replied last.

A share is what the meter had left by then, divided by the gateways that share Redis, and at least 1 unless nothing was
left.
"""

from collections.abc import Collection, Iterable

from gateway.kernel.limits.quota import Posting
from gateway.limiter.calls_in_flight import CallsInFlight
from gateway.limiter.memory_quotas import MemoryQuotas

MAX_KNOWN = 100_000
"""Meters whose last state is remembered."""


class QuotaShares:
    """Shares that `memory` counts. It begins with the units of the calls in `in_flight`."""

    def __init__(self, memory: MemoryQuotas, in_flight: CallsInFlight) -> None:
        self.memory = memory
        self._in_flight = in_flight
        self.last: dict[str, tuple[int, int]] = {}
        """The last reply of Redis about each meter: how much was used, and in which month."""
        self.counted_here: dict[str, int] = {}
        """The meters that `memory` counts in place of Redis, each with its `max`."""

    def __repr__(self) -> str:
        return f"<QuotaShares {len(self.last)} known, {len(self.counted_here)} counted here>"

    def redis_replied(self, used: Collection[tuple[str, int]], month: int) -> None:
        """Remember the reply of Redis about meters, which count there again."""
        if len(self.last) > MAX_KNOWN:
            self.last.clear()
        for key, number in used:
            self.last[key] = (number, month)
        if self.counted_here:
            for key, _ in used:
                self.counted_here.pop(key, None)

    def seed(self, postings: Iterable[Posting], gateways: int) -> None:
        """Make `memory` begin with the shares of these meters, one of `gateways`, before it uses them.

        A meter begins again when Redis has answered since: one reply that came too late is no outage.
        """
        for posting in postings:
            key, most = posting.key, posting.meter.max
            if key not in self.counted_here or not self.memory.knows(posting):
                self.counted_here[key] = most
                left = max(most - self._used(posting), 0)
                share = max(left // gateways, 1) if left else 0
                self.memory.begin(posting, most - share, self._in_flight.units(key))

    def forget(self, key: str) -> None:
        """Set a meter back to nothing used."""
        self.last.pop(key, None)
        self.memory.forget(key)

    def _used(self, posting: Posting) -> int:
        """Return what Redis replied last.

        Calls in flight of other gateways will have ended: only those of this one are known.
        """
        used, known_month = self.last.get(posting.key, (0, 0))
        return (
            0
            if posting.meter.kind == "concurrency" or (posting.meter.monthly and known_month < self.memory.month)
            else used
        )
