"""The last successful look-up of each host name, in memory that all workers share and that outlives each of them.

A worker that starts while the name server is away begins with the addresses that the others have found. An entry that
its writer did not finish has a wrong checksum and is ignored.

    entry    checksum of the rest (u32) · length (u16) · monotonic time (f64) · addresses, separated by commas
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
    """The entries of `hosts`. It has to be made before the processes that share it are forked."""

    def __init__(self, hosts: Collection[str] = ()) -> None:
        self._offsets = {host: number * ENTRY_BYTES for number, host in enumerate(sorted(set(hosts)))}
        self._memory = mmap.mmap(-1, max(1, len(self._offsets)) * ENTRY_BYTES)

    def __repr__(self) -> str:
        return f"<NameMemory {len(self._offsets)} names>"

    def get(self, host: str) -> tuple[list[str], float] | None:
        """Return the addresses of `host` and the time of their look-up; None when no worker has found any."""
        offset = self._offsets.get(host)
        if offset is None:
            return None
        entry = self._memory[offset : offset + ENTRY_BYTES]
        length, found_at = _HEAD.unpack_from(entry, _CHECKSUM.size)
        end = _CHECKSUM.size + _HEAD.size + length
        if not length or _CHECKSUM.unpack_from(entry)[0] != crc32(entry[_CHECKSUM.size : end]):
            return None
        return entry[end - length : end].decode().split(","), found_at

    def put(self, host: str, addresses: Sequence[str], found_at: float) -> None:
        """Store as many of the first `addresses` as fit. With no addresses the entry of `host` is empty."""
        offset = self._offsets.get(host)
        if offset is None:
            return
        text = ",".join(addresses).encode()
        if len(text) > _TEXT_BYTES:
            text = text[: text.rindex(b",", 0, _TEXT_BYTES)]
        data = _HEAD.pack(len(text), found_at) + text
        self._memory[offset : offset + _CHECKSUM.size + len(data)] = _CHECKSUM.pack(crc32(data)) + data

    def adopt(self, before: "NameMemory") -> None:
        """Copy the entries of `before` for the hosts that both have."""
        for host in self._offsets:
            if (known := before.get(host)) is not None:
                self.put(host, *known)
