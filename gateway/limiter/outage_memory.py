"""Memory that outlives the process that writes it, for what is known while Redis is away.

Bytes are appended, and are there when `append` returns, whatever becomes of the writer then: their number is written
last, as one word. When there is no more space, all that still counts is written again, into the other half. One process
writes; its supervisor reads when it has ended.
"""

import mmap
import os

HALF_BYTES = 32 << 20
"""The size of each half in bytes of address space. Pages that were never written cost nothing."""
_HEAD_BYTES = 16 << 10
"""The size of the head in bytes, at least one page on any machine."""
_WORD, _GATEWAYS = 0, 1


class OutageMemory:
    """`gateways` is how many shared Redis when that was last known, 0 when it never was. `fd` is the memory's file."""

    def __init__(self, fd: int, half_bytes: int = HALF_BYTES) -> None:
        self.fd = fd
        self._half_bytes = half_bytes
        self._memory = mmap.mmap(fd, _HEAD_BYTES + 2 * half_bytes)
        self._head = memoryview(self._memory)[:_HEAD_BYTES].cast("Q")

    @classmethod
    def shared(cls, half_bytes: int = HALF_BYTES) -> "OutageMemory":
        """Make empty memory, before the process that writes is forked."""
        fd = os.memfd_create("outage", os.MFD_CLOEXEC)
        os.ftruncate(fd, _HEAD_BYTES + 2 * half_bytes)
        return cls(fd, half_bytes)

    @classmethod
    def opened(cls, fd: int) -> "OutageMemory":
        """Open the memory of another program. Raises ValueError when that has another layout."""
        if os.fstat(fd).st_size != _HEAD_BYTES + 2 * HALF_BYTES:
            raise ValueError("not the memory of an outage, or of another release")
        return cls(fd)

    def __repr__(self) -> str:
        return f"<OutageMemory {self._used()[1]} bytes>"

    @property
    def used(self) -> int:
        """The number of bytes that were written."""
        return self._used()[1]

    @property
    def gateways(self) -> int:
        return self._head[_GATEWAYS]

    @gateways.setter
    def gateways(self, count: int) -> None:
        self._head[_GATEWAYS] = count

    def read(self) -> bytes:
        """Return all that was written."""
        half, used = self._used()
        start = _HEAD_BYTES + half * self._half_bytes
        return self._memory[start : start + used]

    def append(self, content: bytes) -> bool:
        """Return False when there is no space left for `content`."""
        half, used = self._used()
        if used + len(content) > self._half_bytes:
            return False
        self._write(half, used, content)
        return True

    def replace(self, content: bytes) -> bool:
        """Replace all that was written. Return False when `content` does not fit: then nothing has changed."""
        half, used = self._used()
        if len(content) > self._half_bytes:
            return False
        self._write(1 - half, 0, content)
        if used:  # the pages go back
            self._memory.madvise(mmap.MADV_REMOVE, _HEAD_BYTES + half * self._half_bytes, self._half_bytes)
        return True

    def close(self) -> None:
        """Release the memory, which has no reader any more."""
        self._head.release()
        self._memory.close()
        os.close(self.fd)

    def _used(self) -> tuple[int, int]:
        word = self._head[_WORD]
        return word & 1, word >> 1

    def _write(self, half: int, used: int, content: bytes) -> None:
        start = _HEAD_BYTES + half * self._half_bytes + used
        self._memory[start : start + len(content)] = content
        self._head[_WORD] = (used + len(content)) << 1 | half
