"""Makes values that fit schemas, for replies of a service that does not exist yet.

A value is made from what the schema says: its examples, default, constant or choices, and else its type, format and
bounds. Patterns are not followed. Recursion ends after a few levels, and no value has more than `MOST_VALUES` parts.
"""

from collections.abc import Mapping
from typing import Any

from gateway.openapi.model import ApiDocument, Schema

MOST_VALUES = 1000
_DEEPEST = 8
_MOST_ITEMS = 20
_LONGEST = 1000
_FORMATS = {
    "date-time": "2026-01-02T03:04:05Z",
    "date": "2026-01-02",
    "time": "03:04:05Z",
    "duration": "PT1H",
    "uuid": "6d84e126-d10c-4e52-bbfb-bd4c92bc8333",
    "email": "someone@example.com",
    "idn-email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uri-reference": "/",
    "byte": "c2FtcGxl",
}


def sample_value(document: ApiDocument, schema: Schema) -> Any:
    """Return a value for `schema`, which may refer to schemas of `document`."""
    return _Sampler(document).value(schema, 0)


class _Sampler:
    def __init__(self, document: ApiDocument) -> None:
        self._document = document
        self._left = MOST_VALUES

    def value(self, schema: Schema, depth: int) -> Any:
        if isinstance(schema, dict) and "$ref" in schema and "properties" in schema and depth <= _DEEPEST:
            beside = {name: part for name, part in schema.items() if name != "$ref"}
            return self._combined([{"$ref": schema["$ref"]}, beside], depth)
        resolved = self._document.resolved(schema)
        self._left -= 1
        if not isinstance(resolved, dict) or self._left < 0 or depth > _DEEPEST:
            return None
        for given in (resolved.get("examples"), resolved.get("enum")):
            if isinstance(given, list) and given:
                return given[0]
        for name in ("const", "example", "default"):
            if name in resolved:
                return resolved[name]
        for name in ("oneOf", "anyOf"):
            if resolved.get(name):
                return self._combined([{**resolved, name: None}, resolved[name][0]], depth)
        if resolved.get("allOf"):
            return self._combined([{**resolved, "allOf": None}, *resolved["allOf"]], depth)
        return self._typed(resolved, depth)

    def _combined(self, parts: list[Schema], depth: int) -> Any:
        """Return the members of all parts in one object, or the first value if that is no object."""
        described = [part for part in parts if part not in ({}, True) and not _is_bare(part)]
        values = [self.value(part, depth + 1) for part in described]
        objects = [value for value in values if isinstance(value, dict)]
        if not objects:
            return values[0] if values else {}
        return {name: value for each in objects for name, value in each.items()}

    def _typed(self, schema: Mapping[str, Any], depth: int) -> Any:
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = next((each for each in kind if each != "null"), "null")
        if kind is None:
            kind = "object" if "properties" in schema else "array" if "items" in schema else "string"
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            count = min(max(int(schema.get("minItems", 1)), 1), _MOST_ITEMS)
            return [self.value(schema.get("items", True), depth + 1) for _ in range(count)]
        if kind == "string":
            return _string(schema)
        if kind in {"integer", "number"}:
            return _number(schema, whole=kind == "integer")
        return True if kind == "boolean" else None

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        required = schema.get("required", [])
        found = {}
        for name, each in schema.get("properties", {}).items():
            if name in required or (depth < _DEEPEST // 2 and self._left > 0):
                found[name] = self.value(each, depth + 1)
        return found


def _is_bare(schema: Schema) -> bool:
    """Return whether a schema says nothing about values beside its combinations."""
    telling = ("type", "properties", "items", "$ref", "enum", "const", "example", "examples", "default", "format")
    combining = ("allOf", "oneOf", "anyOf")
    return isinstance(schema, dict) and not any(schema.get(name) for name in (*telling, *combining))


def _string(schema: Mapping[str, Any]) -> str:
    value = _FORMATS.get(str(schema.get("format")), "string")
    value = value.ljust(min(int(schema.get("minLength", 0)), _LONGEST), "x")
    longest = schema.get("maxLength")
    return value if longest is None else value[: int(longest)]


def _number(schema: Mapping[str, Any], *, whole: bool) -> int | float:
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    step = schema.get("multipleOf") or 1
    if above is not None and (low is None or above >= low):
        low = above + step
    if below is not None and (high is None or below <= high):
        high = below - step
    value = low if low is not None else min(step, high) if high is not None else step
    if schema.get("multipleOf") and value % step:
        value += step - value % step
    return int(value) if whole else value
