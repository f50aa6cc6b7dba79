"""Where a worker publishes what it has counted: memory that it shares with the supervisor.

There are a few places, which are used in turn, so that the supervisor may be late by some of them. What its writer did
not finish is known by its checksum and passed over.

    place     number of the entry, from 1, 0 for none (u64) · length (u32) · checksum (u32) · content
"""

import mmap
import struct
from zlib import crc32

import msgspec

from gateway.history.measures import CountTables
from gateway.kernel.limits.token_bucket import LimitOwner

PLACES = 4
PLACE_BYTES = 128 << 10
_HEAD = struct.Struct("<QII")
LONGEST_BYTES = PLACE_BYTES - _HEAD.size


class NearLimit(msgspec.Struct, frozen=True, array_like=True):
    """A key that has little left of a limit: `remaining` of the `most` calls that it may make at once."""

    key: str
    organization: str | None
    limit: str
    owner: LimitOwner
    remaining: int
    most: int


class ActivityReport(msgspec.Struct, frozen=True, array_like=True):
    """What a worker has counted within about a second."""

    tables: CountTables
    near_limits: list[NearLimit]


class ActivityFeed:
    """The memory of one worker, created before it is forked."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, PLACES * PLACE_BYTES)
        self._last = 0

    def __repr__(self) -> str:
        return f"<ActivityFeed {self._last} written>"

    def write(self, content: bytes) -> None:
        """Publish `content` of at most LONGEST_BYTES."""
        self._last += 1
        at = self._last % PLACES * PLACE_BYTES
        head = _HEAD.pack(self._last, len(content), _checksum(self._last, content))
        self._memory[at : at + _HEAD.size + len(content)] = head + content

    def after(self, number: int) -> list[tuple[int, bytes]]:
        """Return the entries that are whole and younger than `number`, with their numbers, in order."""
        found: list[tuple[int, bytes]] = []
        for at in range(0, PLACES * PLACE_BYTES, PLACE_BYTES):
            entry, length, checksum = _HEAD.unpack_from(self._memory, at)
            if entry > number:
                content = self._memory[at + _HEAD.size : at + _HEAD.size + length]
                if _checksum(entry, content) == checksum:
                    found.append((entry, content))
        return sorted(found)


def _checksum(number: int, content: bytes) -> int:
    return crc32(content, number & 0xFFFFFFFF)
