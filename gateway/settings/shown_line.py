"""Splits a line of a configuration into what is shown of it.

Works on text, not on parsed YAML, because the lines that most need showing are those that cannot be parsed.
"""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias

from gateway.settings.disclosure import ValueKind, is_plain_key, kind_of, opens
from gateway.settings.secret_patterns import MASK, holds_key, is_server, looks_secret, shown_url

_REFERENCE = re.compile(r"\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::(?:\?[^}]*|-(.*)))?|file:[^}]*)\}")
_BLOCK = re.compile(r"[|>][+-]?[0-9]?[+-]?(?=\s*(?:#|$))")
_NAME = re.compile(r"[A-Za-z0-9_-]{0,40}")
_CLOSES = {"[": "]", "{": "}"}

Seal: TypeAlias = Literal["", "values", "all"]
"""What is hidden below a key: nothing, values (below `set`, whose keys are field names), or keys too."""


class Within(NamedTuple):
    """The context of a line: the name of its mapping (None if unknown), and the kind of a value alone in it."""

    parent: str | None
    bare: ValueKind = "secret"
    seal: Seal = ""
    in_list: bool = False


def end_of_quoted(text: str, start: int, quote: str) -> int:
    """Return the position behind the quote that closes the one at `start`; -1 if there is none."""
    at = start + 1
    while at < len(text):
        if text[at] == "\\" and quote == '"':
            at += 1
        elif text[at] == quote:
            if quote == '"' or text[at + 1 : at + 2] != "'":
                return at + 1
            at += 1
        at += 1
    return -1


class _Open(NamedTuple):
    """The state of a line before a bracket."""

    bracket: str
    key: str | None
    kind: ValueKind
    parent: str | None
    seal: Seal


