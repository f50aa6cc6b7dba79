"""openapi/sample_values.py: values that fit schemas."""

from typing import Any

import jsonschema
import pytest

from gateway.openapi.model import ApiDocument
from gateway.openapi.sample_values import MOST_VALUES, sample_value

SCHEMAS: dict[str, Any] = {
    "Pet": {
        "type": "object",
        "required": ["name"],
        "properties": {"name": {"type": "string", "minLength": 9}, "parent": {"$ref": "#/$defs/Pet"}},
    },
    "Loop": {"$ref": "#/$defs/Loop"},
    "Wide": {"type": "object", "properties": {str(n): {"$ref": "#/$defs/Wide"} for n in range(50)}},
}
DOCUMENT = ApiDocument("f", "t", "1", "", {}, SCHEMAS, {})


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string"},
        {"type": "string", "minLength": 3, "maxLength": 4},
        {"type": "string", "format": "date-time"},
        {"type": ["null", "integer"], "minimum": 5},
        {"type": "integer", "exclusiveMinimum": 5, "maximum": 6},
        {"type": "integer", "maximum": -3},
        {"type": "number", "exclusiveMaximum": 1},
        {"type": "integer", "minimum": 5, "multipleOf": 4},
        {"type": "boolean"},
        {"type": "null"},
        {"type": "array", "items": {"type": "integer"}, "minItems": 3},
        {"items": {"enum": ["a", "b"]}},
        {"properties": {"a": {"const": 1}, "b": {"default": "x"}}, "required": ["a"]},
        {"$ref": "#/$defs/Pet"},
        {
            "allOf": [
                {"$ref": "#/$defs/Pet"},
                {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]},
            ]
        },
        {"oneOf": [{"type": "string"}, {"type": "integer"}]},
        {"type": "object", "anyOf": [{"required": ["a"], "properties": {"a": {"type": "string"}}}]},
        True,
        {"oneOf": [{"$ref": "#/$defs/Pet", "properties": {"kind": {"enum": ["dog"]}}}, {"type": "null"}]},
        {},
    ],
)
def test_a_value_fits_its_schema(schema: Any) -> None:
    value = sample_value(DOCUMENT, schema)
    whole = schema if isinstance(schema, bool) else {**schema, "$defs": SCHEMAS}
    jsonschema.validate(value, whole, format_checker=jsonschema.FormatChecker())


def test_what_the_schema_shows_is_the_value() -> None:
    assert sample_value(DOCUMENT, {"type": "string", "examples": ["Rex"], "default": "x"}) == "Rex"
    assert sample_value(DOCUMENT, {"type": "string", "example": "Rex", "default": "x"}) == "Rex"
    assert sample_value(DOCUMENT, {"allOf": [{"type": "integer"}, {"minimum": 1}]}) == 1
    assert sample_value(DOCUMENT, {"allOf": [True]}) == {}
    kind = {"$ref": "#/$defs/Pet", "properties": {"name": {"enum": ["Rex the first"]}}}
    assert sample_value(DOCUMENT, kind)["name"] == "Rex the first"


def test_recursion_and_width_end() -> None:
    assert sample_value(DOCUMENT, {"$ref": "#/$defs/Loop"}) == "string"
    assert str(sample_value(DOCUMENT, {"$ref": "#/$defs/Pet"})).count("name") < 9
    assert str(sample_value(DOCUMENT, {"$ref": "#/$defs/Wide"})).count(":") <= 51 * MOST_VALUES
