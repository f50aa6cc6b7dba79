"""Compares the shape of two JSON texts: the members of objects and the types of values, not the values.

Laws:
 - Cost is linear in the bytes. What nests deeper than `_DEEPEST` is not compared, and at most `MOST_DIFFERENCES` are
   found.
 - All elements of an array count as one: it has the members and types that any of its elements has.
"""

from typing import Any

import msgspec

MOST_DIFFERENCES = 10
_DEEPEST = 32
_LONGEST_NAME = 64
_decode = msgspec.json.Decoder().decode
_TYPES = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}


class JsonShape:
    """The types that a value has in one place, its members by name, and the shape of its elements."""

    __slots__ = ("element", "members", "types")

    def __init__(self) -> None:
        self.types: set[str] = set()
        self.members: dict[str, JsonShape] = {}
        self.element: JsonShape | None = None

    def add(self, value: Any, depth: int = 0) -> None:
        """Add what `value` shows."""
        self.types.add("null" if value is None else _TYPES[type(value)])
        if depth == _DEEPEST:
            return
        if isinstance(value, dict):
            for name, member in value.items():
                self.members.setdefault(name, JsonShape()).add(member, depth + 1)
        elif isinstance(value, list) and value:
            self.element = self.element or JsonShape()
            for each in value:
                self.element.add(each, depth + 1)


def shape_differences(before: bytes, after: bytes) -> list[str]:
    """Return texts such as `items[].price: number, string in the other`; empty when the shapes are alike."""
    one, other = _shape(before), _shape(after)
    if one is None or other is None:
        return [] if one is other else [f"the whole: {_kind(one)}, {_kind(other)} in the other"]
    found: list[str] = []
    _compare("", one, other, found)
    return found


def _shape(text: bytes) -> JsonShape | None:
    """Return None for what is not JSON."""
    try:
        value = _decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    shape = JsonShape()
    shape.add(value)
    return shape


def _compare(path: str, one: JsonShape, other: JsonShape, found: list[str]) -> None:
    if one.types != other.types:
        found.append(f"{path or 'the whole'}: {_listed(one)}, {_listed(other)} in the other")
    for name in [*one.members, *(name for name in other.members if name not in one.members)]:
        below = f"{path}.{name[:_LONGEST_NAME]}" if path else name[:_LONGEST_NAME]
        if name not in other.members:
            found.append(f"{below}: missing in the other")
        elif name not in one.members:
            found.append(f"{below}: only in the other")
        else:
            _compare(below, one.members[name], other.members[name], found)
        if len(found) >= MOST_DIFFERENCES:
            return
    if one.element is not None and other.element is not None and len(found) < MOST_DIFFERENCES:
        _compare(f"{path}[]", one.element, other.element, found)


def _kind(shape: JsonShape | None) -> str:
    return "no JSON" if shape is None else "JSON"


def _listed(shape: JsonShape) -> str:
    return " or ".join(sorted(shape.types))
