"""Finds the secrets that a request shows of itself in texts, and masks them: whatever it calls them, wherever they are.

Law: time linear in the text. What cannot be searched in that way is not shown.
"""

import re
from collections.abc import Iterable

from gateway.kernel.http.key_scrubbing import SHORTEST_SECRET
from gateway.kernel.http.percent_encoding import spellings
from gateway.kernel.key_format import without_keys

LONGEST_BYTES = 4096
"""Bytes of the longest secret that is searched for."""
MOST = 16
"""Secrets of one request that are searched for."""
_WORD = re.compile(r"""[^\s"'`,;:()<>\[\]{}]+""")
_JSON_ESCAPE = re.compile(rb"\\u00([2-7][0-9a-f])")


class KnownSecrets:
    """Secrets in `values`, which are those of fields that hold credentials: `Bearer abc` holds `abc`.

    `is_complete` is False when there are too many, or too long ones, to search for.
    """

    def __init__(self, values: Iterable[str]) -> None:
        found = {
            word.lower().encode("utf-8", "surrogateescape")
            for value in values
            for text in (value, *_WORD.findall(value))
            if len(word := text.strip()) >= SHORTEST_SECRET
        }
        self.is_complete = len(found) <= MOST and all(len(each) <= LONGEST_BYTES for each in found)
        self._known = sorted(found, key=len, reverse=True) if self.is_complete else []
        self._encoded = [each.replace(b"+", b" ") for each in self._known]

    def mask(self, text: bytes) -> str | None:
        """Return `text` as text, with `*` for each byte of a secret; None if one is there in another spelling.

        The start of a secret at the end of `text` is masked, too.
        """
        for secret in self._known:
            text = _masked(text, secret)
        folded = text.lower()
        if b"\\u00" in folded:
            unescaped = _JSON_ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), folded)
            if any(secret in unescaped for secret in self._known):
                return None
        if any(each.lower().find(secret) >= 0 for each in spellings(text) for secret in self._encoded):
            return None
        return without_keys(text.decode("utf-8", "replace"))


def _masked(text: bytes, secret: bytes) -> bytes:
    folded = text.lower()
    pieces = folded.split(secret)
    masked, at = bytearray(text), 0
    for piece in pieces[:-1]:
        at += len(piece)
        masked[at : at + len(secret)] = b"*" * len(secret)
        at += len(secret)
    begun = folded.find(secret[:SHORTEST_SECRET], max(at, len(text) - len(secret) + 1))
    if begun >= 0:
        masked[begun:] = b"*" * (len(text) - begun)
    return bytes(masked)
