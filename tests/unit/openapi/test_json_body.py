"""Bodies of JSON that are checked as any parser reads them."""

import json

import pytest

from gateway.openapi.json_body import MOST_LEVELS, BodyError, read_json, size_of


@pytest.mark.parametrize(
    "value",
    [
        None,
        1,
        1.5,
        "x",
        [],
        {},
        {"a": {"a": 1}, "b": [1, {"a": "é\u2028"}]},
        {"a": ":\\u003a", "b:": "\x1f\\/:"},
        [[]] * 200,
        {"a": 10**30, "b": 1.0, "c": 1e300},
    ],
)
@pytest.mark.parametrize("written", [json.dumps, lambda value: json.dumps(value, indent=2, ensure_ascii=False)])
def test_what_is_read(value: object, written: "type[str]") -> None:
    assert read_json(written(value).encode()) == value


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "The body is not valid JSON: it breaks off."),
        (b'{"a":', "The body is not valid JSON: it breaks off."),
        (b"[NaN]", "The body is not valid JSON: invalid character (byte 1)."),
        (b"\xef\xbb\xbf{}", "The body is not valid JSON: it begins with a byte order mark."),
        (b'"\\ud800"', "The body is not valid JSON: it breaks off, or has one half of a surrogate pair."),
        (b"{} {}", "The body is not valid JSON: trailing characters (byte 4)."),
        (b'{"a":1,"b":{"c":1,"\\u0063":2}}', "The body has `c` twice in one object."),
        (b'{"a": 1, "a": 1}', "The body has `a` twice in one object."),
        (b'{"a": ":", "b": 1e0, "a" :"\\u003a:"}', "The body has `a` twice in one object."),
        (b'{"a": "\\/", "a": "::"}', "The body has `a` twice in one object."),
        (b'"\xff"', "The body is not UTF-8."),
        (b"1e999", "The body has a number that is out of range."),
        (b"9" * 5000, "The body has a number that is out of range."),
        (b"[" * 101 + b"]" * 101, f"The body is nested more than {MOST_LEVELS} levels deep."),
        (b"[" * 9000 + b"]" * 9000, f"The body is nested more than {MOST_LEVELS} levels deep."),
        (b'{"a":' * 101 + b"1" + b"}" * 101, f"The body is nested more than {MOST_LEVELS} levels deep."),
    ],
)
def test_what_is_refused(body: bytes, text: str) -> None:
    with pytest.raises(BodyError) as caught:
        read_json(body)
    assert str(caught.value) == text


def test_as_deep_as_may_be() -> None:
    assert read_json(b"[" * 100 + b"]" * 100)
    assert read_json(b'{"a" : [1,' + b"[]," * 200 + b"2e1]}") == {"a": [1, *([[]] * 200), 20.0]}


def test_sizes() -> None:
    assert size_of({"a": [1, {"b": 2}], "c": 3}, 100) == (6, 3)
    assert size_of([[1, 2], [3]], 3) == (3, 1)
    assert size_of("x", 10) == (1, 0)
