"""Schemas as they hold for requests, and schemas that refuse fields that nobody has described."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from gateway.openapi.decoding import properties_of
from gateway.openapi.model import ApiDocument, MediaType, Operation, RequestBody, Schema

_COMBINED = ("allOf", "anyOf", "oneOf")
_INSTANCES = ("additionalProperties", "contains", "items", "unevaluatedItems")
_NAMED = ("patternProperties", "properties")


def for_requests(document: ApiDocument, operation: Operation) -> tuple[ApiDocument, Operation]:
    """Return document and operation with nothing required that only replies have (`readOnly`).

    The document has what the operation refers to, and no more: there may be thousands of operations.
    """
    body = operation.body
    if body is not None:
        content = _content_without("readOnly", body.content, document)
        operation = msgspec.structs.replace(operation, body=RequestBody(body.required, content, body.description))
    return _document_without("readOnly", document, operation), operation


def for_replies(document: ApiDocument, operation: Operation) -> tuple[ApiDocument, Operation]:
    """Return document and operation with nothing required that only requests have (`writeOnly`).

    The document has what the operation refers to, and no more.
    """
    responses = {
        status: msgspec.structs.replace(reply, content=_content_without("writeOnly", reply.content, document))
        for status, reply in operation.responses.items()
    }
    operation = msgspec.structs.replace(operation, responses=responses)
    return _document_without("writeOnly", document, operation), operation


def refusing_unknown(document: ApiDocument, schemas: Sequence[Schema]) -> tuple[ApiDocument, list[Schema]]:
    """Return a document and schemas of it in which no object has other members than those that are described.

    What says itself that it has others (`additionalProperties`), or describes no members at all, stays as it is.
    """
    changed = {name: _below(schema, document) for name, schema in document.schemas.items()}
    return msgspec.structs.replace(document, schemas=changed), [_closed(schema, document) for schema in schemas]


def _document_without(flag: str, document: ApiDocument, operation: Operation) -> ApiDocument:
    found = document.reachable(*_schemas_of(operation))
    schemas = {name: _without(flag, schema, document) for name, schema in found.items()}
    return msgspec.structs.replace(document, schemas=schemas)


def _schemas_of(operation: Operation) -> Iterator[Schema]:
    """Yield the schemas of all that an operation takes and gives."""
    yield from (each.schema for each in operation.parameters)
    contents = [reply.content for reply in operation.responses.values()]
    contents += [] if operation.body is None else [operation.body.content]
    yield from (media.schema for content in contents for media in content.values())
    yield from (field.schema for reply in operation.responses.values() for field in reply.fields.values())


def _content_without(flag: str, content: dict[str, MediaType], document: ApiDocument) -> dict[str, MediaType]:
    return {name: MediaType(_without(flag, media.schema, document), media.examples) for name, media in content.items()}


def _without(flag: str, schema: Any, document: ApiDocument, around: Mapping[str, Schema] = MappingProxyType({})) -> Any:
    """Return a schema that requires no property with `flag`. `around` are those of the `allOf` that it is a part of."""
    if isinstance(schema, list):
        return [_without(flag, part, document, around) for part in schema]
    if not isinstance(schema, dict):
        return schema
    properties = {**around, **_combined_properties(schema, document)}
    made = {
        name: _without(flag, part, document, properties if name == "allOf" else MappingProxyType({}))
        for name, part in schema.items()
    }
    required = schema.get("required")
    if isinstance(required, list):
        needed = [name for name in required if not _has(flag, properties.get(name), document)]
        made["required"] = needed
        if not needed:
            del made["required"]
    return made


def _combined_properties(schema: Schema, document: ApiDocument) -> dict[str, Schema]:
    """Return the properties of a schema and of what it combines by `allOf`, each schema being looked at once."""
    found: dict[str, Schema] = {}
    waiting, seen = [schema], set()
    while waiting:
        part = document.resolved(waiting.pop())
        if isinstance(part, dict) and id(part) not in seen:
            seen.add(id(part))
            found = {**part.get("properties", {}), **found}
            waiting.extend(part.get("allOf", ()))
    return found


def _has(flag: str, schema: Any, document: ApiDocument) -> bool:
    target = document.resolved(schema) if isinstance(schema, dict) else None
    return isinstance(target, dict) and (target.get(flag) is True or schema.get(flag) is True)


def _closed(schema: Schema, document: ApiDocument) -> Schema:
    """Return a schema of a value, closed. What is combined of several schemas is closed as a whole."""
    if not isinstance(schema, dict):
        return schema
    made = _below(schema, document)
    assert isinstance(made, dict), "a schema that is a mapping stays one"
    if properties_of(schema, document) and not made.keys() & {"additionalProperties", "unevaluatedProperties"}:
        made["unevaluatedProperties"] = False
    return made


def _below(schema: Schema, document: ApiDocument) -> Schema:
    """Return a schema with the values in it closed, but not itself."""
    if not isinstance(schema, dict):
        return schema
    made = dict(schema)
    for keyword in _COMBINED:
        if keyword in made:
            made[keyword] = [_below(part, document) for part in made[keyword]]
    for keyword in _INSTANCES:
        if keyword in made:
            made[keyword] = _closed(made[keyword], document)
    for keyword in _NAMED:
        if keyword in made:
            made[keyword] = {name: _closed(part, document) for name, part in made[keyword].items()}
    if "prefixItems" in made:
        made["prefixItems"] = [_closed(part, document) for part in made["prefixItems"]]
    return made
