"""Splits the bytes of a client connection into pieces for the parser. It has no socket, and parses nothing itself.

The parser forgets the requests before a broken one in the same piece, so no piece goes beyond the end of a head, or of
a body whose length is known. Of a body no piece is larger than what is read of it at one time: the bytes that were read
would stay in memory with those that were not.

Law: received bytes cost time linear in their number. The end of a head is searched where it can be, and never twice.
"""

import re

from aiohttp.http_exceptions import BadHttpMethod

from gateway.upstream.call import BODY_PIECE_BYTES

_HEAD_END = b"\r\n\r\n"
_EMPTY_LINES = re.compile(rb"(?:\r\n)*+")
_STARTED_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+(?: [!-~]*(?: [HTP/1.0]*\r?)?)?")
_NOT_IN_A_LINE = re.compile(rb"[^ -~\r]")


class HeadSplitter:
    """Receives bytes, and returns them piece by piece.

    The owner sets `in_head` when the parser has begun a head and not finished it, and `body_missing` to the number of
    bytes of a body that have not arrived yet. `rejected_line` is a request line that the parser has rejected before its
    end, and its error; None when there is none. It has at most `line_bytes`.
    """

    __slots__ = ("_at", "_data", "_line_bytes", "_new", "_tail", "body_missing", "in_head", "rejected_line")

    def __init__(self, line_bytes: int) -> None:
        self._line_bytes = line_bytes
        self._data = b""
        self._at = 0
        self._new = False
        self._tail = b""
        """The last bytes of the newest piece of a head: the end of a head may be divided between two pieces."""
        self.body_missing = 0
        self.in_head = False
        self.rejected_line: tuple[Exception, bytes] | None = None

    def __repr__(self) -> str:
        where = (
            "in a rejected line"
            if self.rejected_line
            else "in a body"
            if self.body_missing
            else "in a head"
            if self.in_head
            else "between"
        )
        return f"<HeadSplitter {where}, {len(self._data) - self._at} bytes waiting>"

    @property
    def idle(self) -> bool:
        """Whether everything was returned, and nothing has begun that is not finished."""
        return not (self._data or self.body_missing or self.in_head or self.rejected_line)

    @property
    def has_piece(self) -> bool:
        """Whether `piece` has something to return. After `receive` it has, even if no bytes were received."""
        return self._new or self._at < len(self._data)

    def receive(self, data: bytes) -> None:
        """Add `data` to what has not been returned yet."""
        self._data = self._data[self._at :] + data if self._data else data
        self._at = 0
        self._new = True
        if not self.in_head:
            self._tail = b""

    def piece(self) -> bytes:
        """Return the next piece: a head or its part, or a body or its part. Only while `has_piece`."""
        data, at = self._data, self._at
        if self._new:
            self._new = False
            if self.in_head and (end := (self._tail + data[: len(_HEAD_END)]).find(_HEAD_END)) >= 0:
                return self._up_to(end + 4 - len(self._tail))
        if self.body_missing:
            end = min(len(data), at + self.body_missing, at + BODY_PIECE_BYTES)
            self.body_missing -= end - at
            return self._up_to(end)
        begin = _EMPTY_LINES.match(data, at).end() if data.startswith(b"\r\n", at) else at  # type: ignore[union-attr]
        end = data.find(_HEAD_END, begin) + 4
        if end >= 4:
            return self._up_to(end)
        self._tail = data[-3:] if len(data) >= 3 else (self._tail + data)[-3:]
        return self._up_to(len(data))

    def _up_to(self, end: int) -> bytes:
        piece = self._data[self._at : end]
        if end == len(self._data):
            self._data, self._at = b"", 0
        else:
            self._at = end
        return piece

    def take_rest(self) -> bytes:
        """Return all that has not been returned yet: it belongs to another protocol."""
        rest = self._data[self._at :]
        self.clear()
        return rest

    def clear(self) -> None:
        """Drop all that has been received."""
        self._data = self._tail = b""
        self._at = 0
        self._new = False
        self.rejected_line = None

    def reject_line(self, error: Exception, line: bytes) -> bool:
        """Return whether the rest of `line` decides what to answer: an unknown method, or no request at all.

        If it does, the line is kept, and `extend_line` adds to it. `error` is what the parser has raised.
        """
        undecided = (
            isinstance(error, BadHttpMethod)
            and len(line) <= self._line_bytes
            and _STARTED_LINE.fullmatch(line) is not None
        )
        if undecided:
            self.rejected_line = (error, line)
        return undecided

    def extend_line(self, data: bytes) -> bool:
        """Add `data` to the rejected line, and return whether the line is still undecided. Only `data` is searched."""
        assert self.rejected_line is not None
        error, line = self.rejected_line
        self.rejected_line = error, line + data
        return len(line) + len(data) <= self._line_bytes and _NOT_IN_A_LINE.search(data) is None
