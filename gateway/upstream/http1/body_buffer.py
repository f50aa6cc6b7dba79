"""Holds the body of a reply while it arrives, until it is complete or is passed on.

Law: what comes out was put in. A block is not filled with zeros, which costs as much as to compare it: beyond `size` it
holds whatever was in that memory before, and no method reads there.
"""

import ctypes
from io import BytesIO

_SMALL_BYTES = 4096
_unfilled_bytes = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_ssize_t)(
    ("PyBytes_FromStringAndSize", ctypes.pythonapi)
)
"""Returns bytes of a length, of which nothing else knows, with any content."""


class BodyBuffer:
    """Pieces in order. Large ones are kept as they are, so that taking the body copies it only once.

    Small ones are gathered: a body may arrive in pieces of a few bytes, each of which would be an object. `size` is the
    number of bytes in it. After `allocate` they are in one block, and taking the body copies nothing.
    """

    __slots__ = ("_block", "_pieces", "_view", "size")

    def __init__(self) -> None:
        self._pieces: list[bytes | bytearray] = []
        self._block: BytesIO | None = None
        self._view = memoryview(b"")
        self.size = 0

    def add(self, data: bytes) -> None:
        if self._block is not None:
            self._view.release()
            self._block.seek(self.size)
            self._block.write(data)
            self.size += len(data)
            return
        self.size += len(data)
        pieces = self._pieces
        if len(data) >= _SMALL_BYTES:
            pieces.append(data)
        elif pieces and isinstance(pieces[-1], bytearray):
            pieces[-1] += data
        else:
            pieces.append(bytearray(data))

    def begun(self, most: int) -> bytes:
        """Return its first bytes, at most `most`."""
        if self._block is not None:
            return self._block.getvalue()[: min(most, self.size)]
        begun = b""
        for piece in self._pieces:
            begun += piece[: most - len(begun)]
            if len(begun) == most:
                break
        return begun

    def allocate(self, length: int) -> memoryview:
        """Allocate one block of memory for a body of `length` bytes, and return it.

        What is written there belongs to the body when `size` is increased by it. Nothing may refer to a part of the
        block when `add` or `take` is called.
        """
        self._block = block = BytesIO(_unfilled_bytes(None, length))
        block.writelines(self._pieces)
        self._pieces.clear()
        self._view = block.getbuffer()
        return self._view

    def take(self) -> bytes:
        """Return all of it, and be empty."""
        block, self._block = self._block, None
        if block is None:
            data = b"".join(self._pieces)
            self._pieces.clear()
        else:
            self._view.release()
            block.truncate(self.size)
            data = block.getvalue()  # not a copy, because nothing else refers to these bytes
        self.size = 0
        return data
