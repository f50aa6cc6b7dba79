"""One compiled schema: quick for what is valid, and with a list of faults for what is not.

Laws:
1. Whether a value is valid costs time linear in its size. `pattern` is matched without backtracking, and what refers to
   itself is decided once for each value.
2. The list of faults costs a bounded time, whatever is wrong: of a large value only a part is looked through for
   faults, and the list says when there may be more.
"""

from collections.abc import Mapping
from typing import Any

from gateway.openapi.findings import Finding, findings_of
from gateway.openapi.json_body import size_of
from gateway.openapi.model import DEFINITION, Schema

MOST_FINDINGS = 100
_MOST_VALUES = 2000
"""How many values are looked through for faults, when the schema has no choices."""
_FEWEST_VALUES = 100
_MOST_WAYS = 2000
"""How many ways through choices within choices are tried for the faults of one value."""
_CHUNK = 5000
_CHOICES = ("anyOf", "oneOf")
_UNEVALUATED = "unevaluatedProperties"


class SchemaError(Exception):
    """A schema that cannot be compiled. `pattern` is the regular expression that cannot be, if that is why."""

    def __init__(self, text: str, pattern: str | None = None) -> None:
        super().__init__(text)
        self.pattern = pattern


class MissingExtraError(Exception):
    """The package that checks schemas is not installed."""

    TEXT = "schemas are checked by a package that is not installed"
    HINT = "install the extra: `pip install 'api-gateway[openapi]'`"


