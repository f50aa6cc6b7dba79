"""Keeps the last errors, so that operators find what happened to a `requestId`: in memory that outlives the worker.

Each worker writes into a ring of its own, which its supervisor owns and reads. A ring has lanes, so that what strangers
can bring about in any number does not wash out what an operator looks for. A record that its writer did not finish is
known by its checksum and passed over.

    lane      256 records of 1 KiB, the oldest of which is written over
    record    its number in the lane, from 1, 0 for none (u64) · length (u32) · checksum (u32) · MessagePack
"""

import mmap
import struct
from collections.abc import Iterator
from enum import IntEnum
from zlib import crc32

import msgspec

ENTRIES = 256
RECORD_BYTES = 1024
LONGEST_TEXT = 120

_HEAD = struct.Struct("<QII")
_NUMBERS = 0xFFFFFFFF
"""A checksum begins with as much of the record's number."""
_LANE_BYTES = ENTRIES * RECORD_BYTES


class Lane(IntEnum):
    """Groups of errors: `fault` is 5xx and broken replies, `caller` errors of known callers, `stranger` the rest."""

    fault = 0
    caller = 1
    stranger = 2


class ErrorRecord(msgspec.Struct, array_like=True, gc=False):
    """An exchange that ended in an error. `at` is Unix time in seconds, `reason` the fault, `code` the contract's code.

    No header field, no query and no body is part of it. `path` is None where a key may stand in it.
    """

    at: float
    request_id: str
    trace_id: str
    status: int
    code: int | None
    method: str
    route: str | None
    path: str | None
    source: str
    outcome: str
    reason: str | None
    cause: str | None
    target: str | None
    key_id: str | None
    organization: str | None
    total_ms: float
    upstream_ms: float


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ErrorRecord).decode


class ErrorRing:
    """The memory of one writer at a time, shared with every process forked after it was made."""

    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, len(Lane) * _LANE_BYTES)

    def __repr__(self) -> str:
        return f"<ErrorRing {sum(1 for _ in self.records())} records>"

    def records(self) -> Iterator[ErrorRecord]:
        """Yield all complete records in no particular order."""
        for lane in Lane:
            for _, payload in self.entries(lane):
                yield _decode(payload)

    def entries(self, lane: Lane) -> Iterator[tuple[int, bytes]]:
        """Yield the number and the content of each record that is whole."""
        for at in range(lane * _LANE_BYTES, (lane + 1) * _LANE_BYTES, RECORD_BYTES):
            content = self.memory[at : at + RECORD_BYTES]
            number, length, checksum = _HEAD.unpack_from(content)
            payload = content[_HEAD.size : _HEAD.size + length]
            if number and crc32(payload, number & _NUMBERS) == checksum:
                yield number, payload


class ErrorLog:
    """Writes into `ring`, after whatever was written there before."""

    def __init__(self, ring: ErrorRing) -> None:
        self._memory = ring.memory
        self._next = [max((number for number, _ in ring.entries(lane)), default=0) + 1 for lane in Lane]

    def write(self, lane: Lane, record: ErrorRecord) -> None:
        """Write a record."""
        number = self._next[lane]
        self._next[lane] = number + 1
        payload = _encode(record)
        entry = _HEAD.pack(number, len(payload), crc32(payload, number & _NUMBERS)) + payload
        at = lane * _LANE_BYTES + number % ENTRIES * RECORD_BYTES
        self._memory[at : at + len(entry)] = entry


class ErrorRings:
    """The rings of all workers."""

    def __init__(self) -> None:
        self._all: list[ErrorRing] = []
        self._idle: list[ErrorRing] = []

    def take(self) -> ErrorRing:
        """Return a ring for a new worker."""
        if self._idle:
            return self._idle.pop(0)
        self._all.append(ErrorRing())
        return self._all[-1]

    def give_back(self, ring: ErrorRing) -> None:
        """Take back the ring of a worker that ended. Its records stay until they are overwritten."""
        self._idle.append(ring)

    def records(self, request_id: str | None = None) -> list[ErrorRecord]:
        """Return the newest first; with `request_id` those of that request."""
        found = [record for ring in self._all for record in ring.records() if request_id in (None, record.request_id)]
        return sorted(found, key=lambda record: -record.at)


def clipped(text: str | None, most: int = LONGEST_TEXT) -> str | None:
    """Return `text` shortened to a bounded number of characters of one byte, so that a record has a known size."""
    if text is None:
        return None
    return (text if text.isascii() else text.encode("ascii", "backslashreplace").decode())[:most]
