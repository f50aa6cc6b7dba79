"""kernel/traffic/json_shape.py: what is different about two JSON texts, values aside."""

import pytest

from gateway.kernel.traffic.json_shape import MOST_DIFFERENCES, shape_differences


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"a": 1, "b": [1, 2]}', b'{"b": [3.5], "a": -7}'),
        (b"[]", b'[{"a": 1}]'),
        (b'[{"a": 1}, {"b": null}]', b'[{"b": null, "a": 5}]'),
        (b"no JSON", b"<html>"),
        (b"9" * 5000, b"1e999"),
        (b'"text"', b'"other"'),
    ],
)
def test_alike(before: bytes, after: bytes) -> None:
    assert shape_differences(before, after) == []


@pytest.mark.parametrize(
    ("before", "after", "differences"),
    [
        (b'{"a": 1}', b'{"a": "1"}', ["a: number, string in the other"]),
        (b'{"a": true}', b'{"a": null}', ["a: boolean, null in the other"]),
        (b'{"a": {"b": 1}}', b'{"a": {"c": 1}}', ["a.b: missing in the other", "a.c: only in the other"]),
        (
            b'{"items": [{"price": 1}, {"price": null}]}',
            b'{"items": [{"price": "1"}]}',
            ["items[].price: null or number, string in the other"],
        ),
        (b"[1]", b'{"a": 1}', ["the whole: array, object in the other", "a: only in the other"]),
        (b"{}", b"oops", ["the whole: JSON, no JSON in the other"]),
        (b"\xff", b"{}", ["the whole: no JSON, JSON in the other"]),
    ],
)
def test_different(before: bytes, after: bytes, differences: list[str]) -> None:
    assert shape_differences(before, after) == differences


def test_few_differences_are_listed_and_none_that_is_too_deep() -> None:
    many = b"{" + b",".join(b'"%d": 1' % number for number in range(99)) + b"}"
    assert len(shape_differences(many, b"{}")) == MOST_DIFFERENCES
    assert len(shape_differences(many, many.replace(b": 1", b": {}"))) == MOST_DIFFERENCES
    assert len(shape_differences(b'{"a": %b}' % many, b'{"a": {}, "b": %b}' % many)) == MOST_DIFFERENCES
    deep = b"[" * 40 + b"%b" + b"]" * 40
    assert shape_differences(deep % b"1", deep % b'"x"') == []
    assert shape_differences(b"[" * 5000 + b"]" * 5000, b"[]") == ["the whole: no JSON, JSON in the other"]


def test_long_names_are_cut() -> None:
    assert shape_differences(b'{"%b": 1}' % (b"x" * 999), b"{}") == [f"{'x' * 64}: missing in the other"]
