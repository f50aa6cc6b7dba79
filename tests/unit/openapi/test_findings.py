"""The words for what is wrong with a value."""

from typing import Any

import pytest

from gateway.openapi.findings import Finding, pointer, spelled
from gateway.openapi.validator import Validator


def texts(schema: Any, value: Any) -> list[tuple[str, str]]:
    return [(spelled(each.way), each.text) for each in Validator(schema, {}).findings(value)]


@pytest.mark.parametrize(
    ("schema", "value", "text"),
    [
        ({"type": "integer"}, 1.5, "This must be a whole number."),
        ({"type": ["string", "null", "boolean"]}, 1, "This must be null, true or false or a text."),
        ({"format": "email"}, "x", "This must be an e-mail address."),
        ({"enum": [1, "a"]}, 2, "This must be 1 or a."),
        ({"enum": list(range(12))}, "x", "This must be one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more."),
        ({"const": 3}, 4, "This must be 3."),
        ({"pattern": "^a"}, "b", "This must match the regular expression ^a"),
        ({"minimum": 3}, 1, "This must be 3 or more."),
        ({"maximum": 3}, 5, "This must be 3 or less."),
        ({"exclusiveMinimum": 3}, 3, "This must be more than 3."),
        ({"exclusiveMaximum": 3}, 3, "This must be less than 3."),
        ({"multipleOf": 3}, 5, "This must be a multiple of 3."),
        ({"minLength": 1}, "", "This must have 1 character or more."),
        ({"maxLength": 2}, "abc", "This must have 2 characters or fewer."),
        ({"minItems": 2}, [], "This must have 2 items or more."),
        ({"maxItems": 1}, [1, 2], "This must have 1 item or fewer."),
        ({"minProperties": 1}, {}, "This must have 1 field or more."),
        ({"maxProperties": 0}, {"a": 1}, "This must have 0 fields or fewer."),
        ({"uniqueItems": True}, [1, 1], "This has the same item twice."),
        ({"contains": {"const": 1}}, [2], "This has too few or too many items of the kind that is asked for."),
        ({"not": {}}, 1, "What stands here is not allowed."),
        (False, 1, "Nothing may stand here."),
        ({"unevaluatedItems": False}, [1], "This has more items than are possible here."),
        ({"enum": [None, True, {"a": "é"}]}, 2, 'This must be null, true or {"a": "é"}.'),
        ({"additionalProperties": False}, {"a": 1}, "This may have no fields."),
        ({"anyOf": [{"minimum": 9}, {"maximum": 1}]}, 5, "None of the 2 forms that are possible here fits."),
        ({"oneOf": [True, True]}, 5, "More than one of the forms that are possible here fits, and only one may."),
    ],
)
def test_texts(schema: Any, value: Any, text: str) -> None:
    assert texts(schema, value) == [("", text)]


def test_fields() -> None:
    schema = {
        "required": ["a", "b"],
        "properties": {"c": {"items": {"required": ["d"]}}},
        "additionalProperties": False,
    }
    assert set(texts(schema, {"c": [{}], "x": 1, "y": 2})) == {
        ("a", "This is missing."),
        ("b", "This is missing."),
        ("c[0].d", "This is missing."),
        ("x", "There is no field of this name."),
        ("y", "There is no field of this name."),
    }
    assert texts({"propertyNames": {"maxLength": 1}}, {"ab": 1}) == [
        ("ab", "This name is not allowed: This must have 1 character or fewer.")
    ]
    assert texts({"dependentRequired": {"a": ["b"]}}, {"a": 1}) == [("b", "This is missing.")]


def test_the_choice_that_was_meant() -> None:
    dog = {"type": "object", "required": ["bark"], "properties": {"kind": {"const": "dog"}}}
    cat = {"type": "object", "required": ["purr"], "properties": {"kind": {"enum": ["cat"]}}}
    for keyword in ("oneOf", "anyOf"):
        schema = {keyword: [dog, cat, {"type": "null"}]}
        assert texts(schema, {"kind": "cat"}) == [("purr", "This is missing.")]
        assert texts(schema, {"kind": "cow"}) == [("kind", "This must be dog or cat.")]
        assert texts(schema, 5) == [("", "This must be an object or null.")]
    assert texts({"oneOf": [dog, {"required": ["bark", "tail"]}, {"required": ["bark"], "minimum": 1}]}, {}) == [
        ("bark", "This is missing.")
    ]
    assert texts({"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}, {}) == [
        ("", "None of the 2 forms that are possible here fits.")
    ]


def test_what_is_only_missing() -> None:
    assert [Finding((), keyword, "").missing for keyword in ("required", "type")] == [True, False]


def test_spelling() -> None:
    assert spelled(["body", "tags", 2, "name"]) == "body.tags[2].name"
    assert pointer(["tags", 2, "a/b~c"]) == "/tags/2/a~1b~0c"
    assert spelled([]) == pointer([]) == ""
    assert len(spelled(["x" * 500])) == 200
