"""Request paths that can be read in one way only.

Backends decode, trim and merge paths each in their own fashion. A path is let through only if every such reading
leads to the same route: whatever a spelling reaches, the plain spelling reaches too. Encoded bytes are never
rewritten on the way; what is refused is refused whole.
"""

import re

_SUSPECT = re.compile(r"[%;]|//|/\.")
_UNSAFE = re.compile(r"[^!-~]|[#?\\]")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})?")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_OVERLONG = re.compile("[\xc0\xc1][\x80-\xbf]|\xe0[\x80-\x9f][\x80-\xbf]|\xf0[\x80-\x8f][\x80-\xbf]")
"""A dot or slash as UTF-8 must never spell it (RFC 3629 3), and as lax decoders read it all the same."""
_ROUNDS = 4


def readings(path: str) -> tuple[str, str] | None:
    """How `path` is matched, and how the most liberal backend would read it; None when it must be refused.

    The first has only unreserved characters decoded (RFC 3986 6.2.2.2), so that it names the same resource. The
    second is decoded whole, with `;` parameters cut off and backslashes turned.
    """
    if not _SUSPECT.search(path) and not _UNSAFE.search(path) and path[:1] == "/":
        return path, path
    return _scrutinise(path)


def _scrutinise(path: str) -> tuple[str, str] | None:
    if path[:1] != "/" or _UNSAFE.search(path) or "//" in path:
        return None
    if any(escape[1] is None for escape in _ESCAPE.finditer(path)):
        return None
    plain = _ESCAPE.sub(_decode_unreserved, path)
    liberal = path
    for _ in range(_ROUNDS):
        segments = liberal.replace("\\", "/").split("/")
        if any(segment.partition(";")[0] in {".", ".."} for segment in segments):
            return None
        decoded = _ESCAPE.sub(_decode, liberal)
        if decoded == liberal:
            break
        liberal = decoded
    once = _ESCAPE.sub(_decode, path)
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in once) or "\\" in once or _OVERLONG.search(liberal):
        return None
    merged = re.sub("/+", "/", "/".join(segment.partition(";")[0] for segment in once.split("/")))
    return plain, merged


def _decode(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 16)) if escape[1] else escape[0]


def _decode_unreserved(escape: re.Match[str]) -> str:
    code = int(escape[1], 16)
    return chr(code) if code in _UNRESERVED else "%" + escape[1].upper()
