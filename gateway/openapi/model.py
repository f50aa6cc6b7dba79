"""The compiled form of an OpenAPI document: its operations, whatever the version it was written in.

Schemas are JSON Schema 2020-12 as plain data. They refer to one another by `#/$defs/NAME`, and NAME is in
`ApiDocument.schemas`.
"""

from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec

from gateway.settings.positions import Position
from gateway.settings.schema.routing import RouteSettings

Schema: TypeAlias = dict[str, Any] | bool
ParameterLocation: TypeAlias = Literal["path", "query", "header", "cookie"]
ParameterStyle: TypeAlias = Literal["simple", "form", "space", "pipe", "tab", "deep", "json"]
"""The spelling of a value. `form` is repeated if it explodes and separated by commas if not; `json` is JSON text."""
DEFINITION = "#/$defs/"
"""The beginning of a reference to a schema of the document."""


class Parameter(msgspec.Struct, frozen=True):
    """One parameter of an operation. The name of a header field keeps its case."""

    name: str
    location: ParameterLocation
    required: bool
    schema: Schema
    style: ParameterStyle
    explode: bool
    description: str = ""
    deprecated: bool = False
    example: Any = None


class MediaType(msgspec.Struct, frozen=True):
    """A body of one media type. `examples` are values of it, the first of them the one to show."""

    schema: Schema
    examples: tuple[Any, ...] = ()


class RequestBody(msgspec.Struct, frozen=True):
    """The body of an operation, by media type in lower case; `application/*` and `*/*` are ranges."""

    required: bool
    content: dict[str, MediaType]
    description: str = ""


class ResponseField(msgspec.Struct, frozen=True):
    """A header field of a reply."""

    schema: Schema
    required: bool = False
    description: str = ""


class Response(msgspec.Struct, frozen=True):
    """One kind of reply of an operation."""

    description: str
    content: dict[str, MediaType]
    fields: dict[str, ResponseField]


class Operation(msgspec.Struct, frozen=True):
    """One operation. `path` is a template without `base`, which is the path of its first server, "" for none.

    `open` means that it asks for no credentials. `rate_limit` is what the document has under `x-rate-limit`.
    `responses` are by status (`200`, `4XX`, `default`).
    """

    id: str
    method: str
    path: str
    base: str
    position: Position
    summary: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    deprecated: bool = False
    open: bool = False
    rate_limit: Any = None
    parameters: tuple[Parameter, ...] = ()
    body: RequestBody | None = None
    responses: dict[str, Response] = {}

    def response(self, status: int) -> Response | None:
        """Return what the document says about replies with `status`."""
        found = self.responses.get(str(status))
        return found or self.responses.get(f"{status // 100}XX") or self.responses.get("default")


class ApiDocument(msgspec.Struct, frozen=True):
    """A document. `patterns` holds the position of every regular expression in its schemas.

    `root` is the schema that a file is which holds nothing but one.
    """

    file: str
    title: str
    version: str
    description: str
    operations: dict[str, Operation]
    schemas: dict[str, Schema]
    patterns: dict[str, Position]
    root: Schema = True

    def reachable(self, *schemas: Schema) -> dict[str, Schema]:
        """Return the schemas of the document that `schemas` refer to, directly or not."""
        found: dict[str, Schema] = {}
        waiting: list[Any] = list(schemas)
        while waiting:
            part = waiting.pop()
            if isinstance(part, dict):
                reference = part.get("$ref")
                if isinstance(reference, str) and reference.startswith(DEFINITION):
                    name = reference.removeprefix(DEFINITION)
                    if name not in found:
                        found[name] = self.schemas[name]
                        waiting.append(found[name])
                waiting.extend(part.values())
            elif isinstance(part, list):
                waiting.extend(part)
        return found

    def resolved(self, schema: Schema) -> Schema:
        """Return `schema`, or what it refers to if it is nothing but a reference."""
        seen: set[str] = set()
        while isinstance(schema, dict) and isinstance(schema.get("$ref"), str) and schema["$ref"] not in seen:
            seen.add(schema["$ref"])
            schema = self.schemas[schema["$ref"].removeprefix(DEFINITION)]
        return schema


class Audience(NamedTuple):
    """Who reads a document.

    `plan` is None for the plans of everybody. `routes` and `methods` are those that its key may use, None for all.
    `keyed`: there is a key. `hosts` are those of routes that fit the host that was asked, `listener` is the one that
    was asked, and `hidden` are routes that cannot be reached from there.
    """

    plan: str | None
    keyed: bool = False
    routes: frozenset[str] | None = None
    methods: frozenset[str] | None = None
    hosts: frozenset[str] = frozenset()
    listener: str | None = None
    hidden: frozenset[str] = frozenset()

    def may_use(self, route: RouteSettings, method: str) -> bool:
        """Return whether a call to `route` would be let through."""
        if route.id in self.hidden:
            return False
        if route.auth == "none":
            return True
        allowed = self.routes is None or route.id in self.routes
        return self.keyed and allowed and (self.methods is None or method in self.methods)


EVERYBODY = Audience(None, keyed=True)
"""Whoever may see everything."""
