"""Parameters and forms, read as the types of their schemas."""

from typing import Any

import pytest

from gateway.openapi.decoding import (
    DOUBLED,
    ValueDecoder,
    decoder_of,
    kinds_of,
    pairs_of,
    properties_of,
    read_all,
    typed,
)
from gateway.openapi.model import ApiDocument, ParameterStyle, Schema

DOCUMENT = ApiDocument(
    "", "", "", "", {}, {"Kind": {"enum": ["a", "b"]}, "Loop": {"anyOf": [{"$ref": "#/$defs/Loop"}]}}, {}
)
ANYTHING: Schema = True
INTEGERS = {"type": "array", "items": {"type": "integer"}}
POINT = {"type": "object", "properties": {"x": {"type": "integer"}, "name": {"type": "string"}}}


def decoder(schema: Schema, style: ParameterStyle = "form", *, explode: bool = True) -> ValueDecoder:
    return decoder_of("p", schema, DOCUMENT, style=style, explode=explode)


def read(query: str, *decoders: ValueDecoder) -> Any:
    pairs = pairs_of(query, 100)
    assert pairs is not None
    return read_all(decoders, pairs)


@pytest.mark.parametrize(
    ("text", "kinds", "value"),
    [
        ("5", {"integer"}, 5),
        ("-5", {"number"}, -5),
        ("5.5", {"number", "null"}, 5.5),
        ("5e2", {"integer"}, 500.0),
        ("5x", {"integer"}, "5x"),
        ("9" * 401, {"integer"}, "9" * 401),
        ("5", {"string"}, "5"),
        ("5", {"string", "integer"}, 5),
        ("true", {"boolean"}, True),
        ("false", {"boolean", "string"}, False),
        ("true", {"integer"}, "true"),
        ("", {"null"}, None),
        ("", {"null", "string"}, ""),
        ("null", {"null", "integer"}, None),
        ("5", {"array", "boolean", "integer", "null", "number", "object", "string"}, "5"),
    ],
)
def test_scalars(text: str, kinds: set[str], value: object) -> None:
    found = typed(text, frozenset(kinds))
    assert (found, type(found)) == (value, type(value))


def test_kinds() -> None:
    def kinds(schema: Schema) -> set[str]:
        return set(kinds_of(schema, DOCUMENT))

    assert kinds({"type": ["integer", "null"]}) == {"integer", "null"}
    assert kinds({"$ref": "#/$defs/Kind"}) == {"string"}
    assert kinds({"enum": [1, 1.5, True, None, [], {}]}) == {"integer", "number", "boolean", "null", "array", "object"}
    assert kinds({"const": "x"}) == {"string"}
    assert kinds({"anyOf": [{"type": "integer"}, {"type": "string"}]}) == {"integer", "string"}
    assert kinds({"type": "string", "oneOf": [{"type": "string"}, {"type": "array"}]}) == {"string"}
    assert kinds({"allOf": [{"type": ["integer", "string"]}, {"type": "integer"}]}) == {"integer"}
    assert len(kinds(ANYTHING)) == len(kinds({"$ref": "#/$defs/Loop"})) == 7


def test_lists() -> None:
    assert read("p=1&p=2", decoder(INTEGERS)) == {"p": [1, 2]}
    assert read("p[]=1&p[]=2", decoder(INTEGERS)) == {"p": [1, 2]}
    assert read("p=1,x", decoder(INTEGERS, explode=False)) == {"p": [1, "x"]}
    assert read("p=", decoder(INTEGERS, explode=False)) == {"p": []}
    assert read("p=", decoder(INTEGERS)) == {"p": [""]}
    assert read("p=1|2", decoder(INTEGERS, "pipe", explode=False)) == {"p": [1, 2]}
    assert read("p=1%202", decoder(INTEGERS, "space", explode=False)) == {"p": [1, 2]}
    assert read("p=1&p=2", decoder(INTEGERS, explode=False)) == {"p": DOUBLED}
    assert read("p=a&p=b", decoder(ANYTHING)) == {"p": ["a", "b"]}
    assert read("p=a", decoder(ANYTHING)) == {"p": "a"}
    assert read("p=3", decoder({"allOf": [INTEGERS]})) == {"p": [3]}


def test_one_value_where_one_is_meant() -> None:
    assert read("p=1", decoder({"type": "integer"})) == {"p": 1}
    assert read("p[]=1", decoder({"type": "integer"})) == {"p[]": "1"}
    assert read("p[]=1", decoder(INTEGERS)) == {"p": [1]}
    assert read("p=1&p=1", decoder({"type": "integer"})) == {"p": DOUBLED}


def test_objects() -> None:
    assert read("p[x]=1&p[name]=2&q=3", decoder(POINT, "deep")) == {"p": {"x": 1, "name": "2"}, "q": "3"}
    assert read("p[x]=1&p[x]=2", decoder(POINT, "deep")) == {"p": {"x": [1, 2]}}
    assert read("p[z]=1", decoder(POINT, "deep")) == {"p": {"z": "1"}}
    assert read("q=1", decoder(POINT, "deep")) == {"q": "1"}
    assert read("p[x=1", decoder(POINT, "deep")) == {"p[x": "1"}
    listed = {"type": "object", "properties": {"ids": INTEGERS}}
    assert read("p[ids]=1", decoder(listed, "deep")) == {"p": {"ids": [1]}}
    assert read("p[ids]=1&p[ids]=x", decoder(listed, "deep")) == {"p": {"ids": [1, "x"]}}
    assert read("x=1&name=2", decoder(POINT)) == {"p": {"x": 1, "name": "2"}}
    assert read("p=x,1,name,2", decoder(POINT, explode=False)) == {"p": {"x": 1, "name": "2"}}


def test_json() -> None:
    assert read("p=%7B%22x%22:1%7D", decoder(POINT, "json")) == {"p": {"x": 1}}
    assert read("p={", decoder(POINT, "json")) == {"p": "{"}
    assert read("p={}&p={}", decoder(POINT, "json")) == {"p": DOUBLED}


def test_queries() -> None:
    assert pairs_of("", 10) == {}
    assert pairs_of("a=1&a=2&&b&li%6Dit=x+y%C3%A9&c=%ff&=", 10) == {
        "a": ["1", "2"],
        "b": [""],
        "limit": ["x yé"],
        "c": ["\ufffd"],
        "": [""],
    }
    assert pairs_of("&" * 10, 9) is None


def test_members() -> None:
    schema = {"properties": {"a": True}, "allOf": [{"properties": {"b": True, "a": False}}], "oneOf": [True]}
    assert properties_of(schema, DOCUMENT) == {"a": True, "b": True}
    assert properties_of({"$ref": "#/$defs/Loop"}, DOCUMENT) == {}