class ShownLine:
    """Looks at each character a bounded number of times."""

    def __init__(self, text: str, within: Within) -> None:
        self._text = text
        self._parent, self._kind, self._seal = within.parent, within.bare, within.seal
        self._key: str | None = None
        self._open: list[_Open] = []
        self._after_key = False
        self._waits = False
        self.doubtful = False
        """Whether what looks like the host of a URL may be the beginning of a password."""
        self.open_quote = ""
        """The quote that the line does not close."""

    @property
    def is_open(self) -> bool:
        """Whether a bracket is open at its end."""
        return bool(self._open)

    def below(self) -> Within:
        """Return the context of a line below this one and further to the right.

        To be asked when all pieces have been taken.
        """
        if self._open and self._open[-1].bracket == "[":
            seal = self._seal if self._key is None else self._sealed_by(self._key)
            return Within(self._parent if self._key is None else self._key, self._kind, seal, in_list=True)
        if self._open:
            return Within(self._parent, self._kind if self._waits else "secret", self._seal)
        if self._key is None:
            return Within(self._parent, "secret", self._seal)
        seal = self._sealed_by(self._key)
        return Within(self._key, self._kind, seal) if self._waits else Within(self._parent, "secret", seal)

    def _sealed_by(self, key: str) -> Seal:
        if opens(key, self._parent) or self._seal == "all":
            return self._seal
        return "values" if key == "set" and not self._seal else "all"

    def pieces(self) -> Iterator[tuple[int, str]]:
        """Yield where each piece begins, and what is shown for it. A comment at the end is left out."""
        at, text = 0, self._text
        while at < len(text):
            char = text[at]
            if char.isspace():
                end = at + 1
                yield at, char
            elif char == "#" and (at == 0 or text[at - 1].isspace()):
                return
            elif char in "-?:" and text[at + 1 : at + 2].strip() == "":
                end = at + 1
                yield at, char
            elif char in "[{" or (self._open and char in (",", ":", _CLOSES[self._open[-1][0]])):
                end = at + 1
                yield at, char
                self._punctuate(char)
            elif char in "&*!":  # an anchor, an alias, a tag: or a secret that somebody did not put into quotes
                end = next(
                    (
                        position
                        for position in range(at, len(text))
                        if text[position].isspace() or text[position] in "[]{},"
                    ),
                    len(text),
                )
                yield at, char + MASK
                if not _NAME.fullmatch(text, at + 1, end):
                    return
                self._waits = self._waits and char != "*"
            elif block := _BLOCK.match(text, at):
                end = block.end()
                yield at, block[0]
            else:
                end, shown, whole = self._scalar(at)
                yield at, shown
                if not whole:
                    self.doubtful = self.doubtful or end < len(text)
                    return
            at = end

    def _punctuate(self, char: str) -> None:
        self._after_key = False
        if char in "[{":
            self._open.append(_Open(char, self._key, self._kind, self._parent, self._seal))
            if char == "{":
                if self._key is not None:
                    self._seal = self._sealed_by(self._key)
                    self._parent = self._key
                self._key, self._kind = None, "secret"
            self._waits = False
        elif char in "]}":
            _, self._key, self._kind, self._parent, self._seal = self._open.pop()
            self._waits = False
        elif char == "," and self._open[-1].bracket == "{":
            self._key, self._kind, self._waits = None, "secret", False

    def _scalar(self, start: int) -> tuple[int, str, bool]:
        """Return where a scalar ends, what is shown, and whether the rest of the line can be understood after it."""
        text = self._text
        quote = text[start] if text[start] in "\"'" else ""
        end = end_of_quoted(text, start, quote) if quote else self._end_of_plain(start)
        if end <= start:  # a quote that is never closed, or a bracket that closes another one
            self.open_quote, self._waits = quote, False
            return len(text), MASK, False
        written = text[start:end]
        value = written[1:-1] if quote else written
        after = text[end:].lstrip()
        if after.startswith(":") and (quote or after[1:2].strip() == "" or (self._open and after[1:2] in "[]{},\"'")):
            plain = is_plain_key(value) and not self._after_key and (not self._open or self._open[-1].bracket == "{")
            self._key, self._after_key, self._waits = value, True, True
            self._kind = kind_of(value, self._parent)
            return end, written if plain and self._seal != "all" else MASK, plain
        self._waits = False
        shown = self._shown(value)
        # Something else where a value ends: the line is not what it seems, and the value may go on.
        whole = after[:1] in ("", "#") or (bool(self._open) and after[0] in (",", _CLOSES[self._open[-1].bracket]))
        if shown is None or not whole:
            self.doubtful = self.doubtful or (self._key is None and bool(self._open))
            return (
                end,
                self._without_blank(value) if self._key is None and not quote else MASK,
                whole and not ("://" in value and not quote),
            )
        return end, quote + shown + quote, quote != "" or shown == value

    def _without_blank(self, value: str) -> str:
        """Return a value that stands alone. The name of a key before its colon is shown."""
        name, colon, _ = value.partition(":")
        return f"{name}:{MASK}" if colon and kind_of(name, self._parent) != "secret" and not self._seal else MASK

    def _shown(self, value: str) -> str | None:
        """Return a value as it is shown under the key at hand; None masks it."""
        reference = _REFERENCE.fullmatch(value)
        if reference and reference[2] is None:
            return value
        if self._seal or self._kind not in ("plain", "url"):
            return None
        if reference:
            default = self._shown(reference[2])
            return None if default is None else value[: reference.start(2)] + default + "}"
        if "://" in value and not holds_key(value):
            return shown_url(value)
        if self._kind == "url" and not is_server(value):
            return None
        return None if looks_secret(value) or ("?" in value and "=" in value) else value

    def _end_of_plain(self, start: int) -> int:
        text, at = self._text, start
        while at < len(text) and not self._ends_plain(at):
            reference = text[at : at + 2] == "${" and text.find("}", at)
            at = reference + 1 if reference and reference > 0 else at + 1
        return start + len(text[start:at].rstrip())

    def _ends_plain(self, at: int) -> bool:
        char, after = self._text[at], self._text[at + 1 : at + 2]
        if self._open and (char in "[]{}," or (char == ":" and after in ("[", "]", "{", "}", ","))):
            return True
        return (char == ":" and after.strip() == "") or (char == "#" and self._text[at - 1].isspace())
