"""Remembers large JSON texts that were checked: one that comes again is compared with itself, and not read again.

To compare a text costs a tenth of reading it. Services send many large replies more than once: catalogues, lists,
settings.

Laws:
 - A text is known only if all of its bytes are those of one that was checked.
 - What is remembered has a bound in bytes, and all but large texts cost nothing more than before.
"""

from gateway.kernel.envelope.adopt import probe
from gateway.kernel.envelope.raw_json import is_json

LARGE_BYTES = 64 * 1024
"""Shorter texts are checked each time."""
MOST_BYTES = 8 * 1024 * 1024
"""The bytes of all that are remembered. A longer text never is."""


class CheckedTexts:
    """Does what `probe` and `is_json` do, and remembers the last large text of each length that may be wrapped."""

    __slots__ = ("_bytes", "_texts")

    def __init__(self) -> None:
        self._texts: dict[tuple[int, bool], bytes] = {}
        """By length, and by whether they are known to be no envelopes, too."""
        self._bytes = 0

    def probe(self, text: bytes) -> bool | None:
        """Return whether `text`, a JSON object, is an envelope; None when it is not JSON."""
        if len(text) <= LARGE_BYTES:
            return probe(text)
        name = len(text), True
        if self._texts.get(name) == text:
            return False
        is_envelope = probe(text)
        if is_envelope is False:
            self._keep(name, text)
        return is_envelope

    def is_json(self, text: bytes) -> bool:
        """Return whether `text` is one JSON value. White space around it is allowed."""
        if len(text) <= LARGE_BYTES:
            return is_json(text)
        name = len(text), False
        if self._texts.get(name) == text:
            return True
        found = is_json(text)
        if found:
            self._keep(name, text)
        return found

    def _keep(self, name: tuple[int, bool], text: bytes) -> None:
        """Remember `text` in place of those that have been remembered for longest, if it is not too long."""
        if len(text) > MOST_BYTES:
            return
        texts = self._texts
        if texts.pop(name, None) is not None:
            self._bytes -= len(text)
        while self._bytes + len(text) > MOST_BYTES:
            oldest = next(iter(texts))
            del texts[oldest]
            self._bytes -= oldest[0]
        texts[name] = text
        self._bytes += len(text)
