"""Source lines that are safe to show.

Law: a line is shown with `***` in place of every value that is not plainly harmless: what stands under a key that the
schema does not know, or knows as a secret; what looks like a secret (`secret_shapes`); the user part and the query of a
URL; comments. When in doubt the value is masked: the place of a problem is known without it.

Works on text, not on parsed YAML, because the lines that most need showing are those that cannot be parsed.
"""

import re
from collections.abc import Iterator, Sequence

from gateway.settings.disclosure import is_plain_key, may_be_shown, opens
from gateway.settings.secret_patterns import MASK, holds_key, looks_secret, shown_url

_LONGEST = 160
_LINES_ABOVE = 200
"""Lines above in which the keys that a line stands under are looked for."""

_REFERENCE = re.compile(r"\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::(?:\?[^}]*|-(.*)))?|file:[^}]*)\}")
_BLOCK = re.compile(r"[|>][+-]?[0-9]?[+-]?(?=\s*(?:#|$))")
_CLOSES = {"[": "]", "{": "}"}


def masked(lines: Sequence[str], line: int, column: int) -> tuple[str, int]:
    """The line to show, and where the column is in it now. Both count from 1; ("", column) where there is nothing to show."""
    if not 1 <= line <= len(lines) or not lines[line - 1].strip():
        return "", column
    text = lines[line - 1].rstrip()
    scanned = _Line(text, *_above(lines, line - 1))
    pieces = list(scanned.pieces())
    if not pieces:
        return "", column
    if scanned.doubtful:  # what looks like the host of a URL may be the beginning of a password
        pieces = [(start, MASK if "://" in piece else piece) for start, piece in pieces]
    shown = "".join(piece for _, piece in pieces).rstrip()
    before = min(_moved(pieces, len(text), max(column - 1, 0)), len(shown))
    if len(shown) > _LONGEST:
        start = max(0, before - _LONGEST // 2)
        shown, before = ("…" if start else "") + shown[start : start + _LONGEST] + "…", before - start + (1 if start else 0)
    return shown, before + 1


def _moved(pieces: list[tuple[int, str]], length: int, column: int) -> int:
    """Where in the line that is shown the character at `column` (from 0) stands, or what masks it."""
    at = 0
    for (start, piece), end in zip(pieces, [*(start for start, _ in pieces[1:]), length], strict=True):
        if column < end:
            into = column - start
            return at + (min(into, piece.find(MASK)) if MASK in piece else into)
        at += len(piece)
    return at


def _above(lines: Sequence[str], index: int) -> tuple[str | None, bool]:
    """The key that a value at the beginning of the line would belong to, and whether some key above hides all below it."""
    text = lines[index]
    limit, in_list = _indent(text), text.lstrip().startswith("- ")
    governing: str | None = None
    sealed = False
    for above in range(index - 1, max(-1, index - 1 - _LINES_ABOVE), -1):
        line = lines[above].rstrip()
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        last = _last_key(line)
        if governing is None and above == _before(lines, index) and last is not None and line.endswith(":"):
            governing = last
        dash = line.lstrip().startswith(("- ", "-\t"))
        indent = _indent(line)
        if indent > limit or (indent == limit and (dash or not in_list)):
            continue
        content = indent + (len(line.lstrip()) - len(line.lstrip()[1:].lstrip()) if dash else 0)
        if content == limit and dash:  # its first key stands beside this line's
            limit, in_list = indent, True
            continue
        if last is not None:
            governing = governing or last
            sealed = sealed or not opens(last)
        limit, in_list = indent, dash
    return governing, sealed or (limit > 0 and index > _LINES_ABOVE)


def _before(lines: Sequence[str], index: int) -> int:
    return next((above for above in range(index - 1, -1, -1) if lines[above].strip()), -1)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _last_key(line: str) -> str | None:
    scanned = _Line(line, None, False)
    for _ in scanned.pieces():
        pass
    return scanned.last_key


class _Line:
    """One line, taken apart into what is shown of it. Looks at each character a bounded number of times."""

    def __init__(self, text: str, governing: str | None, sealed: bool) -> None:
        self._text = text
        self._key = governing
        self._sealed = sealed
        self._open: list[tuple[str, str | None, bool]] = []
        self._after_key = False
        self.last_key: str | None = None
        self.doubtful = False

    def pieces(self) -> Iterator[tuple[int, str]]:
        """Where each piece begins, and what is shown for it. A comment at the end is left out."""
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
                    (position for position in range(at, len(text)) if text[position].isspace() or text[position] in "[]{},"), len(text)
                )
                yield at, char + MASK
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
            self._open.append((char, self._key, self._sealed))
            if char == "{":
                self._sealed = self._sealed or (self._key is not None and not opens(self._key))
                self._key = None
        elif char in "]}":
            _, self._key, self._sealed = self._open.pop()
        elif char == "," and self._open[-1][0] == "{":
            self._key = None

    def _scalar(self, start: int) -> tuple[int, str, bool]:
        """Where it ends, what is shown, and whether the rest of the line can be understood after it."""
        text = self._text
        quote = text[start] if text[start] in "\"'" else ""
        end = self._end_of_quoted(start, quote) if quote else self._end_of_plain(start)
        if end <= start:  # a quote that is never closed, or a bracket that closes another one
            return len(text), MASK, False
        written = text[start:end]
        value = written[1:-1] if quote else written
        after = text[end:].lstrip()
        if after.startswith(":") and (quote or after[1:2].strip() == "" or (self._open and after[1:2] in "[]{},\"'")):
            plain = is_plain_key(value) and not self._after_key and (not self._open or self._open[-1][0] == "{")
            self._key, self._after_key = value, True
            self.last_key = value
            return end, written if plain else MASK, plain
        shown = self._shown(value)
        # Something else where a value ends: the line is not what it seems, and the value may go on.
        whole = after[:1] in ("", "#") or (bool(self._open) and after[0] in (",", _CLOSES[self._open[-1][0]]))
        if shown is None or not whole:
            self.doubtful = self.doubtful or (self._key is None and bool(self._open))
            return end, MASK, whole and not ("://" in value and not quote)
        return end, quote + shown + quote, quote != "" or shown == value

    def _shown(self, value: str) -> str | None:
        """A value as it is shown under the key at hand; None masks it."""
        reference = _REFERENCE.fullmatch(value)
        if reference and reference[2] is None:
            return value
        if self._sealed or not may_be_shown(self._key):
            return None
        if reference:
            default = self._shown(reference[2])
            return None if default is None else value[: reference.start(2)] + default + "}"
        if "://" in value and not holds_key(value):
            return shown_url(value)
        return None if looks_secret(value) or ("?" in value and "=" in value) else value

    def _end_of_quoted(self, start: int, quote: str) -> int:
        """Behind the closing quote; -1 when there is none."""
        text, at = self._text, start + 1
        while at < len(text):
            if text[at] == "\\" and quote == '"':
                at += 1
            elif text[at] == quote:
                if quote == '"' or text[at + 1 : at + 2] != "'":
                    return at + 1
                at += 1
            at += 1
        return -1

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


def shown_path(loc: Sequence[str | int], line: str) -> tuple[str | int, ...]:
    """The way to a value as it may be shown. What is no plain name, stands below a secret, or is followed by no colon in `line`,
    where the value stands, may be part of a secret."""
    shown: list[str | int] = []
    sealed = False
    for step in loc:
        shown.append(step if isinstance(step, int) or (not sealed and is_plain_key(step) and _is_named(step, line)) else MASK)
        sealed = sealed or (isinstance(step, str) and not opens(step) and step != "set") or (shown[-2:-1] == ["set"])
    return tuple(shown)


def _is_named(step: str, line: str) -> bool:
    """Whether `step` is a key where `line` has it: known to the schema, or with a colon behind it."""
    return step not in line or opens(step) or re.search(re.escape(step) + r"""["']? {0,9}:""", line) is not None


def shown_text(text: str, values: Sequence[str]) -> str:
    """A sentence about `values` as it may be shown: it does not repeat one that looks like a secret."""
    for value in values:
        if value and looks_secret(value):
            text = text.replace(value, "…")
    return text
