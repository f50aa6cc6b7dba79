"""Values that are valid or not, and what is said about those that are not."""

import sys
from typing import Any

import pytest

from gateway.openapi.findings import Finding
from gateway.openapi.validator import MOST_FINDINGS, MissingExtraError, SchemaError, Validator, names_in

TEXTS = {"type": "array", "items": {"type": "string"}}


def found(schema: Any, value: Any, definitions: Any = None) -> list[Finding]:
    validator = Validator(schema, definitions or {})
    assert not validator.is_valid(value)
    return validator.findings(value)


def test_definitions() -> None:
    validator = Validator({"$ref": "#/$defs/A"}, {"A": {"items": {"$ref": "#/$defs/A"}, "type": "array"}})
    assert validator.is_valid([[], [[]]])
    assert validator.findings([[1]]) == [Finding((0, 0), "type", "This must be a list.")]
    assert Validator({"$ref": "#/$defs/L"}, {"L": {"$ref": "#/$defs/L"}}).is_valid(1)


@pytest.mark.parametrize("pattern", ["(?=a)b", r"(a)\1", "(", "(a{1000}){1000}{1000}"])
def test_patterns_that_cannot_be_matched_in_linear_time(pattern: str) -> None:
    with pytest.raises(SchemaError) as caught:
        Validator({"properties": {"a": {"pattern": pattern}}}, {})
    assert caught.value.pattern == pattern


@pytest.mark.parametrize("schema", [{"type": "none"}, {"$ref": "#/$defs/none"}, {"$ref": "http://a/b"}])
def test_schemas_that_cannot_be_compiled(schema: Any) -> None:
    with pytest.raises(SchemaError) as caught:
        Validator(schema, {})
    assert caught.value.pattern is None


def test_schemas_that_are_too_deep() -> None:
    schema: Any = {}
    for _ in range(600):
        schema = {"properties": {"a": schema}}
    with pytest.raises(SchemaError):
        Validator(schema, {})


def test_a_hundred_faults_are_all_listed() -> None:
    assert [each.way for each in found(TEXTS, [1] * 100)] == [(at,) for at in range(100)]
    assert len(found(TEXTS, [1] * 1000)) == MOST_FINDINGS


def test_faults_far_down_a_long_list() -> None:
    value = ["x"] * 12_000
    value[11_123] = 1  # type: ignore[call-overload]
    assert found({"properties": {"a": TEXTS}}, {"a": value}) == [Finding(("a", 11_123), "type", "This must be a text.")]
    assert found(TEXTS | {"maxItems": 5}, ["x"] * 5000)[0].keyword == "maxItems"


def test_parts_of_large_values_have_no_faults_of_their_own() -> None:
    members: dict[str, Any] = {f"m{number}": [] for number in range(3000)} | {"wanted": 1, "bad": 2}
    assert found({"required": ["wanted", "none"]}, members) == [Finding(("none",), "required", "This is missing.")]
    (finding,) = found({"minItems": 5000}, [0] * 3000)
    assert finding == Finding((), "", "This does not fit its schema, and is too large to say where.")
    (finding,) = found({"items": {"minItems": 1}, "type": "array"}, [[1]] * 2500 + [[]])
    assert finding.way == (2500,)


def test_choices_within_choices() -> None:
    tree = {
        "T": {
            "oneOf": [
                {"type": "object", "properties": {"c": {"$ref": "#/$defs/T"}}, "required": ["c"]},
                {"type": "string"},
            ]
        }
    }
    value: Any = 1
    for _ in range(5):
        value = {"c": value}
    assert found({"$ref": "#/$defs/T"}, value, tree)[0].way == ("c",) * 5
    for _ in range(90):
        value = {"c": value}
    assert found({"$ref": "#/$defs/T"}, value, tree) == [
        Finding((), "", "This does not fit its schema, and is nested too deeply to say where.")
    ]


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema_rs", None)
    with pytest.raises(MissingExtraError):
        Validator({}, {})
    assert "[openapi]" in MissingExtraError.HINT


def test_definitions_that_refer_to_one_another() -> None:
    definitions = {
        "A": {"oneOf": [{"$ref": "#/$defs/B"}, {"type": "null"}]},
        "B": {"type": "object", "required": ["b"]},
    }
    value: Any = {}
    assert [each.way for each in found({"$ref": "#/$defs/A"}, value, definitions)] == [("b",)]


def test_parts_of_parts_that_are_cut() -> None:
    value = {"a": [{"b": 1} for _ in range(3000)], "c": {}}
    schema = {"properties": {"c": {"required": ["d"]}, "a": {"items": {"required": ["b"]}}}}
    assert [each.way for each in found(schema, value)] == [("c", "d")]


def test_fields_that_only_were_not_considered_are_not_called_unknown() -> None:
    """`unevaluatedProperties` knows nothing of schemas that refuse the value for another reason."""
    schema: Any = {
        "allOf": [{"properties": {"a": {"type": "integer"}, "b": {"unevaluatedProperties": False, "properties": {}}}}],
        "unevaluatedProperties": False,
    }
    one = Validator(schema, {})

    def found(value: Any) -> set[tuple[str | int, ...]]:
        return {each.way for each in one.findings(value)}

    assert found({"a": "x", "z": 1}) == {("a",), ("z",)}
    assert found({"b": {"y": 1}, "a": 1}) == {("b", "y")}
    assert found({"z": 1}) == {("z",)}
    assert names_in(schema, {"required": ["c", 5]}) == {"a", "b", "c"}
