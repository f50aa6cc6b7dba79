"""The last access lines of one worker, in memory that its supervisor reads. The oldest ones are written over.

0       whether somebody follows, written by the supervisor
1       whether the worker has seen that, written by the worker
8       how many lines were written (u64): after the line, so that a reader never waits for half of one
16 …    entries of 2 KiB: its number from 1 (u64) · length (u32) · checksum (u32) · a line of JSON without its end
"""

import mmap
import struct
from zlib import crc32

from gateway.observe.access_log import AccessRecord
from gateway.observe.json_line import encoded
from gateway.observe.recent_errors import clipped

ENTRIES = 512
ENTRY_BYTES = 2048

_FIRST = 16
_COUNT = struct.Struct("<Q")
_HEAD = struct.Struct("<QII")
_LONGEST_BYTES = ENTRY_BYTES - _HEAD.size


class LineRing:
    """The memory of one writer, shared with the process that is forked after it was made."""

    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, _FIRST + ENTRIES * ENTRY_BYTES)

    def __repr__(self) -> str:
        return f"<LineRing {self.count} lines, {'followed' if self.is_followed else 'idle'}>"

    @property
    def is_followed(self) -> bool:
        return self.memory[0] == 1

    @is_followed.setter
    def is_followed(self, followed: bool) -> None:
        self.memory[0] = followed

    @property
    def is_writing(self) -> bool:
        """Whether the worker knows that it is followed."""
        return self.memory[1] == 1

    @is_writing.setter
    def is_writing(self, writing: bool) -> None:
        self.memory[1] = writing

    @property
    def count(self) -> int:
        """The number of lines that were ever written, those included that did not fit."""
        return int(_COUNT.unpack_from(self.memory, 8)[0])

    def put(self, record: AccessRecord) -> None:
        """Write the line of `record`, whose longest fields are shortened where it does not fit."""
        line = encoded(record)
        if len(line) > _LONGEST_BYTES:
            record.path, record.cause, record.client = map(clipped, (record.path, record.cause, record.client))
            record.limiter_shadows = record.limiter_spent = None
            line = encoded(record)[: _LONGEST_BYTES + 1]
        number = self.count + 1
        if len(line) <= _LONGEST_BYTES:  # a reader counts what is missing as lost
            head = _HEAD.pack(number, len(line), _checksum(number, line))
            at = _FIRST + number % ENTRIES * ENTRY_BYTES
            self.memory[at : at + len(head) + len(line)] = head + line
        _COUNT.pack_into(self.memory, 8, number)

    def line(self, number: int) -> bytes | None:
        """Return the line with this number; None if it was written over, is being written, or did not fit."""
        at = _FIRST + number % ENTRIES * ENTRY_BYTES
        found, length, checksum = _HEAD.unpack_from(self.memory, at)
        if found != number or length > _LONGEST_BYTES:
            return None
        line = self.memory[at + _HEAD.size : at + _HEAD.size + length]
        return line if _checksum(number, line) == checksum else None


def _checksum(number: int, line: bytes) -> int:
    return crc32(line, number & 0xFFFFFFFF)
