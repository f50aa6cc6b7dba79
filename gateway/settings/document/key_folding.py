"""Reading a long list of keys once for all of those that differ in id and digest only.

A parser takes some 60 microseconds for a key, which is seconds for a hundred thousand. So of entries that are the same
text but for those two values, the first one stays in the text and the others become blank lines: what is left has every
line where it was, and is read, checked and explained like any other text. Nothing is taken for granted: unless the
entries that stayed turn out to have the id and the digest that were seen in them, the whole text is read after all. So
it is when anything is wrong with what was left, for then there may be more.
"""

import re
from array import array
from collections.abc import Sequence
from typing import NamedTuple

from gateway.settings.schema.key_list import KeyList, Likeness, Rows

WORTH_ENTRIES = 500
"""A section with fewer entries is read as it is."""

_BEGIN = re.compile(r"^keys:[ ]*(?:#[^\n]*)?\n", re.MULTILINE)
_END = re.compile(r"\n(?=[^ \-#\n])")
_FIRST = re.compile(r"^( *)- ", re.MULTILINE)
_ENTRY = re.compile(
    r"""(.*?\bid:[ ]+["']?)  ([A-Za-z][A-Za-z0-9._@-]{0,127})
        (["']?[,\s].*?\bsecret_sha256:[ ]+["']?)  (?![0-9]+(?:e[0-9]+)?\b)([0-9a-f]{64})  (?![0-9a-f])(.*)""",
    re.DOTALL | re.VERBOSE,
)
"""An id and a digest that YAML reads as the same text, whatever stands around them.

`1e9` is a number, and so may a digest be.
"""
_WORDS = frozenset({"true", "false", "null"})
"""Words that look like ids and have another meaning in YAML."""


class Alike(NamedTuple):
    """Keys that were left out of a text.

    `rows` are like those of `first` (digest and id of entries that stayed) whose numbers they say.

    `distinct`: no two of them all have the same id or digest.
    """

    first: list[tuple[str, str]]
    rows: Rows
    distinct: bool


def thin(text: str, groups: list[Alike], worth: int = WORTH_ENTRIES) -> str:
    """Return `text` without the entries of `keys` that are like an earlier one, which are added to `groups`.

    It is `text` itself when there are not so many that it is `worth` it.
    """
    begin = _BEGIN.search(text)
    if begin is None:
        return text
    end = _END.search(text, begin.end() - 1)
    stop = end.start() if end else len(text) - text.endswith("\n")
    section = text[begin.end() : stop]
    first = _FIRST.search(section)
    # An anchor in an entry may be wanted by another one.
    if first is None or "&" in section or not section.isascii() or "\r" in section:
        return text
    mark = f"\n{first[1]}- "
    preamble, *entries = f"\n{section}".split(mark)
    if len(entries) < worth:
        return text
    numbers: dict[tuple[str, str, str], int] = {}
    stayed: list[tuple[str, str]] = []
    digests: list[str] = []
    ids: list[str] = []
    alike = array("I")
    kept, left_out = [preamble], 0
    for entry in entries:
        parts = _ENTRY.fullmatch(entry)
        if parts is not None:
            before, name, between, digest, after = parts.groups()
            number = numbers.setdefault((before, between, after), len(stayed))
            if number < len(stayed):
                digests.append(digest)
                ids.append(name)
                alike.append(number)
                left_out += 1 + entry.count("\n")
                continue
            stayed.append((digest, name))
        kept += ("\n" * left_out, mark, entry)
        left_out = 0
    names = {*ids, *(name for _, name in stayed)}
    if not _WORDS.isdisjoint(map(str.lower, names)):
        return text
    distinct = len(names) == len({*digests, *(digest for digest, _ in stayed)}) == len(ids) + len(stayed)
    groups.append(Alike(stayed, Rows(digests, ids, alike), distinct))
    return text[: begin.end()] + "".join([*kept, "\n" * left_out])[1:] + text[stop:]


def with_alike(keys: KeyList, groups: Sequence[Alike]) -> KeyList | None:
    """Return `keys` and all that are like one of them; None if that is not certain, or if two of them collide."""
    known = {(key.secret_sha256, key.id): key for key in keys}
    if not all(first in known for group in groups for first in group.first):
        return None
    if any(
        known[group.first[number]].certificate_subject is not None
        for group in groups
        for number in set(group.rows.numbers)
    ):
        return None
    if not all(group.distinct for group in groups) or (
        len(known) > len(groups[0].first) and not _distinct(keys, groups)
    ):
        return None
    return KeyList(keys, [Likeness([known[first] for first in group.first], group.rows) for group in groups])


def _distinct(keys: KeyList, groups: Sequence[Alike]) -> bool:
    """Return whether no two of them all have the same id or digest."""
    ids = {key.id for key in keys}
    digests = {bytes.fromhex(key.secret_sha256) for key in keys if key.secret_sha256 is not None}
    most = (len(ids), len(digests))
    for _, rows, _ in groups:
        ids.update(map(rows.id, range(len(rows))))
        digests.update(map(rows.digest, range(len(rows))))
    left_out = sum(len(rows) for _, rows, _ in groups)
    return (len(ids), len(digests)) == (most[0] + left_out, most[1] + left_out)
