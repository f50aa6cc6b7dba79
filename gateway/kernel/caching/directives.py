"""Cache-Control (RFC 9111 5.2), of requests and of replies.

Law: what cannot be read counts as the stricter reading. A lifetime that is no number is 0 seconds, of two values the
shorter one counts, and a field that is too long to be looked at forbids to store.
"""

import re

_DIRECTIVE = re.compile(r'([^\s,="]++)(?:=(?:"([^"]*+)"|([^\s,"]*+)))?+')
_LONGEST = 2048
"""Characters of a field that are looked at."""
_LONGEST_S = 2**31
"""RFC 9111 1.2.2: what is larger counts as this."""


class Directives(dict[str, str]):
    """Directives by their names in lower case. One without a value has the value ""."""

    __slots__ = ()

    @classmethod
    def of(cls, value: str) -> "Directives":
        """Read the value of a Cache-Control field, or of several that were joined with commas."""
        if len(value) > _LONGEST:
            return cls({"no-store": ""})
        found = cls()
        for match in _DIRECTIVE.finditer(value):
            name, text = match[1].lower(), match[2] or match[3] or ""
            if name not in found or _seconds(text) < _seconds(found[name]):
                found[name] = text
        return found

    def seconds(self, name: str) -> int | None:
        """Return the value of a directive such as max-age; None when it is not there."""
        text = self.get(name)
        return None if text is None else _seconds(text)


def _seconds(text: str) -> int:
    """Return a number of seconds, 0 for what is none (RFC 9111 4.2.1: it is stale then)."""
    if not text.isdecimal() or not text.isascii():
        return 0
    return _LONGEST_S if len(text) > len(str(_LONGEST_S)) else min(int(text), _LONGEST_S)
