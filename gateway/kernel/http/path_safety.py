"""Request paths that can be read in one way only.

Backends decode, trim and merge paths each in their own fashion. A path is let through only if every such reading
leads to the same route, or to one that asks for no more: whatever a spelling reaches, the plain spelling reaches too.
Encoded bytes are never rewritten on the way; what is refused is refused whole. The only bytes that may be left out are
the second and later slashes of a row (`merged`).

This module refuses what no client needs: dot segments in any reading, control characters, overlong UTF-8, backslashes,
and paths that still change after four rounds of decoding. `table/path_readings.py` lists what is left to compare.
Everything here takes time linear in the length of the path.
"""

import re
from binascii import a2b_qp

_SUSPECT = ("%", ";", "//", "/.")
_VISIBLE = bytes(code for code in range(0x21, 0x7F) if code not in b"#?\\")
_NO_CONTROL = bytes(code for code in range(0x20, 0x100) if code != 0x7F)
_CLEAR = re.compile("(?:/[A-Za-z0-9_~!$&'()*+,:=@-][A-Za-z0-9_.~!$&'()*+,:=@-]*)+/?")
_NO_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SLASHES = re.compile("//+")
_PARAMETERS = re.compile(";[^/]*")
_DOT_SEGMENT = re.compile(r"/\.\.?(?=[/;?#\x00]|\Z)")
_UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
_OVERLONG = re.compile("[\xc0\xc1][\x80-\xbf]|\xe0[\x80-\x9f][\x80-\xbf]|\xf0[\x80-\x8f][\x80-\xbf]")
"""A dot or slash as UTF-8 must never spell it (RFC 3629 3), and as lax decoders read it all the same."""
DECODING_PASSES = 4
"""Rounds of decoding after which a path has to be plain.

Real paths need no more, and each could be what some service decodes to.
"""

_SAFE = _UNRESERVED + b"/!$&'()*+,=:@"
_ESCAPES = [b"%%%02X" % code for code in range(256)]
_FEW = 16
_RESERVED = bytes(code for code in range(0x21, 0x7F) if code not in _UNRESERVED + b"%#?\\")
"""Characters that may stand unescaped in a path, and differ from their escape."""
_MARKS = bytes(code for code in range(0x20) if code not in b"\0\t\n\r")[: len(_RESERVED)]
_ASIDE, _BACK = bytes.maketrans(_RESERVED + b"%", _MARKS + b"="), bytes.maketrans(_MARKS, _RESERVED)
"""Translations to marks and back, while escapes of quoted-printable are replaced. No path has control characters."""


def is_clear(path: str) -> bool:
    """Return whether `readings` finds nothing in `path` that could be read otherwise. False for some that are clear."""
    return _CLEAR.fullmatch(path) is not None


def readings(path: str) -> tuple[str, str] | None:
    """Return how `path` is matched, and how a lenient service would read it; None when it must be refused.

    The first has only unreserved characters decoded (RFC 3986 6.2.2.2), so that it names the same resource. The second
    is decoded once, with `;` parameters cut off and empty segments merged, and spelled like the first: where it leads
    to another route, whatever that asks for, a path is ambiguous. `path` has no two slashes in a row (`merged`).
    """
    if path[:1] != "/" or not path.isascii() or path.encode().translate(None, _VISIBLE):
        return None
    if not any(mark in path for mark in _SUSPECT):
        return path, path
    return _scrutinise(path)


def spelled(decoded_path: str | bytes) -> str:
    """Return a decoded path, or a segment of one, as the first of its `readings` has it."""
    raw = decoded_path.encode() if isinstance(decoded_path, str) else decoded_path
    return _escaped(raw, _SAFE).decode("ascii")


def merged(path: str) -> str:
    """Return `path` with one slash wherever there are several in a row."""
    return _SLASHES.sub("/", path) if "//" in path else path


def decoded(path: str) -> list[str]:
    """Return `path` and the results of repeated percent-decoding until nothing changes, bytes as Latin-1 characters.

    At most `ROUNDS` + 1 texts after the first: the last one then still changes.
    """
    texts = [path]
    while len(texts) <= DECODING_PASSES + 1:
        text = _decode(texts[-1])
        if text == texts[-1]:
            break
        texts.append(text)
    return texts


def _scrutinise(path: str) -> tuple[str, str] | None:
    if "//" in path or _NO_ESCAPE.search(path):
        return None
    texts = decoded(path)
    if len(texts) > DECODING_PASSES + 1 or any(_DOT_SEGMENT.search(text.replace("\\", "/")) for text in texts):
        return None
    if texts[-1].encode("latin-1").translate(None, _NO_CONTROL) or (
        not texts[-1].isascii() and _OVERLONG.search(texts[-1])
    ):
        return None
    passes = texts[min(1, len(texts) - 1)]
    trimmed = _PARAMETERS.sub("", passes) if ";" in passes else passes
    return _plain(path), spelled(merged(trimmed).encode("latin-1"))


def _decode(text: str) -> str:
    """Return `text` with every escape decoded once. What is no escape stays.

    Quoted-printable is percent-encoding with another sign, and has a decoder in C: twenty times as fast as one written
    here.
    """
    if "%" not in text:
        return text
    if _NO_ESCAPE.search(text):
        text = _NO_ESCAPE.sub("%25", text)
    return a2b_qp(text.replace("=", "%3D").replace("%", "=").encode("latin-1")).decode("latin-1")


def _plain(path: str) -> str:
    """Return `path` with unreserved characters decoded and other escapes in upper case. All escapes are valid."""
    raw = a2b_qp(path.encode("ascii").translate(_ASIDE))
    return _escaped(raw, _UNRESERVED + _MARKS).translate(_BACK).decode("ascii")


def _escaped(raw: bytes, safe: bytes) -> bytes:
    """Return `raw` with an escape for everything that is not `safe`.

    A few characters, however often, need no step in Python for each.
    """
    odd, found = raw.translate(None, safe), [b"%"]
    while odd and len(found) <= _FEW:
        found.append(odd[:1])
        odd = odd.replace(found[-1], b"")
    if odd:
        spelled = _ESCAPES.copy()
        for code in safe:
            spelled[code] = bytes((code,))
        return b"".join(map(spelled.__getitem__, raw))
    for each in dict.fromkeys(found):
        raw = raw.replace(each, _ESCAPES[each[0]])
    return raw
