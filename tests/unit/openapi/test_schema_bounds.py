"""Schemas by which one value would be decided without end, or very many times."""

from typing import Any

import pytest

from gateway.openapi.model import ApiDocument
from gateway.openapi.schema_bounds import MOST_LEVELS_IN_ONE_PLACE, require_bounds
from gateway.openapi.validator import SchemaError


def bounded(schema: Any, **definitions: Any) -> None:
    require_bounds([schema, True], ApiDocument("", "", "", "", {}, definitions, {}))


def to(name: str) -> dict[str, str]:
    return {"$ref": f"#/$defs/{name}"}


def doubling(keyword: str, levels: int) -> dict[str, Any]:
    """Definitions of which each refers to the next one twice."""
    return {f"A{level}": {keyword: [to(f"A{level + 1}")] * 2} for level in range(levels)} | {f"A{levels}": {}}


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": to("A")}, "patternProperties": {"x": to("A")}},
        {"items": to("A"), "prefixItems": [to("A"), True], "contains": to("A")},
        {"additionalProperties": to("A"), "propertyNames": False},
        {"allOf": [{"properties": {"a": to("A")}}, {"properties": {"a": to("A")}}]},
    ],
)
def test_a_schema_may_lead_back_to_itself_on_the_way_into_a_value(schema: Any) -> None:
    bounded(to("A"), A=schema)


@pytest.mark.parametrize(
    "schema",
    [
        to("A"),
        {"allOf": [{"anyOf": [True, {"oneOf": [to("A")]}]}]},
        {"not": to("A")},
        {"if": True, "then": {"else": to("A")}},
        {"dependentSchemas": {"x": to("A")}},
    ],
)
def test_but_not_in_one_place(schema: Any) -> None:
    for whole in (to("A"), {"properties": {"x": {"items": to("A")}}}):
        with pytest.raises(SchemaError, match="`A` leads back to itself without going into a value"):
            bounded(whole, A=schema)


@pytest.mark.parametrize("keyword", ["allOf", "anyOf", "oneOf"])
def test_schemas_in_one_place_are_counted(keyword: str) -> None:
    bounded(to("A0"), **doubling(keyword, 11))
    with pytest.raises(SchemaError, match="`A18` combines too many schemas in one place"):
        bounded(to("A0"), **doubling(keyword, 30))
    deep: Any = {}
    for _ in range(MOST_LEVELS_IN_ONE_PLACE):
        deep = {"not": deep}
    with pytest.raises(SchemaError, match="a part of it combines too many"):
        bounded({"items": deep})
