"""The JSON Schema of the configuration, which editors use for completion and checks."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from gateway.kernel.faults import CATALOGUE
from gateway.settings.document.includes import EXTENSION
from gateway.settings.editor_hints import markdown
from gateway.settings.schema.config import Config

_NAMES = "Reference"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_KEPT_BESIDE = ("description", "default", "title")


def json_schema() -> dict[str, Any]:
    """Draft 2020-12. Wherever one value stands, a text with a `${…}` may stand, too."""
    generated = Config.model_json_schema()
    definitions = {name: _section(part) for name, part in generated.pop("$defs").items()}
    definitions[_NAMES] = {
        "type": "string",
        "pattern": r"\$\{",
        "description": "`${VAR}`, `${VAR:-default}`, `${VAR:?message}` or `${file:path}`",
    }
    section = _section(generated)
    section["properties"]["errors"]["properties"] = dict(_faults())
    for part in (section, *definitions.values()):
        for name, field in part.get("properties", {}).items():
            field["markdownDescription"] = markdown(name, field, definitions)
    whole = {
        **section,
        "patternProperties": {f"^{EXTENSION}": {"description": "Means nothing: a home for anchors."}},
    }
    return {"$schema": _DIALECT, "title": "Configuration of the gateway", **whole, "$defs": definitions}


def _faults() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what editors show of each name under `errors`."""
    for fault in CATALOGUE.values():
        text = f"{fault.status}, code {fault.code}: {fault.developer_message or fault.message}"
        yield fault.name, {"$ref": "#/$defs/ErrorOverride", "description": text}


def json_schema_text() -> str:
    """Return the file `config/gateway.schema.json`."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _section(part: dict[str, Any]) -> dict[str, Any]:
    """Return a section's schema with its fields made ready for editors. pydantic's titles only repeat the names."""
    plain = {key: value for key, value in part.items() if key != "title"}
    plain["properties"] = {name: _field(schema) for name, schema in part["properties"].items()}
    return plain


def _field(schema: dict[str, Any]) -> dict[str, Any]:
    beside: dict[str, Any] = {
        key: schema[key] for key in ("description", "default") if key in schema and schema[key] is not None
    }
    if isinstance(beside.get("default"), dict) or beside.get("default") == []:
        del beside["default"]
    return {**beside, **_value({key: value for key, value in schema.items() if key not in _KEPT_BESIDE})}


def _value(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a value's schema: null never stands in a file, and what is one word may come from a variable."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == 1:
        return _value(choices[0])
    if any("$ref" in choice for choice in choices):
        return {"anyOf": [_value(choice) for choice in choices]}
    if "$ref" in schema:
        return schema
    if schema.get("type") == "array":
        return {**schema, "items": _value(schema["items"])}
    if schema.get("type") == "object":
        return {key: _MAPPED[key](part) if key in _MAPPED else part for key, part in schema.items()}
    if schema == {"type": "string"}:
        return schema
    return {"anyOf": [schema, {"$ref": f"#/$defs/{_NAMES}"}]}


_MAPPED: dict[str, Callable[[Any], Any]] = {
    "additionalProperties": _value,
    "patternProperties": lambda parts: {pattern: _value(part) for pattern, part in parts.items()},
}
