"""Collects, once a second, what all workers of a node have counted. The supervisor has one, which outlives workers."""

from collections.abc import Iterable

import msgspec

from gateway.history.feed import ActivityFeed, ActivityReport, NearLimit
from gateway.history.timeline import Timeline

NEAR_FOR_S = 60.0
"""How long it is shown that a key was near a limit."""
_MOST_NEAR = 100

_decode = msgspec.msgpack.Decoder(ActivityReport).decode


class History:
    """Begins at `now`, in Unix time."""

    def __init__(self, now: float) -> None:
        self.timeline = Timeline(now)
        self._collected: dict[ActivityFeed, int] = {}
        self._near: dict[tuple[str, str | None, str], tuple[float, NearLimit]] = {}
        self._due = now

    def __repr__(self) -> str:
        return f"<History of {len(self._collected)} workers>"

    def collect(self, feeds: Iterable[ActivityFeed], now: float) -> bool:
        """Add what `feeds` have that is new, if a second is over; return whether it is.

        A feed that is missing was that of a worker that has ended: it is read for the last time.
        """
        present = set(feeds)
        for feed in present:
            self._collected.setdefault(feed, 0)
        if self._due <= now < self._due + 1.0:
            return False
        self._due = now
        for feed, last in [*self._collected.items()]:
            for number, content in feed.after(last):
                self._add(_decode(content), now)
                self._collected[feed] = number
            if feed not in present:
                del self._collected[feed]
        self.timeline.advance(now)
        return True

    def near_limits(self, now: float) -> list[tuple[float, NearLimit]]:
        """Return the keys that were near a limit lately, those with least left first, each with the time of that."""
        found = [each for each in self._near.values() if now - each[0] <= NEAR_FOR_S]
        return sorted(found, key=lambda each: (each[1].remaining / each[1].most, each[1].key))

    def _add(self, published: ActivityReport, now: float) -> None:
        self.timeline.add(published.tables)
        for near in published.near_limits:
            self._near[near.key, near.organization, near.limit] = (now, near)
        if len(self._near) > _MOST_NEAR:
            newest = sorted(self._near.items(), key=lambda each: each[1][0], reverse=True)[:_MOST_NEAR]
            self._near = dict(newest)
