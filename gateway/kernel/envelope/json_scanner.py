"""Checks JSON while it is streamed, in constant memory.

msgspec checks JSON many times faster than code in Python, but only whole texts. So a window of the document is cut off
before a comma that stands outside of every string, and checked as a text of its own: with the brackets that were open
before it put in front (and a value for the comma to follow), and those that are open after it closed behind. Which are
open after it is guessed first (most documents are long lists of the same thing) and counted only when that fails. The
check cannot be fooled by a bad guess: a text that begins in a known state and ends well with given brackets had just
these open. So what passes is what `is_json` passes, with two limits:

1. A number, or white space, longer than `LONGEST_TOKEN` bytes is refused. Strings may have any length.
2. Nesting is limited as in `gateway.kernel.envelope.raw_json`.
"""

import re
from codecs import getincrementaldecoder

from gateway.kernel.envelope.raw_json import is_syntax
from gateway.kernel.faults import UPSTREAM_BODY_INVALID, GatewayError

WINDOW = 65_536
LONGEST_TOKEN = 4 * WINDOW

_ATTEMPTS = 4
_DEEPEST = 1000
_MOST_PASSES = 16
"""The number of passes that remove pairs everywhere at once. It is enough for almost any document."""
_RUN = re.compile(rb"\[+|\]+|\{+|\}+")
_ESCAPE_BYTES = 6
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_CLOSE = bytes.maketrans(b"[{", b"]}")
_Utf8 = getincrementaldecoder("utf-8")


class Scanner:
    """Checks one JSON document that comes in pieces. Its methods raise GatewayError UPSTREAM_BODY_INVALID."""

    def __init__(self) -> None:
        self._utf8 = _Utf8()
        self._mid_character = False
        self._pending = b""
        self._fresh: list[bytes] = []
        self._fresh_bytes = 0
        self._due = WINDOW
        self._opening = b""
        self._stack = b""
        self._seen: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """Check what can be checked with `data`, the next piece."""
        for at in range(0, len(data), WINDOW):
            piece = data[at : at + WINDOW]
            if self._mid_character or not piece.isascii():
                try:
                    self._utf8.decode(piece)
                except UnicodeDecodeError as error:
                    raise _invalid("not UTF-8") from error
                self._mid_character = bool(self._utf8.getstate()[0])
            self._fresh.append(piece)
            self._fresh_bytes += len(piece)
            if len(self._pending) + self._fresh_bytes >= self._due:
                self._take_fresh()
                self._advance()
                if len(self._pending) > LONGEST_TOKEN:
                    raise _invalid("a token too long to check")
                self._due = len(self._pending) + WINDOW

    def finish(self) -> None:
        """Check that the document is complete."""
        self._take_fresh()
        if self._mid_character or not is_syntax(self._opening + self._pending):
            raise _invalid("not JSON")

    def _take_fresh(self) -> None:
        self._pending = b"".join([self._pending, *self._fresh])
        self._fresh.clear()
        self._fresh_bytes = 0

    def _advance(self) -> None:
        text = self._pending
        cut = _likely_cut(text)
        if cut > 0:
            for stack in self._seen:
                if self._proves(text[:cut], stack):
                    self._passed(cut, stack)
                    return
        plain = text.replace(rb"\\", rb"\_").replace(rb"\"", rb"\_") if b"\\" in text else text
        parts = plain.split(b'"')
        self._to_last_comma(text, parts)
        if not len(parts) % 2 and len(parts[-1]) > WINDOW // 2:
            self._elide(len(parts[-1]), parts[-1])

    def _to_last_comma(self, text: bytes, parts: list[bytes]) -> None:
        """Check up to the last comma outside of strings.

        `parts` is the text cut at its quotes: every other one is a string.
        """
        outside = b'"'.join(parts[::2])
        comma = outside.rfind(b",")
        if comma < 0:
            return
        behind = parts[2 * outside.count(b'"', 0, comma) :]
        cut = len(text) - len(b'"'.join(behind)) + behind[0].rfind(b",")
        stack = _open_after(self._stack, outside[:comma])
        if stack is None or not self._proves(text[:cut], stack):
            raise _invalid("not JSON")
        self._passed(cut, stack)

    def _elide(self, length: int, content: bytes) -> None:
        """Check what has arrived of a long string and drop it, except for its end, which may be half an escape."""
        kept = _ESCAPE_BYTES
        escape = content.rfind(b"\\", length - 2 * _ESCAPE_BYTES, length - kept)
        if escape >= 0:
            kept = length - escape
        start = len(self._pending) - length
        if not is_syntax(b'"%b"' % self._pending[start : len(self._pending) - kept]):
            raise _invalid("not JSON")
        self._pending = self._pending[:start] + self._pending[len(self._pending) - kept :]

    def _proves(self, text: bytes, stack: bytes) -> bool:
        return is_syntax(self._opening + text + stack[::-1].translate(_CLOSE))

    def _passed(self, cut: int, stack: bytes) -> None:
        self._pending = self._pending[cut:]
        if stack != self._stack:
            self._stack = stack
            self._opening = _opening(stack)
        if not self._seen or self._seen[0] != stack:
            self._seen = [stack, *[seen for seen in self._seen if seen != stack]][:_ATTEMPTS]


def _likely_cut(text: bytes) -> int:
    """Return the position of a comma that seems to end an element."""
    half = len(text) // 2
    for ending in (b"},", b"],", b'",'):
        at = text.rfind(ending, half)
        if at >= 0:
            return at + 1
    return text.rfind(b",", half)


def _open_after(stack: bytes, outside: bytes) -> bytes | None:
    """Return the brackets open after `outside` (no strings), if `stack` was open before; None if they do not match."""
    brackets = stack + outside.translate(None, _NO_BRACKETS)
    for _ in range(_MOST_PASSES):
        paired = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if len(paired) == len(brackets):
            break
        brackets = paired
    else:
        brackets = _unpaired(brackets)
    return None if not brackets or len(brackets) > _DEEPEST or b"]" in brackets or b"}" in brackets else brackets


def _unpaired(brackets: bytes) -> bytes:
    """Return the brackets that remain once all pairs are removed, or b"]" when they do not match.

    Works run by run, because the text nests deeply when this is called and its runs are long.
    """
    unpaired: list[bytes] = []
    for run in _RUN.findall(brackets):
        if run[:1] in b"[{":
            unpaired.append(run)
            continue
        opener = b"[" if run[:1] == b"]" else b"{"
        missing = len(run)
        while missing:
            if not unpaired or unpaired[-1][:1] != opener:
                return b"]"
            open_here = len(unpaired[-1])
            if open_here > missing:
                unpaired[-1] = unpaired[-1][missing:]
            else:
                unpaired.pop()
            missing -= min(missing, open_here)
    return b"".join(unpaired)


def _opening(stack: bytes) -> bytes:
    """Return a text after which `stack` is open, and a value just ended."""
    names = stack.replace(b"{", b'{"":')
    return names + b"0"


def _invalid(cause: str) -> GatewayError:
    return GatewayError(UPSTREAM_BODY_INVALID, cause=cause)
