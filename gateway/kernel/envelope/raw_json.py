"""JSON as text: checked, cut into members, never parsed and written again.

Laws:
1. What is passed on is what came: no number, escape, key order or duplicate key changes (a parser keeps none of them).
2. Strict RFC 8259 in UTF-8: no BOM, no NaN, nothing after the end. Lone surrogate escapes are valid by its grammar
   (8.2).
3. Nesting too deep for the checker is invalid, not a crash. 900 levels pass.
"""

import re
from collections.abc import Callable, Iterable
from typing import TypeAlias, TypeVar

import msgspec

T = TypeVar("T")

JsonMembers: TypeAlias = dict[str, bytes]
"""The members of one object, in order, by decoded name; values as they were spelled.

Of duplicate names the last counts.
"""

WHITE = b" \t\r\n"
"""RFC 8259, 2: insignificant white space."""

_RAW = msgspec.json.Decoder(msgspec.Raw)
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_HALF = rb"[dD][89a-fA-F][0-9a-fA-F]{2}"
_SURROGATE = re.compile(rb"\\u" + _HALF)
_REPLACEMENT = "\ufffd".encode()
_SHIELD = b"\xfe\xfe"
"""Stands for a backslash and `u`. It is not valid UTF-8, so it can be reverted, and only `Raw` accepts it."""
_PAIR = b"\xff\xff"
"""Stands for an escaped backslash while surrogates are searched for."""
_NO_HALVES = b"01234567"
"""The characters that follow `\\ud` in the escape of a character that is no surrogate."""


def is_utf8(text: bytes) -> bool:
    """Return whether `text` is UTF-8."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def is_syntax(text: bytes) -> bool:
    """Return whether `text` is one JSON value, if its bytes beyond ASCII are UTF-8."""
    return decode(_RAW, text, displaced) is not None


def is_json(text: bytes) -> bool:
    """Return whether `text` is one JSON value. White space around it is allowed."""
    return is_syntax(text) and (text.isascii() or is_utf8(text))


def items(text: bytes, most: int) -> list[bytes] | None:
    """Return the first `most` elements of an array, as spelled; None for anything else. `text` is valid JSON."""
    found = decode(_ITEMS, text, shielded)
    if found is None:
        return None
    spelled = _unshielded if _has_surrogates(text) else bytes
    return [spelled(item) for item in found[:most]]


def members(text: bytes) -> JsonMembers | None:
    """Return the members of an object; None for anything else. `text` is valid JSON."""
    found = decode(_MEMBERS, text, shielded)
    halves = _has_surrogates(text)
    if found is None and halves:  # perhaps for a name
        found = decode(_MEMBERS, text, closely_shielded)
    if found is None:
        return None
    spelled = _unshielded if halves else bytes
    return {name: spelled(value) for name, value in found.items()}


def replaced(text: bytes) -> bytes:
    """Return `text` with U+FFFD in place of each half of a surrogate pair."""
    return _unpaired(_SURROGATE.sub(_REPLACEMENT, _paired(text)))


def shielded(text: bytes) -> bytes:
    """Replace the first two characters of each surrogate escape, and of some others, by `_SHIELD`."""
    return _unpaired(_paired(text).replace(rb"\ud", _SHIELD + b"d").replace(rb"\uD", _SHIELD + b"D"))


def closely_shielded(text: bytes) -> bytes:
    """Return `text` with `_SHIELD` in place of the first two characters of each half."""
    text = shielded(text)
    for digit in (b"d", b"D"):
        for code in _NO_HALVES:
            text = text.replace(b"%b%b%c" % (_SHIELD, digit, code), rb"\u%b%c" % (digit, code))
    return text


def displaced(text: bytes) -> bytes:
    """Replace each half of a surrogate pair, and some other escapes, for readers that ignore the contents of strings.

    What follows an escaped backslash is changed as well, into what is as valid.
    """
    return text.replace(rb"\ud", rb"\ue").replace(rb"\uD", rb"\ue")


def _paired(text: bytes) -> bytes:
    return text.replace(rb"\\", _PAIR)


def _unpaired(text: bytes) -> bytes:
    return text.replace(_PAIR, rb"\\")


def decode(
    decoder: "msgspec.json.Decoder[T]", text: bytes, without_halves: Callable[[bytes], bytes] = replaced
) -> T | None:
    """Return `text` as `decoder` reads it; None when it is not JSON, or not of the decoder's type.

    msgspec refuses lone halves of surrogate pairs that are spelled as escapes. If there are any, it sees what
    `without_halves` (`replaced`, `shielded`, `closely_shielded` or `displaced`) makes of the text.
    """
    try:
        return decoder.decode(text)
    except (msgspec.ValidationError, RecursionError, UnicodeDecodeError):
        return None
    except msgspec.DecodeError:
        return decode_without_halves(decoder, text, without_halves)


def decode_without_halves(
    decoder: "msgspec.json.Decoder[T]", text: bytes, without_halves: Callable[[bytes], bytes]
) -> T | None:
    """Decode as `decode` does, a text that `decoder` refused as it is."""
    if not _has_surrogates(text) or b"\xfe" in text or b"\xff" in text:
        return None
    try:
        return decoder.decode(without_halves(text))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def _has_surrogates(text: bytes) -> bool:
    return b"\\" in text and (rb"\ud" in text or rb"\uD" in text)


def _unshielded(raw: msgspec.Raw) -> bytes:
    return bytes(raw).replace(_SHIELD, rb"\u")


def render(members: JsonMembers) -> bytes:
    """Return the object that has `members`."""
    return b"{%b}" % b",".join([b"%b:%b" % (quote(name), value) for name, value in members.items()])


def array(elements: Iterable[bytes]) -> bytes:
    """Return the array of `elements`, each of them valid JSON."""
    return b"[%b]" % b",".join(elements)


def quote(text: str) -> bytes:
    """Return `text`, which holds no lone surrogates, as a JSON string."""
    return msgspec.json.encode(text)
