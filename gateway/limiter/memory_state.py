"""What is in the memory of a limiter, as its successor in another process gets it.

It is encoded in MessagePack, and the successor may be of another release: members may be added, if they have defaults.
"""

import msgspec

from gateway.kernel.limits.token_bucket import Guarantee, LimitOwner, OnFailure, Window
from gateway.limiter.memory_quotas import Entries

SavedKey = str | tuple[int, int]
"""The key of a bucket. One that some keys share has the index of its window in `windows` and a number."""


class SavedWindow(msgspec.Struct):
    """What a `Window` is made of."""

    id: str
    max: int
    per_us: int
    name: str | None
    owner: LimitOwner = "key"
    guarantee: Guarantee = "burst"
    shadow: bool = False
    on_failure: OnFailure | None = None

    def window(self) -> Window:
        """Return the window that it was made of."""
        return Window(**msgspec.structs.asdict(self))


class MemoryState(msgspec.Struct):
    """All buckets and meters. An entry of `entries` is one bucket: its key, its time and its price."""

    windows: list[SavedWindow]
    entries: list[tuple[SavedKey, int, int]]
    meters: Entries


def encode(windows: list[Window], entries: list[tuple[SavedKey, int, int]], meters: Entries) -> bytes:
    """Return the members of a `MemoryState` in MessagePack."""
    saved = msgspec.convert(windows, list[SavedWindow], from_attributes=True)
    return msgspec.msgpack.encode(MemoryState(saved, entries, meters))


def decode(encoded: bytes) -> MemoryState:
    """Return what `encode` was given."""
    return msgspec.msgpack.decode(encoded, type=MemoryState)
