"""openapi/publish/components.py: schemas of several documents beside one another."""

import json
from typing import Any

import pytest

from gateway.openapi.model import DEFINITION, ApiDocument
from gateway.openapi.publish.components import Components
from gateway.openapi.publish.envelope_schemas import COMPONENT, ENVELOPE


def document(file: str, **schemas: Any) -> ApiDocument:
    return ApiDocument(file, "", "", "", {}, schemas, {})


def test_references_lead_to_components() -> None:
    components = Components()
    one = document(
        "a", Pet={"properties": {"tags": {"items": {"$ref": "#/$defs/Tag«x»"}}}}, **{"Tag«x»": {"type": "string"}}
    )
    made = components.schema(one, {"anyOf": [{"$ref": "#/$defs/Pet"}, True], "enum": ["$ref"]})
    assert made == {"anyOf": [{"$ref": "#/components/schemas/Pet"}, True], "enum": ["$ref"]}
    assert components.schemas["Pet"]["properties"]["tags"]["items"] == {"$ref": "#/components/schemas/Tag_x_"}
    assert components.schemas["Tag_x_"] == {"type": "string"}


def test_chains_of_schemas_may_be_long() -> None:
    chain = {f"S{number}": {"properties": {"next": {"$ref": f"#/$defs/S{number + 1}"}}} for number in range(3000)}
    components = Components()
    components.schema(document("a", **chain, S3000=True), {"$ref": "#/$defs/S0"})
    assert components.schemas["S2999"] == {"properties": {"next": {"$ref": "#/components/schemas/S3000"}}}


def test_data_stays_as_it_is() -> None:
    schema = {
        "examples": [{"$ref": "#/components/examples/x"}],
        "enum": [{"default": 1}],
        "properties": {"default": {"$ref": "#/$defs/A"}, "enum": True, "$ref": {"type": "string"}},
    }
    made = Components().schema(document("a", A={"type": "string"}), schema)
    assert (made["examples"], made["enum"]) == (schema["examples"], schema["enum"])
    assert made["properties"] == {
        "default": {"$ref": "#/components/schemas/A"},
        "enum": True,
        "$ref": {"type": "string"},
    }


@pytest.mark.parametrize(
    ("schema", "stays"),
    [
        ({"type": "integer", "default": 3}, True),
        ({"type": "number", "default": 3}, True),
        ({"type": "string", "default": 3}, False),
        ({"type": "string", "default": None}, False),
        ({"type": ["string", "null"], "default": None}, True),
        ({"oneOf": [{"type": "string"}, {"type": "array"}], "default": None}, False),
        ({"type": "string", "enum": ["a"], "default": "b"}, False),
        ({"type": "string", "enum": ["a"], "default": "a"}, True),
        ({"default": None}, True),
    ],
)
def test_a_default_that_does_not_fit_is_left_out(schema: Any, stays: bool) -> None:  # noqa: FBT001 - of the table
    assert ("default" in Components().schema(document("a"), schema)) == stays


def test_a_name_that_is_taken_gets_a_number() -> None:
    components = Components()
    for file in ("a", "b", "c"):
        components.schema(document(file, Error={"const": file}), {"$ref": "#/$defs/Error"})
    assert [components.schemas[name] for name in ("Error-2", "Error-3", "Error-4")] == [
        {"const": "a"},
        {"const": "b"},
        {"const": "c"},
    ]


def test_schemas_may_be_recursive() -> None:
    components = Components()
    one = document("a", Node={"properties": {"next": {"$ref": "#/$defs/Node"}, "$ref": {"type": "string"}}})
    components.schema(one, {"$ref": "#/$defs/Node"})
    assert components.schemas["Node"]["properties"] == {
        "next": {"$ref": "#/components/schemas/Node"},
        "$ref": {"type": "string"},
    }


def test_the_envelope_of_another_gateway_is_the_same() -> None:
    components = Components()
    theirs = json.loads(json.dumps(ENVELOPE).replace(COMPONENT, DEFINITION))
    one = document("a", Message=theirs["Message"], Link=theirs["Link"])
    assert components.schema(one, {"$ref": "#/$defs/Message"}) == {"$ref": "#/components/schemas/Message"}
    other = document("b", Message={**theirs["Message"], "title": "x"}, Link=theirs["Link"])
    assert components.schema(other, {"$ref": "#/$defs/Message"}) == {"$ref": "#/components/schemas/Message-2"}
    assert set(components.schemas) == {*ENVELOPE, "Message-2"}
