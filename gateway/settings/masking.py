"""Source lines that are safe to show.

Law: a line is shown with `***` in place of every value that is not plainly harmless: what stands under a key that the
schema does not know at that place, or knows as a secret; what continues a value of a line above; what looks like a
secret (`secret_patterns`); the user part and the query of a URL; comments. When in doubt the value is masked: the place
of a problem is known without it.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from gateway.settings.disclosure import ROOT, is_plain_key, opens
from gateway.settings.secret_patterns import MASK, looks_secret
from gateway.settings.shown_line import ShownLine, Within, end_of_quoted

_LONGEST = 160
_LINES_ABOVE = 2_000
"""Lines above in which the keys that a line stands under are looked for."""
_QUOTE_BACK = 200
"""Lines above in which a quote is looked for that is still open."""


def masked(lines: Sequence[str], line: int, column: int) -> tuple[str, int]:
    """Return the line to show, and where the column is in it now.

    Both count from 1; ("", column) where there is nothing to show.
    """
    if not 1 <= line <= len(lines) or not lines[line - 1].strip():
        return "", column
    text = lines[line - 1].rstrip()
    if _is_quoted(lines, line - 1):
        indent = _start(text)[0]
        return text[:indent] + MASK, min(column, indent + 1)
    pieces = _pieces(text, _within(lines, line - 1))
    if not pieces:
        return "", column
    shown = "".join(piece for _, piece in pieces).rstrip()
    before = min(_moved(pieces, len(text), max(column - 1, 0)), len(shown))
    if len(shown) > _LONGEST:
        start = max(0, before - _LONGEST // 2)
        shown, before = (
            ("…" if start else "") + shown[start : start + _LONGEST] + "…",
            before - start + (1 if start else 0),
        )
    return shown, before + 1


@lru_cache(maxsize=64)
def _pieces(text: str, within: Within) -> list[tuple[int, str]]:
    """Return the pieces of a line. They are remembered, because a file may be one line with a thousand problems."""
    scanned = ShownLine(text, within)
    pieces = list(scanned.pieces())
    if scanned.doubtful:  # what looks like the host of a URL may be the beginning of a password
        return [(start, MASK if "://" in piece else piece) for start, piece in pieces]
    return pieces


@lru_cache(maxsize=256)
def _below(text: str, within: Within) -> tuple[Within, bool]:
    """Return the context below the line `text`, and whether a bracket is open at its end.

    It is remembered, because many problems are below the same lines.
    """
    line = ShownLine(text, within)
    for _ in line.pieces():
        pass
    return line.below(), line.is_open


def _moved(pieces: list[tuple[int, str]], length: int, column: int) -> int:
    """Return where in the shown line the character at `column` (from 0) stands, or what masks it."""
    at = 0
    for (start, piece), end in zip(pieces, [*(start for start, _ in pieces[1:]), length], strict=True):
        if column < end:
            into = column - start
            return at + (min(into, piece.find(MASK)) if MASK in piece else into)
        at += len(piece)
    return at


def _within(lines: Sequence[str], index: int) -> Within:
    """Return the context of the line, from the lines above that are less indented."""
    limit, in_list = _start(lines[index])
    first = max(0, index - _LINES_ABOVE)
    before = index - 1
    while before >= first and not lines[before].strip():
        before -= 1
    around = [index]
    for above in range(before, first - 1, -1):
        if limit == 0 and not in_list:
            break
        content = lines[above].lstrip()
        if not content or content[0] == "#":
            continue
        indent, dash = _start(lines[above])
        if indent < limit or (indent == limit and in_list and not dash):
            around.append(above)
            limit, in_list = indent, dash
    within = Within(ROOT) if limit == 0 else Within(None, seal="all" if first > 0 else "")
    for above, inner in pairwise(reversed(around)):
        below, is_open = _below(lines[above].rstrip(), within)
        # Behind a dash stands the first key of an entry, beside those below it.
        beside = _start(lines[above])[1] and _content(lines[above]) == _content(lines[inner]) and not is_open
        within = within._replace(bare="secret") if beside else below
    follows = around[1:2] == [before]
    return within if follows or within.in_list or _start(lines[index])[1] else within._replace(bare="secret")


def _is_quoted(lines: Sequence[str], index: int) -> bool:
    """Return whether a quote is open where the line begins."""
    quote = ""
    for line in lines[max(0, index - _QUOTE_BACK) : index]:
        at = end_of_quoted(line, -1, quote) if quote else 0
        if at < 0:
            continue
        quote = ""
        # Most lines close what they open, and can be passed over quickly.
        if at or "\\" in line or line.count('"') % 2 or line.count("'") % 2:
            rest = ShownLine(line[at:].rstrip(), Within(None))
            for _ in rest.pieces():
                pass
            quote = rest.open_quote
    return quote != ""


def _start(line: str) -> tuple[int, bool]:
    """Return the indentation of a line, and whether it begins with the dash of a list."""
    content = line.lstrip()
    return len(line) - len(content), content.startswith(("- ", "-\t"))


def _content(line: str) -> int:
    """Return where the content of a line begins, behind the dash of a list."""
    indent, dash = _start(line)
    return indent + 1 + _start(line[indent + 1 :])[0] if dash else indent


def shown_path(loc: Sequence[str | int], line: str) -> tuple[str | int, ...]:
    """Return the path to a value as it may be shown.

    What is no plain name, is below a secret, or is not followed by a colon in `line` may be part of a secret.
    """
    shown: list[str | int] = []
    sealed = False
    for step in loc:
        shown.append(
            step if isinstance(step, int) or (not sealed and is_plain_key(step) and _is_named(step, line)) else MASK
        )
        sealed = sealed or (isinstance(step, str) and not opens(step) and step != "set") or (shown[-2:-1] == ["set"])
    return tuple(shown)


def _is_named(step: str, line: str) -> bool:
    """Return whether `step` is a key where `line` has it: known to the schema, or with a colon behind it."""
    return step not in line or opens(step) or re.search(re.escape(step) + r"""["']? {0,9}:""", line) is not None


def shown_text(text: str, values: Sequence[str]) -> str:
    """Return a sentence about `values` as it may be shown: it does not repeat one that looks like a secret."""
    for value in values:
        if value and looks_secret(value):
            text = text.replace(value, "…")
    return text
