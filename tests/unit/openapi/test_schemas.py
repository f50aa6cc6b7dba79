"""Schemas of older versions in JSON Schema 2020-12."""

from pathlib import Path
from typing import Any

import pytest

from gateway.openapi.load import load_document
from gateway.settings import ConfigError


def converted(schema: str, version: str = "3.0.0") -> Any:
    document, _ = load_document(
        "-",
        f"openapi: {version}\npaths: {{/a: {{get: {{parameters: [{{name: q, in: query, schema: {schema}}}]}}}}}}".encode(),
    )
    (operation,) = document.operations.values()
    return operation.parameters[0].schema


def test_null() -> None:
    assert converted("{type: string, nullable: true, enum: [a]}") == {"type": ["string", "null"], "enum": ["a", None]}
    assert converted("{nullable: true}") == {}
    assert converted("{nullable: true, title: t, minimum: 1}") == {
        "title": "t",
        "anyOf": [{"minimum": 1}, {"type": "null"}],
    }
    assert converted("{nullable: true, type: string}", "3.1.0") == {"type": "string"}


def test_discriminators() -> None:
    document = """
openapi: 3.0.0
paths: {/a: {get: {parameters: [{name: q, in: query, schema: %s}]}}}
components: {schemas: {Cat: {type: object}, Dog: {type: object}}}
"""
    cat, dog = "#/components/schemas/Cat", "#/components/schemas/Dog"
    forms = f"{{oneOf: [{{$ref: '{cat}'}}, {{$ref: '{dog}'}}, {{type: string}}], discriminator: {{%s}}}}"

    def converted_forms(discriminator: str) -> Any:
        loaded, _ = load_document("-", (document % (forms % discriminator)).encode())
        (operation,) = loaded.operations.values()
        schema: Any = operation.parameters[0].schema
        return schema["oneOf"]

    mapping = f"propertyName: kind, mapping: {{cat: '{cat}', tom: Cat, dog: '{dog}'}}"
    plain = [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}, {"type": "string"}]
    assert converted_forms(mapping) == [
        plain[0] | {"properties": {"kind": {"enum": ["cat", "tom"]}}},
        plain[1] | {"properties": {"kind": {"enum": ["dog"]}}},
        plain[2],
    ]
    for other in ("propertyName: kind", f"propertyName: kind, mapping: {{cat: '{cat}'}}"):
        assert converted_forms(other) == plain
    with pytest.raises(ConfigError, match="refers to nothing"):
        load_document("-", (document % (forms % mapping)).replace("Dog: {", "Cow: {").encode())


def test_bounds() -> None:
    assert converted("{minimum: 1, exclusiveMinimum: true, maximum: 2, exclusiveMaximum: false}") == {
        "exclusiveMinimum": 1,
        "maximum": 2,
    }
    assert converted("{type: integer, format: int32, minimum: 0}") == {
        "type": "integer",
        "format": "int32",
        "minimum": 0,
        "maximum": 2147483647,
    }
    assert converted("{type: integer, format: int32, exclusiveMinimum: 0, exclusiveMaximum: 9}", "3.1.0") == {
        "type": "integer",
        "format": "int32",
        "exclusiveMinimum": 0,
        "exclusiveMaximum": 9,
    }
    assert converted("{type: string, format: int32}") == {"type": "string", "format": "int32"}


def test_keywords() -> None:
    assert converted("{type: file, xml: {}, required: true, example: 3}") == {"examples": [3]}
    assert converted("{items: [{type: string}], examples: [1], required: []}", "3.1.0") == {
        "prefixItems": [{"type": "string"}],
        "examples": [1],
    }
    assert converted("{type: [string, 'null', string], not: false, properties: {a: true}}", "3.1.0") == {
        "type": ["string", "null"],
        "not": False,
        "properties": {"a": True},
    }
    assert converted(
        "{properties: {$ref: '#/paths/~1a/get/parameters/0/schema/items'}, items: {a: {type: string}}}"
    ) == {
        "properties": {"a": {"type": "string"}},
        "items": {},
    }
    assert converted("{default: null, const: {a: [1]}, patternProperties: {^a: {}}}", "3.1.0") == {
        "default": None,
        "const": {"a": [1]},
        "patternProperties": {"^a": {}},
    }


def test_references_are_bundled(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("""
openapi: 3.1.0
paths:
  /a:
    get:
      parameters:
        - {name: a, in: query, schema: {$ref: "b.yaml#/Pet", description: here}}
        - {name: b, in: query, schema: {$ref: "#/components/schemas/Pet"}}
        - {name: c, in: query, schema: {$ref: "b.yaml#/list/0"}}
        - {name: d, in: query, schema: {$ref: "c.yaml"}}
components: {schemas: {Pet: {type: string, pattern: ^a}}}
""")
    (tmp_path / "b.yaml").write_text("Pet: {items: {$ref: '#/Pet'}}\nlist: [{type: 'null'}]")
    (tmp_path / "c.yaml").write_text("type: boolean")
    document, _ = load_document(str(tmp_path / "a.yaml"))
    schemas: list[Any] = [each.schema for each in document.operations["get-a"].parameters]
    assert schemas == [
        {"$ref": "#/$defs/Pet", "description": "here"},
        {"$ref": "#/$defs/Pet-2"},
        {"$ref": "#/$defs/0"},
        {"$ref": "#/$defs/c"},
    ]
    assert document.schemas == {
        "Pet": {"items": {"$ref": "#/$defs/Pet"}},
        "Pet-2": {"type": "string", "pattern": "^a"},
        "0": {"type": "null"},
        "c": {"type": "boolean"},
    }
    assert [(where.source.name, where.line) for where in document.patterns.values()] == [(str(tmp_path / "a.yaml"), 11)]
    assert set(document.reachable({"anyOf": [schemas[0]]})) == {"Pet"}
    assert document.resolved(schemas[3]) == {"type": "boolean"}


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ("[1]", "a schema is wanted here, which is a mapping"),
        ("{$ref: '#/none'}", "`#/none` refers to nothing"),
        ("{allOf: []}", "a list of schemas is wanted here"),
        ("{type: text}", "`text` is not a type of JSON"),
        ("{pattern: [1]}", "a regular expression is wanted here"),
    ],
)
def test_what_is_no_schema_is_reported(schema: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        converted(schema)
    (problem,) = caught.value.problems
    assert problem.text.startswith(text)


def test_what_stands_beside_a_reference_means_nothing_before_version_3_1() -> None:
    here = (
        "{$ref: '#/paths/~1a/get/parameters/0/schema/properties/b', description: here, properties: {b: {type: string}}}"
    )
    assert list(converted(here)) == ["$ref"]
    assert list(converted(here, "3.1.0")) == ["$ref", "description", "properties"]
    assert converted("{anyOf: [true, {type: integer}]}") == {"anyOf": [True, {"type": "integer"}]}
