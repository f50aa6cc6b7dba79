"""The last good answer about each name, in memory that all workers of a node share and that outlives each of them.

A worker that starts while the name server is away begins with what the others knew. An entry that its writer did not
finish is known by its checksum and passed over.

    entry    checksum of all that follows (u32) · length (u16) · when, by the monotonic clock (f64) · addresses, with commas
"""

import mmap
import struct
from collections.abc import Collection, Sequence
from zlib import crc32

ENTRY_BYTES = 1024
_CHECKSUM = struct.Struct("<I")
_HEAD = struct.Struct("<Hd")
_TEXT_BYTES = ENTRY_BYTES - _CHECKSUM.size - _HEAD.size


class NameMemory:
    """For `hosts`. Made before the processes that share it are forked."""

    def __init__(self, hosts: Collection[str] = ()) -> None:
        self._places = {host: number * ENTRY_BYTES for number, host in enumerate(sorted(set(hosts)))}
        self._memory = mmap.mmap(-1, max(1, len(self._places)) * ENTRY_BYTES)

    def __repr__(self) -> str:
        return f"<NameMemory {len(self._places)} names>"

    def get(self, host: str) -> tuple[list[str], float] | None:
        """Its addresses and since when they are known; None if nobody has found any."""
        at = self._places.get(host)
        if at is None:
            return None
        entry = self._memory[at : at + ENTRY_BYTES]
        length, when = _HEAD.unpack_from(entry, _CHECKSUM.size)
        end = _CHECKSUM.size + _HEAD.size + length
        if not length or _CHECKSUM.unpack_from(entry)[0] != crc32(entry[_CHECKSUM.size : end]):
            return None
        return entry[end - length : end].decode().split(","), when

    def put(self, host: str, addresses: Sequence[str], when: float) -> None:
        """As many of the first `addresses` as there is room for; none forgets the host."""
        at = self._places.get(host)
        if at is None:
            return
        text = ",".join(addresses).encode()
        if len(text) > _TEXT_BYTES:
            text = text[: text.rindex(b",", 0, _TEXT_BYTES)]
        data = _HEAD.pack(len(text), when) + text
        self._memory[at : at + _CHECKSUM.size + len(data)] = _CHECKSUM.pack(crc32(data)) + data

    def adopt(self, before: "NameMemory") -> None:
        """Begin with what `before` says of the hosts that both have."""
        for host in self._places:
            if (known := before.get(host)) is not None:
                self.put(host, *known)
