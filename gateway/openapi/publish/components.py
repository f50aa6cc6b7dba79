"""The schemas of a document that is made: those of the envelope, and those of services under names of their own."""

import re
from typing import Any

from gateway.openapi.decoding import kind_of, kinds_of
from gateway.openapi.model import DEFINITION, ApiDocument
from gateway.openapi.publish.envelope_schemas import COMPONENT, ENVELOPE

_NAMED = frozenset({"dependentSchemas", "patternProperties", "properties"})
"""Keywords whose value is schemas by name."""
_DATA = frozenset({"const", "default", "enum", "example", "examples"})
"""Keywords whose value is data, whatever it looks like."""
_UNNAMEABLE = re.compile(r"[^A-Za-z0-9._-]+")


class Components:
    """Collects schemas. Names that OpenAPI does not allow or that are taken are changed."""

    def __init__(self) -> None:
        self.schemas: dict[str, Any] = dict(ENVELOPE)
        self._names: dict[tuple[str, str], str] = {}
        self._pending: list[tuple[ApiDocument, str, str]] = []

    def schema(self, document: ApiDocument, schema: Any) -> Any:
        """Return a schema of `document` whose references lead to the components of the document that is made."""
        made = self._converted(document, schema)
        while self._pending:  # one after the other: documents may have chains of any length
            origin, name, own = self._pending.pop()
            self.schemas[own] = self._converted(origin, origin.schemas[name])
        return made

    def _converted(self, document: ApiDocument, schema: Any) -> Any:
        if isinstance(schema, list):
            return [self._converted(document, part) for part in schema]
        if not isinstance(schema, dict):
            return schema
        made: dict[str, Any] = {}
        for name, part in schema.items():
            if name == "$ref" and isinstance(part, str):
                made[name] = self._reference(document, part.removeprefix(DEFINITION))
            elif name in _NAMED and isinstance(part, dict):
                made[name] = {member: self._converted(document, each) for member, each in part.items()}
            elif name not in _DATA:
                made[name] = self._converted(document, part)
            elif name != "default" or _fits(document, schema):
                made[name] = part
        return made

    def _reference(self, document: ApiDocument, name: str) -> str:
        key = (document.file, name)
        if key not in self._names:
            if name in ENVELOPE and _spelled(document.schemas[name]) == ENVELOPE[name]:
                self._names[key] = name  # the document of another gateway
                return f"{COMPONENT}{name}"
            wanted = _UNNAMEABLE.sub("_", name)
            made, number = wanted, 2
            while made in self.schemas:
                made, number = f"{wanted}-{number}", number + 1
            self._names[key] = made
            self.schemas[made] = True
            self._pending.append((document, name, made))
        return f"{COMPONENT}{self._names[key]}"


def _fits(document: ApiDocument, schema: dict[str, Any]) -> bool:
    """Return whether the default of a schema is of one of its types and choices. Many documents have others."""
    value = schema["default"]
    kind, kinds = kind_of(value), kinds_of(schema, document)
    of_kind = kind in kinds or (kind == "integer" and "number" in kinds)
    return of_kind and ("enum" not in schema or value in schema["enum"])


def _spelled(schema: Any) -> Any:
    """Return a schema with references to components of the same names."""
    if isinstance(schema, list):
        return [_spelled(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {name: _spelled_reference(part) if name == "$ref" else _spelled(part) for name, part in schema.items()}


def _spelled_reference(part: Any) -> Any:
    return f"{COMPONENT}{part.removeprefix(DEFINITION)}" if isinstance(part, str) else _spelled(part)
