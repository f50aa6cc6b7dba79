"""Reads the access lines of all workers while somebody follows them.

Laws: a reader holds up nobody; lines that it does not take in time are counted as lost, and it is told how many. There
are at most MOST_FOLLOWERS.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from gateway.tail.line_ring import ENTRIES, LineRing

MOST_FOLLOWERS = 8


class TooManyFollowersError(Exception):
    """There are MOST_FOLLOWERS."""


class Tail:
    """Switches the lines of workers on while somebody follows. `rings` returns those of the workers that there are."""

    def __init__(self, rings: Callable[[], Collection[LineRing]]) -> None:
        self._rings = rings
        self._followers: set[Follower] = set()

    def __repr__(self) -> str:
        return f"<Tail {len(self._followers)} followers>"

    @contextmanager
    def follow(self) -> Iterator["Follower"]:
        """Give a follower for the time of a `with` block. Raises TooManyFollowersError."""
        if len(self._followers) >= MOST_FOLLOWERS:
            raise TooManyFollowersError
        follower = Follower(self._rings)
        self._followers.add(follower)
        try:
            yield follower
        finally:
            self._followers.discard(follower)
            if not self._followers:
                for ring in self._rings():
                    ring.is_followed = False


class Follower:
    """One reader. It has its own place in each ring."""

    def __init__(self, rings: Callable[[], Collection[LineRing]]) -> None:
        self._rings = rings
        self._read: dict[LineRing, int] = {ring: ring.count for ring in rings()}
        self.lost = 0
        """Lines that were missed since this was last set to 0."""

    @property
    def is_ready(self) -> bool:
        """Whether every worker knows that it is followed. Asking tells them."""
        rings = self._rings()
        for ring in rings:
            ring.is_followed = True
        return all(ring.is_writing for ring in rings)

    def lines(self) -> Iterator[bytes]:
        """Yield the lines that were written since the last time, in order for each worker."""
        present = self._rings()
        for ring in present:
            ring.is_followed = True
            # Of a worker that was started meanwhile everything is new.
            self._read.setdefault(ring, 0)
        for ring in [*self._read]:
            yield from self._new_lines(ring)
            if ring not in present:  # its worker has ended, and these were its last lines
                del self._read[ring]

    def _new_lines(self, ring: LineRing) -> Iterator[bytes]:
        count, read = ring.count, self._read[ring]
        if count - read > ENTRIES:
            self.lost += count - read - ENTRIES
            read = count - ENTRIES
        self._read[ring] = count
        for number in range(read + 1, count + 1):
            line = ring.line(number)
            if line is None:
                self.lost += 1
            else:
                yield line
