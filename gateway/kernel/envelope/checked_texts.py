"""Remembers large JSON texts that were checked: one that comes again is compared, and not read again.

To compare a text costs a tenth of reading it. Services send many large replies more than once: catalogues, lists,
settings.

Laws:
 - A text is known only if all of its bytes are those of one that was checked.
 - What is remembered has a bound in bytes, and all but large texts cost nothing more than before.
"""

from collections.abc import Callable
from typing import TypeAlias

from gateway.kernel.envelope.adopt import probe
from gateway.kernel.envelope.raw_json import is_json

_Check: TypeAlias = Callable[[bytes], bool | None]
_Name: TypeAlias = tuple[int, _Check]
"""The length of a text, and what has checked it: JSON that may be an envelope is not known to be none."""

LARGE_BYTES = 64 * 1024
"""Shorter texts are checked each time."""
MOST_BYTES = 8 * 1024 * 1024
"""The bytes of all that are remembered. A longer text never is."""


class CheckedTexts:
    """Does what `probe` and `is_json` do, and remembers the last large text of each length that may be wrapped."""

    __slots__ = ("_bytes", "_texts")

    def __init__(self) -> None:
        self._texts: dict[_Name, bytes] = {}
        self._bytes = 0

    def probe(self, text: bytes) -> bool | None:
        """Return whether `text`, a JSON object, is an envelope; None when it is not JSON."""
        return self._checked(text, probe, usual=False)

    def is_json(self, text: bytes) -> bool:
        """Return whether `text` is one JSON value. White space around it is allowed."""
        return self._checked(text, is_json, usual=True) is True

    def _checked(self, text: bytes, check: _Check, *, usual: bool) -> bool | None:
        """Return what `check` says. It is not asked again about a text of which it has said what is `usual`."""
        if not LARGE_BYTES < len(text) <= MOST_BYTES:
            return check(text)
        name = len(text), check
        if self._texts.get(name) == text:
            return usual
        found = check(text)
        if found is usual:
            self._keep(name, text)
        return found

    def _keep(self, name: _Name, text: bytes) -> None:
        """Remember `text` in place of those that have been remembered for longest."""
        texts = self._texts
        if texts.pop(name, None) is not None:
            self._bytes -= len(text)
        while self._bytes + len(text) > MOST_BYTES:
            oldest = next(iter(texts))
            del texts[oldest]
            self._bytes -= oldest[0]
        texts[name] = text
        self._bytes += len(text)
