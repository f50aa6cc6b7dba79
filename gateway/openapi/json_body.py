"""Reads a JSON body that is checked and then passed on as it came.

Laws:
1. What is checked is what any parser of the service reads: an object with the same name twice, of which parsers keep
   one or the other, is refused. So is what is not UTF-8, and a number beyond the range of a double.
2. The cost is linear in the bytes of the body, and its nesting is at most `MOST_LEVELS`.
"""

import json
from typing import Any

import msgspec

MOST_LEVELS = 100
"""How many arrays and objects may stand in one another."""

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_LONGEST_NAME = 100
_TOO_DEEP = f"The body is nested more than {MOST_LEVELS} levels deep."


class BodyError(Exception):
    """A body that is no JSON, or none that can be checked. The text is for the client."""


def read_json(body: bytes) -> Any:
    """Return the value of `body`. Raises BodyError."""
    try:
        value = _decode(body)
    except RecursionError:
        raise BodyError(_TOO_DEEP) from None
    except msgspec.ValidationError:
        raise BodyError("The body has a number that is out of range.") from None
    except UnicodeDecodeError:
        raise BodyError("The body is not UTF-8.") from None
    except msgspec.DecodeError as error:
        raise BodyError(f"The body is not valid JSON: {_reason(error, body)}.") from None
    if body.count(b"[") + body.count(b"{") > MOST_LEVELS and _is_deep(value):
        raise BodyError(_TOO_DEEP)
    # Written again, a value has a colon for each name, and those of its texts. An escape is the only other spelling.
    if (
        b":" in body
        and (written := _encode(value)) != body
        and (b"\\u003" in body or written.count(b":") != body.count(b":"))
    ):
        _refuse_duplicates(body)
    return value


def size_of(value: Any, most: int) -> tuple[int, int]:
    """Return how many values there are in `value`, counted up to `most` at least, and how deep they are nested."""
    found, levels, level = 1, 0, [value]
    while level and found < most:
        below = _below(level)
        levels += any(type(part) is dict or type(part) is list for part in level)
        found += len(below)
        level = below
    return found, levels


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MOST_LEVELS):
        level = [part for part in _below(level) if type(part) is dict or type(part) is list]
        if not level:
            return False
    return True


def _below(level: list[Any]) -> list[Any]:
    below: list[Any] = []
    for part in level:
        if type(part) is dict:
            below.extend(part.values())
        elif type(part) is list:
            below.extend(part)
    return below


def _reason(error: msgspec.DecodeError, body: bytes) -> str:
    text = str(error)
    if body.startswith(b"\xef\xbb\xbf"):
        return "it begins with a byte order mark"
    if "truncated" in text:
        return "it breaks off, or has one half of a surrogate pair" if b"\\u" in body else "it breaks off"
    return text.removeprefix("JSON is malformed: ")


def _refuse_duplicates(body: bytes) -> None:
    """Raise BodyError when an object has a name twice. `body` is valid JSON of few levels."""
    _pairs.decode(body.decode())


def _distinct(pairs: list[tuple[str, Any]]) -> None:
    if len(pairs) > 1 and len({name for name, _ in pairs}) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise BodyError(f"The body has `{name[:_LONGEST_NAME]}` twice in one object.")
            seen.add(name)


_pairs = json.JSONDecoder(object_pairs_hook=_distinct, parse_int=len, parse_float=len)
