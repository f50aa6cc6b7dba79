"""Limits how much memory the replies occupy that clients have not read.

Law: the unread bytes of all clients of a worker stay below a limit. Beyond half of the limit, the replies of clients
that read slowly are cut, beginning with the caller that has most unread; beyond the limit, those of any client. Other
clients never wait because of them.
"""

import math
from collections import defaultdict
from collections.abc import Callable
from typing import Protocol

SLOW_BYTES_PER_S = 64 * 1024
"""A client that reads more slowly is cut before others."""


class Reader(Protocol):
    """The connection of a client."""

    def pace(self, now: float) -> float:
        """Return how many bytes the client reads a second, infinity when it keeps up."""
        ...

    def owner(self) -> str:
        """Return the caller, or the address of a client that is not known."""
        ...

    def cut_unread(self) -> None:
        """Cut the reply, and close the connection."""
        ...


class UnreadReplies:
    """Counts the unread bytes in `total`, up to `limit`. `on_cut` is called for each reply that is cut."""

    def __init__(self, limit: float = math.inf, on_cut: Callable[[], None] = lambda: None) -> None:
        self.total = 0
        self._limit = limit
        self._on_cut = on_cut
        self._by_reader: dict[Reader, int] = {}

    def __repr__(self) -> str:
        return f"<UnreadReplies {self.total} bytes of {self._limit}, {len(self._by_reader)} readers>"

    def update(self, reader: Reader, size: int) -> None:
        """Set the number of bytes that `reader` has not read."""
        before = self._by_reader.pop(reader, 0)
        self.total += size - before
        if size:
            self._by_reader[reader] = size

    @property
    def over_limit(self) -> bool:
        """Whether `enforce` has to be called at once."""
        return self.total > self._limit

    def enforce(self, now: float) -> None:
        """Cut replies until the law holds. Call it at once when `over_limit`, otherwise a few times a second.

        `now` is a reading of the clock of `Reader.pace`.
        """
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
                del owners[greediest]  # it has much unread, but it reads fast
                continue
            if not owners[greediest]:
                del owners[greediest]
            left[greediest] -= self._by_reader[reader]
            self.update(reader, 0)
            reader.cut_unread()
            self._on_cut()