class Validator:
    """A compiled schema. Raises SchemaError, and MissingExtraError."""

    def __init__(self, schema: Schema, definitions: Mapping[str, Schema]) -> None:
        try:
            import jsonschema_rs  # noqa: PLC0415  an extra
        except ImportError:
            raise MissingExtraError from None
        whole = {"$defs": dict(definitions), "allOf": [schema]} if definitions else schema
        try:
            compiled = jsonschema_rs.Draft202012Validator(
                whole,
                validate_formats=True,
                pattern_options=jsonschema_rs.RegexOptions(),
                offline=True,
                mask="…",
            )
        except jsonschema_rs.ValidationError as error:
            if error.kind.name == "format" and isinstance(error.instance, str):
                text = f"the regular expression `{error.instance}` cannot be matched without backtracking, or is none"
                raise SchemaError(text, error.instance) from None
            raise SchemaError(str(error.message)) from None
        except ValueError as error:
            raise SchemaError(str(error).partition("\n")[0]) from None
        self.is_valid = compiled.is_valid
        self._iter_errors = compiled.iter_errors
        self._branches = _most_branches(schema, definitions)
        self._recursive = self._branches > 1 and _is_recursive(definitions)
        self._names = names_in(schema, *definitions.values())

    def findings(self, value: Any) -> list[Finding]:
        """Return what is wrong with a value that is not valid: the first MOST_FINDINGS faults that are found."""
        most = max(_FEWEST_VALUES, _MOST_VALUES // self._branches)
        size, levels = size_of(value, most + 1)
        if self._recursive and self._branches**levels > _MOST_WAYS:
            return [Finding((), "", "This does not fit its schema, and is nested too deeply to say where.")]
        if size <= most:
            return self._listed(value)
        cut = _Cut(most)
        found = self._of_part(cut, value, cut.cut(value))
        for way, items in cut.lists if not found else ():
            found = self._of_list(cut, value, way, items)
            if found:
                break
        return found or [Finding((), "", "This does not fit its schema, and is too large to say where.")]

    def _listed(self, value: Any) -> list[Finding]:
        found = dict.fromkeys(finding for error in self._iter_errors(value) for finding in findings_of(error))
        return self._without_consequences(list(found))[:MOST_FINDINGS]

    def _without_consequences(self, found: list[Finding]) -> list[Finding]:
        """Leave out that there is no field of some name, where the schema that has it was only not considered.

        `unevaluatedProperties` knows no field of schemas that refuse the value for another reason.
        """
        if all(each.keyword != _UNEVALUATED for each in found):
            return found
        at_fault = {
            each.way[:length]
            for each in found
            for length in range(len(each.way) - 1 if each.keyword == _UNEVALUATED else len(each.way) + 1)
        }
        return [
            each
            for each in found
            if each.keyword != _UNEVALUATED or each.way[-1] not in self._names or each.way[:-1] not in at_fault
        ]

    def _of_part(self, cut: "_Cut", value: Any, part: Any) -> list[Finding]:
        """Return the faults of `part` that are faults of the whole `value`, too."""
        return [] if self.is_valid(part) else [each for each in self._listed(part) if cut.holds(each, value)]

    def _of_list(self, cut: "_Cut", value: Any, way: tuple[str | int, ...], items: list[Any]) -> list[Finding]:
        """Return the faults of the first faulty items of a long list, everything else being cut."""
        for start in range(0, len(items), _CHUNK):
            if self.is_valid(cut.cut(value, way, items[start : start + _CHUNK])):
                continue
            for first in range(start, min(start + _CHUNK, len(items)), _FEWEST_VALUES):
                found = self._of_part(cut, value, cut.cut(value, way, items[first : first + _FEWEST_VALUES]))
                if found:
                    return [_moved(each, way, first) for each in found]
        return []


def _moved(finding: Finding, way: tuple[str | int, ...], by: int) -> Finding:
    at = len(way)
    if len(finding.way) > at and finding.way[:at] == way and isinstance(finding.way[at], int):
        return finding._replace(way=(*way, int(finding.way[at]) + by, *finding.way[at + 1 :]))
    return finding


class _Cut:
    """Makes parts of large values: lists of the first items, objects of the first members, `most` values in all."""

    _SIZES = frozenset({"contains", "minItems", "minProperties", "unevaluatedItems", "anyOf", "oneOf", "not", ""})

    def __init__(self, most: int) -> None:
        self._most = most
        self._left = 0
        self.lists: list[tuple[tuple[str | int, ...], list[Any]]] = []
        self._cut_ways: set[tuple[str | int, ...]] = set()

    def cut(self, value: Any, way: tuple[str | int, ...] | None = None, items: list[Any] | None = None) -> Any:
        """Return a part of `value`. The list at `way`, if that is given, has `items` there."""
        self._left = self._most
        self.lists = []
        self._cut_ways = set()
        return self._part(value, (), way, items)

    def holds(self, finding: Finding, value: Any) -> bool:
        """Return whether a fault of a part is one of the whole."""
        if finding.missing:
            owner = _at(value, finding.way[:-1])
            return not (isinstance(owner, dict) and finding.way[-1] in owner)
        if finding.keyword not in self._SIZES:
            return True
        return not any(way[: len(finding.way)] == finding.way for way in self._cut_ways)

    def _part(self, value: Any, here: tuple[str | int, ...], way: tuple[str | int, ...] | None, items: Any) -> Any:
        self._left -= 1
        if isinstance(value, list):
            if here == way:
                self._cut_ways.add(here)
                return items
            kept = value[: max(1, min(len(value), _FEWEST_VALUES, self._left))]
            if len(kept) < len(value):
                self._cut_ways.add(here)
                if len(self.lists) < _FEWEST_VALUES:
                    self.lists.append((here, value))
            return [self._part(part, (*here, index), way, items) for index, part in enumerate(kept)]
        if isinstance(value, dict):
            names = list(value)[: max(1, self._left)]
            if len(names) < len(value):
                self._cut_ways.add(here)
            return {name: self._part(value[name], (*here, name), way, items) for name in names}
        return value


def _at(value: Any, way: tuple[str | int, ...]) -> Any:
    for step in way:
        value = value[step]
    return value


def _most_branches(schema: Schema, definitions: Mapping[str, Schema]) -> int:
    """Return how many choices there are at most in one place of the schemas."""
    most, waiting = 1, [schema, *definitions.values()]
    while waiting:
        part: Any = waiting.pop()
        if isinstance(part, dict):
            most = max(most, *(len(part[name]) for name in _CHOICES if isinstance(part.get(name), list)), 1)
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
    return most


def names_in(*schemas: Schema) -> frozenset[str]:
    """Return the names of the fields that schemas describe or require, without those of what they refer to."""
    found: set[str] = set()
    waiting: list[Any] = list(schemas)
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            properties, required = part.get("properties"), part.get("required")
            if isinstance(properties, dict):
                found.update(properties)
            if isinstance(required, list):
                found.update(name for name in required if isinstance(name, str))
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
    return frozenset(found)


def _is_recursive(definitions: Mapping[str, Schema]) -> bool:
    """Return whether a definition refers to itself, directly or not."""
    refers = {name: _references(schema) for name, schema in definitions.items()}
    while refers:
        free = [name for name, to in refers.items() if not any(other in refers for other in to)]
        if not free:
            return True
        for name in free:
            del refers[name]
    return False


def _references(schema: Schema) -> set[str]:
    found: set[str] = set()
    waiting: list[Any] = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if isinstance(part.get("$ref"), str):
                found.add(part["$ref"].removeprefix(DEFINITION))
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
    return found
