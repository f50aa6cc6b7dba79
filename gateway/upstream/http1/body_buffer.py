"""Holds the body of a reply while it arrives, until it is complete or is passed on."""

_SMALL_BYTES = 4096


class BodyBuffer:
    """Pieces in order. Large ones are kept as they are, so that taking the body copies it only once.

    Small ones are gathered: a body may arrive in pieces of a few bytes, each of which would be an object. `size` is the
    number of bytes in it.
    """

    __slots__ = ("_pieces", "size")

    def __init__(self) -> None:
        self._pieces: list[bytes | bytearray] = []
        self.size = 0

    def add(self, data: bytes) -> None:
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
        begun = b""
        for piece in self._pieces:
            begun += piece[: most - len(begun)]
            if len(begun) == most:
                break
        return begun

    def take(self) -> bytes:
        """Return all of it, and be empty."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        self.size = 0
        return data
