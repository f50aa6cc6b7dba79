"""Reads the values of parameters and forms, which are texts, as the types that their schemas name."""

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias
from urllib.parse import unquote_plus

import msgspec

from gateway.openapi.json_body import BodyError, read_json
from gateway.openapi.model import ApiDocument, Parameter, ParameterStyle, Schema

JsonType: TypeAlias = str
_ALL: frozenset[JsonType] = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_INTEGER = re.compile(r"-?[0-9]{1,400}", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,400}(?:\.[0-9]{1,400})?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_WORDS: dict[str, tuple[JsonType, Any]] = {
    "true": ("boolean", True),
    "false": ("boolean", False),
    "null": ("null", None),
    "": ("null", None),
}
_SEPARATORS: dict[ParameterStyle, str] = {"simple": ",", "form": ",", "space": " ", "pipe": "|", "tab": "\t"}
_DEPTH = 20


class Doubled:
    """In place of the value of a parameter that was given more than once and has no list of values."""


DOUBLED = Doubled()


class ValueDecoder(msgspec.Struct, frozen=True):
    """How the values of one parameter, or of one field of a form, are read.

    `kinds` are the types that its schema allows, `item_kinds` those of the items of a list, `field_kinds` those of the
    members of an object, and `field_item_kinds` those of the items of members that are lists.
    """

    name: str
    style: ParameterStyle
    explode: bool
    kinds: frozenset[JsonType]
    item_kinds: frozenset[JsonType]
    field_kinds: dict[str, frozenset[JsonType]]
    field_item_kinds: dict[str, frozenset[JsonType]] = {}

    @property
    def spread(self) -> bool:
        """Whether the members of its object are parameters of their own."""
        return self.style == "form" and self.explode and bool(self.field_kinds) and "array" not in self.kinds

    def read(self, texts: list[str]) -> Any:
        """Return the value that `texts` spell. What they cannot spell stays text, which the schema then refuses."""
        if self.style == "json":
            try:
                return read_json(texts[0].encode()) if len(texts) == 1 else DOUBLED
            except BodyError:
                return texts[0]
        if "array" in self.kinds and (len(texts) > 1 or self.kinds != _ALL):
            repeated = self.explode and self.style == "form"
            parts = texts if repeated else _split(texts[0], _SEPARATORS.get(self.style, ","))
            if not self.explode and len(texts) > 1:
                return DOUBLED
            if parts == [""] and not repeated:
                return []  # OpenAPI 4.8.12.4: a list that is not repeated and has no items leaves nothing after `=`
            return [typed(part, self.item_kinds) for part in parts]
        if len(texts) > 1:
            return DOUBLED
        if "object" in self.kinds and self.field_kinds:
            parts = _split(texts[0], _SEPARATORS.get(self.style, ","))
            return {name: self._typed_field(name, text) for name, text in zip(parts[::2], parts[1::2], strict=False)}
        return typed(texts[0], self.kinds)

    def read_fields(self, fields: dict[str, list[str]]) -> dict[str, Any]:
        """Return the object whose members are spelled one by one."""
        return {
            name: [typed(text, self.field_item_kinds[name]) for text in texts]
            if name in self.field_item_kinds
            else self._typed_field(name, texts[0])
            if len(texts) == 1
            else [self._typed_field(name, text) for text in texts]
            for name, texts in fields.items()
        }

    def _typed_field(self, name: str, text: str) -> Any:
        return typed(text, self.field_kinds.get(name, _ALL))


def decoder(parameter: Parameter, document: ApiDocument) -> ValueDecoder:
    """Return how the values of `parameter` are read."""
    return decoder_of(parameter.name, parameter.schema, document, style=parameter.style, explode=parameter.explode)


def decoder_of(
    name: str, schema: Schema, document: ApiDocument, *, style: ParameterStyle = "form", explode: bool = True
) -> ValueDecoder:
    """Return how values of `schema` are read."""
    kinds = kinds_of(schema, document)
    items, fields = _items(schema, document), properties_of(schema, document) if "object" in kinds else {}
    return ValueDecoder(
        name,
        style,
        explode,
        kinds,
        kinds_of(items, document),
        {field: kinds_of(part, document) for field, part in fields.items()},
        {
            field: kinds_of(_items(part, document), document)
            for field, part in fields.items()
            if kinds_of(part, document) == {"array"}
        },
    )


