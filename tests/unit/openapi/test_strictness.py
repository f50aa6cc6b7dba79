"""Schemas for requests, and schemas that refuse what is not described."""

from typing import Any

import msgspec

from gateway.openapi.load import load_document
from gateway.openapi.model import ApiDocument, MediaType, Operation, RequestBody, Response
from gateway.openapi.strictness import for_replies, for_requests, refusing_unknown

DOCUMENT, _ = load_document("tests/documents/pets.yaml")
OLDER, _ = load_document("tests/documents/older.yaml")


def responding(name: str) -> Operation:
    """An operation that answers with a schema, and takes no parameters."""
    reply = Response("", {"application/json": MediaType({"$ref": f"#/$defs/{name}"})}, {})
    return msgspec.structs.replace(DOCUMENT.operations["listPets"], parameters=(), responses={"200": reply})


def test_requests_need_nothing_that_only_replies_have() -> None:
    document, operation = for_requests(DOCUMENT, DOCUMENT.operations["createPet"])
    pet: Any = document.schemas["Pet"]
    assert "required" not in pet["allOf"][1]
    assert operation.body is not None
    bodiless = DOCUMENT.operations["listPets"]
    assert for_requests(DOCUMENT, bodiless)[1] is bodiless
    read_only = ApiDocument(
        "",
        "",
        "",
        "",
        {},
        {
            "Id": {"readOnly": True},
            "Other": {"type": "string"},
            "A": {"required": ["a", "b", "c"], "properties": {"a": {"$ref": "#/$defs/Id"}, "c": True}},
        },
        {},
    )
    made = for_requests(read_only, responding("A"))[0].schemas
    assert (set(made), made["A"]["required"]) == ({"A", "Id"}, ["b", "c"])  # type: ignore[index]


def test_replies_need_nothing_that_only_requests_have() -> None:
    pet: Any = {"required": ["id", "secret"], "properties": {"id": {"readOnly": True}, "secret": {"writeOnly": True}}}
    document = msgspec.structs.replace(DOCUMENT, schemas={"Pet": pet})
    content = {"a/json": MediaType(pet), "b/json": MediaType({"$ref": "#/$defs/Pet"})}
    operation = msgspec.structs.replace(responding("Pet"), responses={"200": Response("", content, {})})
    document, operation = for_replies(document, operation)
    made: list[Any] = [document.schemas["Pet"], operation.responses["200"].content["a/json"].schema]
    assert [each["required"] for each in made] == [["id"], ["id"]]


def test_what_is_required_may_be_described_elsewhere() -> None:
    """In another part of the same `allOf`; a reference in a circle ends."""
    base: Any = {"properties": {"id": {"readOnly": True}, "name": {}}, "allOf": [{"$ref": "#/$defs/Base"}]}
    whole: Any = {"allOf": [{"$ref": "#/$defs/Base"}, {"required": ["id", "name"]}, {"allOf": [{"required": ["id"]}]}]}
    other: Any = {"properties": {"below": {"required": ["id"]}}, "allOf": [{"$ref": "#/$defs/Base"}]}
    schemas = {"Base": base, "Whole": whole, "Other": other}
    document = msgspec.structs.replace(DOCUMENT, schemas=schemas)
    schema: Any = {"anyOf": [{"$ref": f"#/$defs/{name}"} for name in schemas]}
    body = RequestBody(required=True, content={"a/json": MediaType(schema)})
    operation = msgspec.structs.replace(DOCUMENT.operations["createPet"], body=body, responses={})
    made: dict[str, Any] = for_requests(document, operation)[0].schemas
    assert made["Whole"]["allOf"][1:] == [{"required": ["name"]}, {"allOf": [{}]}]
    assert made["Other"]["properties"]["below"] == {"required": ["id"]}


def closed(schema: Any, **definitions: Any) -> tuple[Any, dict[str, Any]]:
    document, (made,) = refusing_unknown(ApiDocument("", "", "", "", {}, definitions, {}), [schema])
    return made, document.schemas


def test_what_is_closed() -> None:
    no = {"unevaluatedProperties": False}
    shape = {"properties": {"a": True}}
    assert closed(shape)[0] == shape | no
    assert closed({"items": shape, "prefixItems": [shape]})[0] == {"items": shape | no, "prefixItems": [shape | no]}
    assert closed({"properties": {"b": shape}})[0] == {"properties": {"b": shape | no}} | no
    assert closed({"allOf": [shape, True]})[0] == {"allOf": [shape, True]} | no
    made, definitions = closed({"$ref": "#/$defs/T"}, T=shape | {"properties": {"t": shape}})
    assert made == {"$ref": "#/$defs/T"} | no
    assert definitions["T"] == {"properties": {"t": shape | no}}


def test_what_stays_open() -> None:
    for schema in (True, {}, {"type": "object"}, {"properties": {"a": True}, "additionalProperties": True}):
        assert closed(schema)[0] == schema
