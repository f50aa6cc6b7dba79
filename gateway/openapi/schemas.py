"""Turns schemas of Swagger 2, OpenAPI 3.0 and OpenAPI 3.1 into JSON Schema 2020-12, and bundles what they refer to."""

import re
from collections import deque
from pathlib import PurePath
from typing import Any, Literal, TypeAlias

from gateway.openapi.documents import Documents, Node
from gateway.openapi.model import DEFINITION, Schema
from gateway.settings.positions import Loc, Position, Table

Dialect: TypeAlias = Literal["2.0", "3.0", "3.1"]

_ONE = frozenset(
    {
        "additionalProperties",
        "contains",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
_MANY = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_NAMED = frozenset({"dependentSchemas", "patternProperties", "properties"})
_CHOICES = frozenset({"anyOf", "oneOf"})
_DATA = frozenset({"const", "default", "enum"})
_KEPT = frozenset(
    {
        "dependentRequired",
        "deprecated",
        "description",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "format",
        "maxContains",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minContains",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "multipleOf",
        "pattern",
        "readOnly",
        "required",
        "title",
        "type",
        "uniqueItems",
        "writeOnly",
    }
)
_INTEGERS = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}
_UNNAMEABLE = re.compile(r"[^A-Za-z0-9._-]+")
_TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})


class SchemaBundle:
    """The schemas of a document that have been used so far. Call `finish` before `schemas` is read."""

    def __init__(self, documents: Documents, dialect: Dialect) -> None:
        self.schemas: dict[str, Schema] = {}
        self.patterns: dict[str, Position] = {}
        self._documents = documents
        self._dialect = dialect
        self._names: dict[tuple[str, Loc], str] = {}
        self._taken: dict[str, int] = {}
        self._waiting: deque[tuple[str, Node]] = deque()

    def finish(self) -> None:
        """Convert the schemas that have been referred to, and those that these refer to."""
        while self._waiting:
            name, node = self._waiting.popleft()
            self.schemas[name] = self.convert(node)

    def convert(self, node: Node) -> Schema:
        """Return a schema. What is none is reported."""
        value = node.value
        if isinstance(value, bool):
            return value
        if not isinstance(value, Table):
            self._documents.report(node, "a schema is wanted here, which is a mapping")
            return True
        reference = node.below("$ref")
        made: dict[str, Any] = {}
        if reference is not None and isinstance(reference.value, str):
            target = self._documents.target(reference)
            if target is None:
                return True
            made["$ref"] = DEFINITION + self._name(target)
            if self._dialect != "3.1":  # whatever stands beside a reference means nothing
                return made
        for key, below in node.entries():
            self._take(made, key, below)
        self._discriminate(made, node)
        self._nullable(made, value)
        self._bounds(made)
        return made

    def _take(self, made: dict[str, Any], key: str, node: Node) -> None:
        if key == "items" and isinstance(node.value, list):
            made["prefixItems"] = [self.convert(part) for part in node.items()]
        elif key in _ONE:
            made[key] = self.convert(node)
        elif key in _MANY:
            parts = [self.convert(part) for part in node.items()]
            if parts:
                made[key] = parts
            else:
                self._documents.report(node, "a list of schemas is wanted here")
        elif key in _NAMED:
            # Some documents have a reference in place of the whole mapping.
            named = self._documents.follow(node) or node
            made[key] = {name: self.convert(part) for name, part in named.entries()}
            if key == "patternProperties":
                self.patterns.update((name, part.position) for name, part in named.entries())
        elif key in _DATA:
            made[key] = plain(node.value)
        elif key == "example":
            made["examples"] = [plain(node.value)]
        elif key == "examples" and isinstance(node.value, list):
            made["examples"] = plain(node.value)
        elif key in _KEPT:
            self._keep(made, key, node)

    def _keep(self, made: dict[str, Any], key: str, node: Node) -> None:
        value = node.value
        if key == "type":
            types = value if isinstance(value, list) else [value]
            if value == "file":  # Swagger 2: the bytes of a file
                return
            if not types or not all(isinstance(each, str) and each in _TYPES for each in types):
                self._documents.report(node, f"`{value}` is not a type of JSON", f"one of {', '.join(sorted(_TYPES))}")
                return
            value = list(dict.fromkeys(types)) if isinstance(value, list) else value
        elif key == "pattern":
            if not isinstance(value, str):
                self._documents.report(node, "a regular expression is wanted here")
                return
            self.patterns.setdefault(value, node.position)
        elif key == "required":
            if isinstance(value, bool):  # of a parameter in Swagger 2, or of a property in drafts before 4
                return
            value = list(dict.fromkeys(name for name in value if isinstance(name, str))) if value else []
            if not value:
                return
        made[key] = plain(value)

    def _discriminate(self, made: dict[str, Any], node: Node) -> None:
        """Tie each form to its values by `mapping` of the `discriminator`, if every form that is referred to has some.

        Without that, names of schemas would be its values, and many documents have others.
        """
        name, mapping = node.below("discriminator", "propertyName"), node.below("discriminator", "mapping")
        if name is None or mapping is None:
            return
        for keyword in _CHOICES & made.keys():
            references = {
                number: str(reference.value)
                for number in range(len(made[keyword]))
                if (reference := node.below(keyword, number, "$ref")) is not None and made[keyword][number] is not True
            }
            values = {
                number: [value for value, entry in mapping.entries() if entry.value in {text, text.rpartition("/")[2]}]
                for number, text in references.items()
            }
            for number, meant in values.items() if all(values.values()) else ():
                made[keyword][number] = made[keyword][number] | {"properties": {str(name.value): {"enum": meant}}}

    def _nullable(self, made: dict[str, Any], value: Table) -> None:
        if self._dialect == "3.1" or not (value.get("nullable") is True or value.get("x-nullable") is True):
            return
        if isinstance(made.get("type"), str):
            made["type"] = [made["type"], "null"]
        elif "type" not in made and made:
            kept = {key: made.pop(key) for key in list(made) if key not in {"description", "title", "default"}}
            if kept:
                made["anyOf"] = [kept, {"type": "null"}]
        if "enum" in made and None not in made["enum"]:
            made["enum"] = [*made["enum"], None]

    def _bounds(self, made: dict[str, Any]) -> None:
        for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
            flag = made.get(exclusive)
            if isinstance(flag, bool):  # drafts before 6
                del made[exclusive]
                if flag and bound in made:
                    made[exclusive] = made.pop(bound)
        kinds = made.get("type")
        if made.get("format") in _INTEGERS and (kinds == "integer" or (isinstance(kinds, list) and "integer" in kinds)):
            least, most = _INTEGERS[made["format"]]
            if "exclusiveMinimum" not in made:
                made.setdefault("minimum", least)
            if "exclusiveMaximum" not in made:
                made.setdefault("maximum", most)

    def _name(self, node: Node) -> str:
        """Return the name of a schema that is referred to. Of the same place it is always the same one."""
        key = (node.file, node.way)
        if key not in self._names:
            wanted = str(node.way[-1]) if node.way else PurePath(node.file).name.partition(".")[0]
            wanted = _UNNAMEABLE.sub("_", wanted) or "schema"
            number = self._taken[wanted] = self._taken.get(wanted, 0) + 1
            name = wanted if number == 1 else f"{wanted}-{number}"
            self._names[key] = name
            self._waiting.append((name, node))
        return self._names[key]


def plain(value: Any) -> Any:
    """Return `value` without its positions."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, list) else value
