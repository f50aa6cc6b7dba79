"""What editors show beside a field of the configuration: its default, and an example of how it is written."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import yaml

FieldSchema: TypeAlias = Mapping[str, Any]

_TEXTS: dict[str, str] = {
    "ca": "/etc/gateway/ca.pem",
    "certificate": "/etc/gateway/tls.pem",
    "client_ca": "/etc/gateway/clients.pem",
    "developer_message": "Ask for less at once.",
    "endpoint": "http://collector:4318/v1/traces",
    "message": "Please try again later.",
    "name": "X-Session",
    "openapi": "orders.yaml",
    "operation": "createOrder",
    "password": "${REDIS_PASSWORD}",
    "path": "/healthz",
    "password_file": "/run/secrets/redis",
    "private_key": "/etc/gateway/tls.key",
    "schema": "order.schema.json",
    "title": "How limits work",
    "token": "${file:/run/secrets/admin-token}",
    "username": "gateway",
}
"""Examples of plain texts, by the name of the field."""
_DEPTH = 3
"""Sections within sections are shown so far."""


def markdown(name: str, field: FieldSchema, definitions: FieldSchema) -> str:
    """Return what an editor shows of `field`: its description, its default and an example in YAML."""
    part = definitions.get(str(field.get("$ref", "")).rpartition("/")[2], {})
    parts = [str(field.get("description") or part.get("description", ""))]
    if "default" in field:
        parts.append(f"Default: `{json.dumps(field['default'], ensure_ascii=False).strip(chr(34))}`")
    value = example(name, field, definitions)
    written = yaml.safe_dump([value], default_flow_style=True, width=1000, sort_keys=False).strip()[1:-1]
    parts.append(f"Example:\n\n```yaml\n{name}: {written}\n```")
    return "\n\n".join(filter(None, parts))


def example(name: str, field: FieldSchema, definitions: FieldSchema, depth: int = 0) -> Any:
    """Return a value that the schema `field` of the key `name` accepts."""
    if "$ref" in field:
        return _section(definitions[field["$ref"].rpartition("/")[2]], definitions, depth + 1)
    for choices in ("anyOf", "oneOf"):
        if choices in field:
            return example(name, {**field[choices][0], **_default(field)}, definitions, depth)
    default = field.get("default")
    if field.get("type") == "boolean":
        return not default
    if "enum" in field:
        return next((each for each in field["enum"] if each != default), field["enum"][0])
    if default not in (None, "", [], {}):
        return default
    if "const" in field:
        return field["const"]
    if "examples" in field:
        return field["examples"][0]
    if field.get("type") == "array":
        return [example(name, field["items"], definitions, depth)]
    if field.get("type") == "object":
        return _mapping(name, field, definitions, depth)
    if field.get("type") in ("integer", "number"):
        return max(1, field.get("minimum", 1))
    return _TEXTS.get(name, "a text")


def _default(field: FieldSchema) -> FieldSchema:
    return {"default": field["default"]} if "default" in field else {}


def _section(section: FieldSchema, definitions: FieldSchema, depth: int) -> Any:
    """Return a section with what it must have, or else with the first of its fields."""
    if section.get("type") != "object":
        return example("", section, definitions, depth)
    fields = section.get("properties", {})
    if depth > _DEPTH:
        return {}
    names = [*_required(section)] or [*fields][:1]
    return {name: example(name, fields[name], definitions, depth) for name in names}


def _required(section: FieldSchema) -> Iterator[str]:
    """Yield the fields that a section must have; of several ways the first."""
    yield from section.get("required", ())
    for part in section.get("allOf", ()):
        yield from _required(part)
    if "anyOf" in section:
        yield from _required(section["anyOf"][0])


def _mapping(name: str, field: FieldSchema, definitions: FieldSchema, depth: int) -> dict[str, Any]:
    """Return a mapping with one key, which is a name that is known, or that of a header field."""
    names = field.get("propertyNames", {})
    key = [*names.get("enum", ()), *names.get("examples", ()), "X-Request-Source"][0]
    values = [*field.get("patternProperties", {}).values(), field.get("additionalProperties")]
    return {key: example(name, next(each for each in values if isinstance(each, dict)), definitions, depth)}
