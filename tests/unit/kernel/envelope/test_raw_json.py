"""kernel/envelope/raw_json.py: strict, byte for byte, and not to be crashed."""

import json

import pytest

from gateway.kernel.envelope.raw_json import array, is_json, items, members, quote, render, replaced

VALID = [
    b"{}", b"[]", b"0", b"-0", b"null", b"true", b'""', b' { "a" : 1 } \r\n\t', b"1e400", b"1E+2", b"9" * 5000, b"0." + b"1" * 5000,
    b"123456789012345678901234567890", b'{"a":1,"a":2}', b'"\\ud83d\\ude00"', b'"\\ud800"', b'"\\udc00\\ud800"', b'{"\\uD800":["\\uDFFF"]}',
    b'"\\\\ud800"', b'"\\\\\\ud800"', b'"\\u0000"', '"é€😀"'.encode(), b"[" * 900 + b"]" * 900, b'{"a":' * 900 + b"1" + b"}" * 900,
]  # fmt: skip

INVALID = [
    b"", b" ", b"NaN", b"[NaN]", b"Infinity", b"-Infinity", b"-", b"+1", b".5", b"1.", b"01", b"1e", b"tru", b"True", b"'a'", b"{a:1}",
    b"[1,]", b'{"a":1,}', b"[1", b"[1}", b'{"a"}', b'{"a":}', b'{"a":1}}', b"{} x", b"{}{}", b"[]\x00", b"\xef\xbb\xbf{}", b'"\x01"', b'"\n"',
    b'"\\x"', b'"\\u12g4"', b'"\\ud800', b'["\\ud800"', b'"\\ud8"', b'"\xff"', b'"\xc3"', b'"\xed\xa0\x80"', b'{"\xff":1}', b"\xff\xfe{\x00}\x00",
    b'"\\\\ud800', b"/**/1", b"{}//", b"\x0c1", b'"\\ud800\\x"', b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000, b'{"\\ud800":' + b"[" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("text", VALID, ids=lambda text: repr(text[:24]))
def test_valid(text: bytes) -> None:
    assert is_json(text)


@pytest.mark.parametrize("text", INVALID, ids=lambda text: repr(text[:24]))
def test_invalid(text: bytes) -> None:
    assert not is_json(text)


@pytest.mark.parametrize(
    ("text", "elements"),
    [
        (b"[]", []),
        (b' [ 1 , {"a": [1e400]},"\\u0041" ] ', [b"1", b'{"a": [1e400]}', b'"\\u0041"']),
        (b'["\\ud800",1]', [b'"\\ud800"', b"1"]),
        (b"{}", None),
        (b"null", None),
        (b'"\\ud800"', None),
    ],
)
def test_items(text: bytes, elements: list[bytes] | None) -> None:
    assert items(text, 3) == elements


def test_the_first_items_of_many() -> None:
    assert items(b"[0,1,2,3]", 2) == [b"0", b"1"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"{}", {}),
        (b'{"b" : 1.50 , "a":{ }}', {"b": b"1.50", "a": b"{ }"}),
        (b'{"a":1,"a":2}', {"a": b"2"}),
        (b'{"a":"\\ud800\\\\ud800","b":"\\ud83d\\ude00"}', {"a": b'"\\ud800\\\\ud800"', "b": b'"\\ud83d\\ude00"'}),
        (b'{"\\uD55C":"\\uDC00\\ud55c","\\ud55c":1}', {"\ud55c": b"1"}),
        (
            b'{"a":"\\ud800","\\uD55Cb":"\\uDC00\\ud55c\\\\uD800"}',
            {"a": b'"\\ud800"', "\ud55cb": b'"\\uDC00\\ud55c\\\\uD800"'},
        ),
        (b'{"\\ud800":1}', None),
        (b"[]", None),
        (b'["\\ud800"]', None),
    ],
)
def test_members(text: bytes, found: dict[str, bytes] | None) -> None:
    assert members(text) == found


def test_written() -> None:
    assert render({"a": b"1", 'é"': b"[ ]"}) == '{"a":1,"é\\"":[ ]}'.encode()
    assert array([b"1", b"2"]) == b"[1,2]"
    assert json.loads(quote('"\\\n\x00é😀')) == '"\\\n\x00é😀'


def test_halves_of_surrogate_pairs_are_replaced() -> None:
    for text, found in ((rb'"\ud800x"', "\ufffdx"), (rb'"\ud83d\ude00"', "\ufffd\ufffd"), (rb'"\\ud800"', "\\ud800")):
        assert json.loads(replaced(text)) == found
