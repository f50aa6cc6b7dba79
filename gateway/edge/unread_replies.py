"""What clients leave unread of their replies.

Law: all clients of a worker together leave at most so much of it in memory. Beyond half of that, the replies of clients that take
them slowly are cut, beginning with the caller that leaves most; beyond the whole, of any. Nobody else waits because of them.
"""

import math
from collections import defaultdict
from collections.abc import Callable
from typing import Protocol

SLOW_BYTES_PER_S = 64 * 1024
"""A client that takes less of its reply is cut before others."""


class Reader(Protocol):
    """The connection of a client."""

    def pace(self, now: float) -> float:
        """How many bytes it takes a second, infinity for one that keeps up."""
        ...

    def owner(self) -> str:
        """Whose it is: a caller, or an address."""
        ...

    def cut_unread(self) -> None:
        """Give it up."""
        ...


class UnreadReplies:
    """HandshakeEvents bytes, up to `limit`; `on_cut` is told of every reply that was given up. `total` is what there is."""

    def __init__(self, limit: float = math.inf, on_cut: Callable[[], None] = lambda: None) -> None:
        self.total = 0
        self._limit = limit
        self._on_cut = on_cut
        self._by_reader: dict[Reader, int] = {}

    def __repr__(self) -> str:
        return f"<UnreadReplies {self.total} bytes of {self._limit}, {len(self._by_reader)} readers>"

    def update(self, reader: Reader, size: int) -> None:
        """`reader` leaves so many bytes now."""
        before = self._by_reader.pop(reader, 0)
        self.total += size - before
        if size:
            self._by_reader[reader] = size

    @property
    def over_limit(self) -> bool:
        """Whether `enforce` cannot wait for its turn."""
        return self.total > self._limit

    def enforce(self, now: float) -> None:
        """Keep the law: at once when there is too much, otherwise a few times a second. `now` is of the clock of paces."""
        if self.total * 2 <= self._limit:
            return
        owners: defaultdict[str, list[tuple[float, int, Reader]]] = defaultdict(list)
        left: defaultdict[str, int] = defaultdict(int)
        for number, (reader, size) in enumerate(self._by_reader.items()):
            owners[reader.owner()].append((reader.pace(now), number, reader))
            left[reader.owner()] += size
        for readers in owners.values():
            readers.sort(reverse=True)
        while owners and self.total * 2 > self._limit:
            greediest = max(owners, key=left.__getitem__)
            pace, _, reader = owners[greediest].pop()
            if pace >= SLOW_BYTES_PER_S and self.total <= self._limit:
                del owners[greediest]  # it leaves much, and takes it
                continue
            if not owners[greediest]:
                del owners[greediest]
            left[greediest] -= self._by_reader[reader]
            self.update(reader, 0)
            reader.cut_unread()
            self._on_cut()
