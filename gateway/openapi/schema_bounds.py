"""Refuses schemas by which one value would be decided without end, or very many times.

Law: what schemas say about one place of a value, by `$ref`, `allOf` and the like, is a tree of at most
`MOST_IN_ONE_PLACE` schemas and `MOST_LEVELS_IN_ONE_PLACE` levels. A schema may lead back to itself only on the way into
a value.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from gateway.openapi.model import DEFINITION, ApiDocument, Schema
from gateway.openapi.validator import SchemaError

MOST_IN_ONE_PLACE = 10_000
MOST_LEVELS_IN_ONE_PLACE = 100
_HERE_LISTS = ("allOf", "anyOf", "oneOf")
_HERE = ("not", "if", "then", "else")
_INTO_LISTS = ("prefixItems",)
_INTO = (
    "additionalProperties",
    "contains",
    "items",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
)
_INTO_NAMED = ("patternProperties", "properties")


def require_bounds(schemas: Iterable[Schema], document: ApiDocument) -> None:
    """Raise SchemaError if one of `schemas`, or what it refers to, breaks the law."""
    waiting: list[Any] = [schema for schema in schemas if isinstance(schema, dict)]
    seen: set[int] = set()
    sizes: dict[int, tuple[int, int]] = {}
    while waiting:
        top = waiting.pop()
        if id(top) in seen:
            continue
        seen.add(id(top))
        _measure(top, document, sizes)
        waiting.extend(_into(top))
        waiting.extend(_here(top, document))


def _measure(top: dict[str, Any], document: ApiDocument, sizes: dict[int, tuple[int, int]]) -> None:
    """Add to `sizes` how many schemas there are in one place, and how many levels of them. Raises SchemaError."""
    if id(top) in sizes:
        return
    way = [(top, iter(_here(top, document)))]
    on_the_way = {id(top)}
    while way:
        part, rest = way[-1]
        below = next((each for each in rest if id(each) not in sizes), None)
        if below is not None:
            if id(below) in on_the_way:
                raise SchemaError(f"{_name(below, document)} leads back to itself without going into a value")
            way.append((below, iter(_here(below, document))))
            on_the_way.add(id(below))
            continue
        of_parts = [sizes[id(each)] for each in _here(part, document)]
        count = 1 + sum(each for each, _ in of_parts)
        levels = 1 + max((each for _, each in of_parts), default=0)
        if count > MOST_IN_ONE_PLACE or levels > MOST_LEVELS_IN_ONE_PLACE:
            raise SchemaError(f"{_name(part, document)} combines too many schemas in one place")
        sizes[id(part)] = (count, levels)
        on_the_way.discard(id(part))
        way.pop()


def _here(schema: dict[str, Any], document: ApiDocument) -> list[Any]:
    """Return the schemas that are about the same value."""
    found = [part for name in _HERE_LISTS for part in schema.get(name, ())]
    found += [schema.get(name) for name in _HERE]
    found += schema.get("dependentSchemas", {}).values()
    reference = schema.get("$ref")
    if isinstance(reference, str):
        found.append(document.schemas.get(reference.removeprefix(DEFINITION)))
    return [part for part in found if isinstance(part, dict)]


def _into(schema: dict[str, Any]) -> Iterator[Any]:
    """Yield the schemas that are about parts of the value."""
    found = [part for name in _INTO_LISTS for part in schema.get(name, ())]
    found += [schema.get(name) for name in _INTO]
    found += [part for name in _INTO_NAMED for part in schema.get(name, {}).values()]
    return (part for part in found if isinstance(part, dict))


def _name(schema: dict[str, Any], document: ApiDocument) -> str:
    names = [name for name, each in document.schemas.items() if each is schema]
    return f"`{names[0]}`" if names else "a part of it"
