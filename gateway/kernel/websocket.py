"""Follows the frames of a WebSocket (RFC 6455, 5.2), so that a frame of the gateway can be put between two of them.

Law: what frames carry is neither copied nor looked at, and following them costs time linear in their bytes.
"""

GOING_AWAY = 1001
"""The code of a Close frame whose sender ends, but not because of an error (RFC 6455, 7.4.1)."""

_LONGEST_HEAD = 14
_OPCODE, _MASKED, _LENGTH = 0x0F, 0x80, 0x7F
_CLOSE = 0x8
_FINAL_CLOSE = 0x88
_LENGTH_BYTES = {126: 2, 127: 8}
_MASK_BYTES = 4


class FrameTracker:
    """Knows where in its frames one direction of a WebSocket is. `closed`: a Close frame has begun to pass."""

    __slots__ = ("_head", "_left", "closed")

    def __init__(self) -> None:
        self._head = b""
        """The beginning of a frame whose length is not known yet."""
        self._left = 0
        """The bytes of the frame under way that are still to come."""
        self.closed = False

    @property
    def at_boundary(self) -> bool:
        """Whether a frame has just ended, or none has begun."""
        return not self._left and not self._head

    def follow(self, data: bytes, *, to_boundary: bool = False) -> int:
        """Follow `data`, and return how many of its bytes were followed.

        That is all of them, or with `to_boundary` those up to the first place where a frame of another sender may
        stand, which may be its beginning.
        """
        at, size = 0, len(data)
        while at < size:
            if self._left:
                step = min(self._left, size - at)
                self._left -= step
                at += step
                continue
            if to_boundary and not self._head:
                return at
            known = len(self._head)
            head = self._head + data[at : at + _LONGEST_HEAD - known]
            head_size = _head_size(head)
            if len(head) < head_size:
                self._head = head
                return size
            at += head_size - known
            self._head = b""
            self._left = _payload_size(head)
            self.closed = self.closed or head[0] & _OPCODE == _CLOSE
        return size


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


def _payload_size(head: bytes) -> int:
    length = head[1] & _LENGTH
    more = _LENGTH_BYTES.get(length, 0)
    return int.from_bytes(head[2 : 2 + more], "big") if more else length