def kinds_of(schema: Schema, document: ApiDocument, depth: int = 0) -> frozenset[JsonType]:
    """Return the types of the values that `schema` may allow."""
    schema = document.resolved(schema)
    if not isinstance(schema, dict) or depth > _DEPTH:
        return _ALL
    kinds = _ALL
    if "type" in schema:
        named = schema["type"]
        kinds = frozenset(named if isinstance(named, list) else [named])
    elif "enum" in schema or "const" in schema:
        kinds = frozenset(kind_of(value) for value in schema.get("enum", [schema.get("const")]))
    for parts in (schema.get("anyOf"), schema.get("oneOf")):
        if parts:
            kinds &= frozenset[str]().union(*(kinds_of(part, document, depth + 1) for part in parts))
    for part in schema.get("allOf", ()):
        kinds &= kinds_of(part, document, depth + 1)
    return kinds


def properties_of(schema: Schema, document: ApiDocument, depth: int = 0) -> dict[str, Schema]:
    """Return the members that `schema` describes, those of its parts included."""
    schema = document.resolved(schema)
    if not isinstance(schema, dict) or depth > _DEPTH:
        return {}
    found: dict[str, Schema] = dict(schema.get("properties", {}))
    for keyword in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(keyword, ()):
            found = properties_of(part, document, depth + 1) | found
    return found


def typed(text: str, kinds: frozenset[JsonType]) -> Any:
    """Return the value of one of the types `kinds` that `text` spells, or `text`."""
    if "string" in kinds and (kinds == _ALL or len(kinds) == 1):
        return text
    if "integer" in kinds or "number" in kinds:
        if _INTEGER.fullmatch(text):
            return int(text)
        if _NUMBER.fullmatch(text):
            return float(text)
    kind, value = _WORDS.get(text, ("string", text))
    return value if kind in kinds and (text or "string" not in kinds) else text


def pairs_of(encoded: str, most: int) -> dict[str, list[str]] | None:
    """Return the names and values of a query or a form, None if there are more than `most` of them."""
    found: dict[str, list[str]] = {}
    parts = encoded.split("&", most)
    if len(parts) > most:
        return None
    for part in parts:
        if part:
            name, _, value = part.partition("=")
            found.setdefault(unquoted(name), []).append(unquoted(value))
    return found


def unquoted(text: str) -> str:
    """Return `text` without percent-encoding; bytes that are not UTF-8 become U+FFFD."""
    return unquote_plus(text) if "%" in text or "+" in text else text


def read_all(decoders: Iterable[ValueDecoder], given: dict[str, list[str]]) -> dict[str, Any]:
    """Return the values of parameters. What belongs to none of them stays under its own name as text."""
    values: dict[str, Any] = {}
    rest = dict(given)
    for each in decoders:
        if each.style == "deep":
            prefix = f"{each.name}["
            named = [name for name in rest if name.startswith(prefix) and name.endswith("]")]
            fields = {name[len(prefix) : -1]: rest.pop(name) for name in named}
        elif each.spread:
            fields = {name: rest.pop(name) for name in each.field_kinds if name in rest}
        else:
            texts = rest.pop(each.name, None)
            if texts is None and "array" in each.kinds:
                texts = rest.pop(f"{each.name}[]", None)
            if texts is not None:
                values[each.name] = each.read(texts)
            continue
        if fields:
            values[each.name] = each.read_fields(fields)
    return values | {name: texts[0] for name, texts in rest.items()}


def _items(schema: Schema, document: ApiDocument) -> Schema:
    schema = document.resolved(schema)
    if not isinstance(schema, dict):
        return True
    parts = [part for keyword in ("allOf", "anyOf", "oneOf") for part in schema.get(keyword, ())]
    found = schema.get("items", True)
    return found if found is not True else next((_items(part, document) for part in parts if part != schema), True)


def kind_of(value: Any) -> JsonType:
    """Return the type of a value."""
    if isinstance(value, bool):
        return "boolean"
    kinds: dict[type, JsonType] = {str: "string", int: "integer", float: "number", list: "array", dict: "object"}
    return kinds.get(type(value), "null")


_split: Callable[[str, str], list[str]] = str.split
