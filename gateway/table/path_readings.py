"""Lists every reading of a path that some service may have, as segments without regard to case.

Law: for each combination of
    - rounds of percent-decoding, from none until nothing changes (`%uXXXX` too),
    - a decoded backslash as a slash or as data,
    - `;` parameters cut off or kept,
    - the path ended at a decoded `?`, `#` or NUL, or not,
    - empty segments merged or kept, or `//name` taken for an authority,
    - dots and spaces at the end of segments, and spaces before them, dropped or kept,
there is a reading that a service with these habits has. Letter case, and what Unicode has in more than one form
(compatibility forms such as full width, accents, invisible characters), is folded in all of them (`fold`), and so it is
in the routes that readings are compared with. The code that compares readings handles trailing slashes.

Both are bounded, so that a comparison costs no more than reading the request does: a path with more than
`MOST_READINGS`, or with several of more than `MOST_CHARACTERS` in all, is doubtful by itself. So is one with a dot
segment that only a folding or a trimming brings to light.
"""

import re
import unicodedata
from itertools import product
from typing import NamedTuple

from gateway.kernel.http.path_safety import DECODING_PASSES, decoded, merged

MOST_READINGS = 32
MOST_CHARACTERS = 2048

_CALM = re.compile(r"[a-z0-9/_~!$&'()*+,:=@.-]+")
_ESCAPE = re.compile(r"%([0-9a-f]{2})")
_WIDE_ESCAPE = re.compile(r"%[uU]([0-9A-Fa-f]{4})")
_END = re.compile(r"[?#\x00]")
_TRIMMABLE = re.compile(r"\.(?:[/\\;?#\x00]|\Z)|[ \ufffc]")
_DOT_SEGMENT = re.compile(r"[/\\] *\.\.? *(?:[/\\;?#\x00]|\Z)")
_PARAMETERS = re.compile(r";[^/]*")
_DROPPED = frozenset({"Mn", "Me", "Cf", "Cc", "Cs", "Zl", "Zp"})
_IDNA_DOTS = str.maketrans("。｡", "..")
_LATIN_1 = {0xDC00 + code: code for code in range(0x80, 0x100)}
"""Bytes that are no UTF-8 among some that are: each by itself, as `surrogateescape` has it."""
_HIDDEN = "\ufffc"
_TRIMMED, _TRIMMED_END = f" {_HIDDEN}", f" .{_HIDDEN}"

Segments = tuple[str, ...]


def is_calm(path: str) -> bool:
    """Return whether `path` has one reading only, a slash at its end apart."""
    return (
        _CALM.fullmatch(path) is not None
        and "//" not in path
        and "/." not in path
        and "./" not in path
        and (path[-1] not in "/." or path == "/")
    )


def fold(text: str) -> str:
    """Return `text` without the differences between texts that some services treat as equal."""
    if text.isascii():
        return text.lower()
    spread = unicodedata.normalize("NFKD", text.translate(_IDNA_DOTS))
    spread = unicodedata.normalize("NFKD", spread.upper().casefold())
    return "".join([char for char in spread if char == "\x00" or unicodedata.category(char) not in _DROPPED])


class _Choices(NamedTuple):
    """The changes that a reading makes to a text, each only if the text has something of the kind."""

    ends: bool
    slashes: bool
    parameters: bool
    merges: bool
    trims: bool


_ALL = _Choices(ends=True, slashes=True, parameters=True, merges=True, trims=True)


def every_reading(path: str) -> list[Segments] | None:
    """Return the readings of `path`, without doubles; None when there are too many. The first slash is left out."""
    if "%" in path and len(path) > MOST_CHARACTERS:
        return None
    found: dict[Segments, None] = {}
    total = 0
    for text in _texts(path):
        if "." in text and _DOT_SEGMENT.search(text):
            return None
        choices = [(False, True) if present else (False,) for present in _features(text)]
        for chosen in product(*choices):
            total += len(text)
            if len(found) == MOST_READINGS or (found and total > MOST_CHARACTERS):
                return None
            found[_read(text, _Choices(*chosen))] = None
        if (slashed := text.replace("\\", "/")).startswith("//"):
            found[_read("/" + slashed.lstrip("/").partition("/")[2], _ALL)] = None
    return list(found)


def _texts(path: str) -> list[str]:
    """Return the results of repeated decoding of `path`, folded. What a folding reveals is decoded in turn."""
    texts: dict[str, None] = {}
    for raw in decoded(path):
        for text in (raw,) if raw.isascii() else _characters(raw):
            wide = _WIDE_ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), text) if "%" in text else text
            for each in (text,) if wide == text else (text, wide):
                folded = _fold_segments(each)
                texts[folded] = None
                if "%" in folded and not each.isascii():
                    texts[_decoded_whole(folded)] = None
                if folded.count("/") != each.count("/"):
                    texts["".join([char if char == "/" else fold(char).replace("/", "\\") for char in each])] = None
    return list(texts)


def _decoded_whole(folded: str) -> str:
    """Return `folded` without the escapes that a percent sign of full width has begun."""
    for _ in range(DECODING_PASSES):
        folded = fold(_ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), folded))
    return folded


def _characters(raw: str) -> list[str]:
    """Return the meanings of bytes: UTF-8, where each byte that is none is Latin-1 or left out."""
    encoded = raw.encode("latin-1")
    lenient = encoded.decode("utf-8", "surrogateescape")
    return list(dict.fromkeys((lenient.translate(_LATIN_1), encoded.decode("utf-8", "ignore"))))


def _fold_segments(text: str) -> str:
    """Return `text` folded. A segment of which nothing is left is marked: it is not empty for everybody."""
    folded = fold(text)
    if len(folded) >= len(text):
        return folded
    return "/".join([fold(segment) or (segment and _HIDDEN) for segment in text.split("/")])


def _features(text: str) -> _Choices:
    """Return which of the choices make a difference for `text`."""
    slashed = text.replace("\\", "/")
    trims = ("." in text or " " in text or _HIDDEN in text) and _TRIMMABLE.search(text) is not None
    ends = "?" in text or "#" in text or "\x00" in text
    return _Choices(ends, "\\" in text, ";" in text, "//" in slashed or "/;" in slashed or trims, trims)


def _read(text: str, choices: _Choices) -> Segments:
    if choices.ends:
        text = _END.split(text, maxsplit=1)[0]
    if choices.slashes:
        text = text.replace("\\", "/")
    if choices.parameters:
        text = _PARAMETERS.sub("", text)
    if choices.trims:
        text = "/".join([segment.lstrip(_TRIMMED).rstrip(_TRIMMED_END) for segment in text.split("/")])
    return tuple((merged(text) if choices.merges else text)[1:].split("/"))
