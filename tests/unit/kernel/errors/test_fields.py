"""kernel/errors/fields.py: which field a single error is about."""

import pytest

from gateway.kernel.errors.fields import LONGEST_FIELD, add, concerned, field_of, path_of, plain, several
from gateway.kernel.errors.words import FIELDS


@pytest.mark.parametrize(
    ("path", "step", "whole"),
    [
        ("a", "b", "a.b"), ("", "b", "b"), ("a", "", "a"), ("a", "_schema", "a"), ("", "$", ""), ("a", "non_field_errors", "a"), ("", "#/a/b", "a.b"), ("", "/data/attributes/a", "a"),
        ("", "$.a.b", "a.b"), ("", "Lines[0].Sku", "Lines.0.Sku"), ("", "$['a'][1]", "a.1"), ("", "a[]", "a[]"), ("", "/a~1b", "a/b"), ("a", "<img src=x onerror=1>", ""), ("", "postgres://a:b@c/d", ""),
    ],
)  # fmt: skip
def test_add(path: str, step: str, whole: str) -> None:
    assert add(path, step) == whole


def test_a_path_is_bounded() -> None:
    assert len(add("a" * 500, "b" * 500_000)) == LONGEST_FIELD


@pytest.mark.parametrize(
    ("part", "field"),
    [
        (["body", "a", 0, "b"], "a.0.b"), (["body"], ""), ([], ""), ([{"key": "a"}, {"key": 1}, {"x": 1}, None, 10**9, -1], "a.1"), ("a", "a"), (7, ""), (None, ""), ({"a": 1}, ""),
    ],
)  # fmt: skip
def test_a_list_of_steps(part: object, field: str) -> None:
    assert field_of({"path": part}, FIELDS) == field


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"source": {"pointer": "/a"}}, "a"), ({"extensions": {"field": "a"}}, "a"), ({"source": "body"}, ""), ({"location": "body"}, ""), ({"location": "Authorization"}, "Authorization"),
        ({"name": "ValidationError"}, ""), ({"name": "age"}, "age"), ({"instancepath": "/a", "params": {"missingProperty": "b"}}, "a.b"), ({"fields": ["a", "b"]}, ""), ({"fields": ["a"]}, "a"),
    ],
)  # fmt: skip
def test_path_of(value: dict[str, object], field: str) -> None:
    assert path_of(value, value) == field


def test_several() -> None:
    assert several({"fields": ["a", 7, "", "b"]}) == ("a", "b")
    assert several({"fields": ["a"], "keys": "a"}) == ()


@pytest.mark.parametrize(
    ("label", "reported"),
    [("Bad Request", "Bad Request"), ("com.x#NotFound", "NotFound"), ("java.lang.Secret", ""), ("App\\Secret", ""), ("404", ""), ("error", ""), ("https://x", ""), (7, ""), (None, "")],
)  # fmt: skip
def test_plain(label: object, reported: str) -> None:
    assert plain(label) == reported


@pytest.mark.parametrize(
    ("named", "fields"),
    [
        ({"field": "a", "meta": {"argument": "b"}}, ("a",)),
        ({"validation": {"source": "body", "keys": ["a", 7, "", "b.c"]}}, ("a", "b.c")),
        ({"validation": {"source": "body"}}, ()),
        ({"meta": {"argument": "a"}}, ("a",)),
        ({"meta": {"argument": ""}}, ()),
        ({"meta": "argument"}, ()),
        ({}, ()),
    ],
)
def test_fields_that_the_whole_error_is_about(named: dict[str, object], fields: tuple[str, ...]) -> None:
    assert concerned(named) == fields
