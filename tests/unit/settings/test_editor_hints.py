"""settings/editor_hints.py: what editors show beside a field."""

from typing import Any

import pytest

from gateway.settings.editor_hints import example, markdown

DEFINITIONS = {
    "Route": {
        "type": "object",
        "description": "A route.",
        "properties": {"id": {"type": "string", "examples": ["orders"]}, "upstream": {"type": "string"}, "split": {}},
        "required": ["id"],
        "anyOf": [{"required": ["upstream"]}, {"required": ["split"]}],
    },
    "Log": {"type": "object", "properties": {"access": {"type": "boolean", "default": True}, "level": {}}},
    "Deep": {"type": "object", "properties": {"deep": {"$ref": "#/$defs/Deep"}}},
    "Key": {"type": "object", "properties": {"secret": {"type": "string"}}, "allOf": [{"required": ["secret"]}]},
    "Choice": {"anyOf": [{"const": 1}]},
}


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ({"type": "boolean", "default": True}, False),
        ({"type": "boolean"}, True),
        ({"enum": ["a", "b"], "default": "a"}, "b"),
        ({"enum": ["a"], "default": "a"}, "a"),
        ({"type": "string", "default": "5s", "examples": ["30s"]}, "5s"),
        ({"type": "string", "default": "", "examples": ["30s"]}, "30s"),
        ({"const": 1}, 1),
        ({"type": "integer", "minimum": 7}, 7),
        ({"type": "number"}, 1),
        ({"type": "string"}, "a text"),
        ({"type": "array", "items": {"type": "string", "examples": ["x"]}}, ["x"]),
        ({"anyOf": [{"type": "string", "examples": ["30s"]}, {"$ref": "#/$defs/Log"}]}, "30s"),
        ({"anyOf": [{"enum": ["a", "b"]}, {"type": "string"}], "default": "a"}, "b"),
        ({"oneOf": [{"$ref": "#/$defs/Choice"}, {"type": "string"}]}, 1),
        ({"$ref": "#/$defs/Route"}, {"id": "orders", "upstream": "a text"}),
        ({"$ref": "#/$defs/Log"}, {"access": False}),
        ({"$ref": "#/$defs/Key"}, {"secret": "a text"}),
        ({"$ref": "#/$defs/Deep"}, {"deep": {"deep": {"deep": {}}}}),
        ({"type": "object", "patternProperties": {"^x": {"type": "string"}}}, {"X-Request-Source": "a text"}),
        (
            {"type": "object", "propertyNames": {"enum": ["GET"]}, "additionalProperties": {"type": "integer"}},
            {"GET": 1},
        ),
    ],
)
def test_an_example_is_something_that_one_may_write(field: dict[str, Any], expected: Any) -> None:
    assert example("field", field, DEFINITIONS) == expected


def test_texts_have_examples_by_their_name() -> None:
    assert example("password_file", {"type": "string"}, {}) == "/run/secrets/redis"


def test_an_editor_shows_what_a_field_is_its_default_and_an_example() -> None:
    field = {"description": "How long.", "type": "string", "default": "5s"}
    assert markdown("drain_delay", field, {}) == (
        "How long.\n\nDefault: `5s`\n\nExample:\n\n```yaml\ndrain_delay: 5s\n```"
    )
    assert markdown("route", {"$ref": "#/$defs/Route"}, DEFINITIONS) == (
        "A route.\n\nExample:\n\n```yaml\nroute: {id: orders, upstream: a text}\n```"
    )
