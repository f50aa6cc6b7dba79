"""Follows the frames of a WebSocket (RFC 6455, 5.2), so that a frame of the gateway can be put between two of them.

Law: what frames carry is neither copied nor looked at, and following them costs time linear in their bytes.
"""

import sys

GOING_AWAY = 1001
"""The code of a Close frame whose sender ends, but not because of an error (RFC 6455, 7.4.1)."""

_LONGEST_HEAD = 14
_OPCODE, _MASKED, _LENGTH = 0x0F, 0x80, 0x7F
_CLOSE = 0x8
_FINAL_CLOSE = 0x88
_TWO_BYTES = 126
_LENGTH_BYTES = {_TWO_BYTES: 2, 127: 8}
_MASK_BYTES = 4


class FrameTracker:
    """Knows where in its frames one direction of a WebSocket is.

    `closed`: a Close frame has begun to pass. `begun` counts the frames that have.
    """

    __slots__ = ("_head", "_left", "begun", "closed")

    def __init__(self) -> None:
        self._head = b""
        """The beginning of a frame whose length is not known yet."""
        self._left = 0
        """The bytes of the frame under way that are still to come."""
        self.closed = False
        self.begun = 0

    @property
    def at_boundary(self) -> bool:
        """Whether a frame has just ended, or none has begun."""
        return not self._left and not self._head

    def follow(self, data: bytes, *, to_boundary: bool = False, most_frames: int = sys.maxsize) -> int:
        """Follow `data`, and return how many of its bytes were followed.

        That is all of them, or those of `most_frames` if more begin in it, or with `to_boundary` those up to the first
        place where a frame of another sender may stand, which may be its beginning.
        """
        at, size, last = 0, len(data), self.begun + most_frames
        while at < size:
            if self._left:
                step = min(self._left, size - at)
                self._left -= step
                at += step
                continue
            if to_boundary and not self._head:
                return at
            if self.begun >= last and not self._head:
                return at
            if not self._head and not to_boundary and at + _LONGEST_HEAD <= size:
                end = self._follow_heads(data, at, last - self.begun)
                at, self._left = min(end, size), max(0, end - size)
                continue
            known = len(self._head)
            head = self._head + data[at : at + _LONGEST_HEAD - known]
            head_size = _head_size(head)
            if len(head) < head_size:
                self._head = head
                return size
            at += head_size - known
            self._head = b""
            self._left = _payload_size(head)
            self.begun += 1
            self.closed = self.closed or head[0] & _OPCODE == _CLOSE
        return size

    def _follow_heads(self, data: bytes, at: int, most_frames: int) -> int:
        """Follow up to `most_frames` from `at` on whose heads are certainly whole; return the end of the last one.

        A frame may have two bytes, so that this runs for each few bytes that a peer sends.
        """
        last, begun, sizes = len(data) - _LONGEST_HEAD, 0, _SIZES
        while at <= last and begun < most_frames:
            if data[at] & _OPCODE == _CLOSE:
                self.closed = True
            at += sizes[data[at + 1]] or _long_frame_size(data, at)
            begun += 1
        self.begun += begun
        return at


def close_frame(code: int, mask: bytes = b"") -> bytes:
    """Return a Close frame. `mask` are four unpredictable bytes for one from a client, b"" for one from a server."""
    payload = code.to_bytes(2, "big")
    if not mask:
        return bytes((_FINAL_CLOSE, len(payload))) + payload
    masked = bytes(byte ^ key for byte, key in zip(payload, mask, strict=False))
    return bytes((_FINAL_CLOSE, _MASKED | len(payload))) + mask + masked


def _head_size(head: bytes) -> int:
    """Return the size of the head that begins with `head`, more than there is of it when it is not complete."""
    if len(head) < 2:
        return 2
    return 2 + _LENGTH_BYTES.get(head[1] & _LENGTH, 0) + (_MASK_BYTES if head[1] & _MASKED else 0)


def _long_frame_size(data: bytes, at: int) -> int:
    """Return the size of the frame at `at`, whose length stands behind its second byte."""
    second = data[at + 1]
    mask = _MASK_BYTES if second & _MASKED else 0
    if second & _LENGTH == _TWO_BYTES:
        return 4 + mask + (data[at + 2] << 8 | data[at + 3])
    return 10 + mask + int.from_bytes(data[at + 2 : at + 10], "big")


def _payload_size(head: bytes) -> int:
    length = head[1] & _LENGTH
    more = _LENGTH_BYTES.get(length, 0)
    return int.from_bytes(head[2 : 2 + more], "big") if more else length


_SIZES = tuple(
    0 if second & _LENGTH in _LENGTH_BYTES else _head_size(bytes((0, second))) + (second & _LENGTH)
    for second in range(256)
)
"""The size of a whole frame by its second byte, 0 where the length stands in the bytes behind it."""
