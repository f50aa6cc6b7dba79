"""kernel/errors/translate.py: rule 7, and the table "Status and code"."""

import msgspec
import pytest

from gateway.kernel.errors.translate import (
    LARGEST_BODY,
    Translation,
    code_and_message,
    code_of,
    generic,
    status_of,
    translate,
)
from gateway.kernel.fault_types import MESSAGES
from gateway.kernel.faults import INTERNAL_ERROR, NO_ROUTE, UPSTREAM_REFUSED, UPSTREAM_TIMEOUT, Fault

JSON = b"application/json"


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        (b"text/plain", b"No such thing\n", "No such thing"),
        (b"text/plain; charset=latin-1", "Gibt es nicht: \xe9".encode("latin-1"), "Gibt es nicht: é"),
        (b"text/plain; charset=iso-8859-1", "Gibt es nicht: \xe9".encode("latin-1"), "Gibt es nicht: é"),
        (b"text/plain", b"x" * 5000, "x" * 1999 + "…"),
        (b"text/plain", b"\xff", None),
        (b"text/plain", b" ", None),
        (b"text/plain", b"<html>No</html>", None),
        (b"text/plain", b"Traceback (most recent call last):\n  x", None),
        (b"text/html", b"No such thing", None),
        (b"application/xml", b"<error>No</error>", None),
        (b"image/png", b"No such thing", None),
        (b"", b"No such thing", "No such thing"),
        (b"text/plain", b'\xef\xbb\xbf{"error":"No such thing"}\n', "No such thing"),
        (b"text/html; charset=UTF-8", b'{"error":"No such thing"}', "No such thing"),
        (b"application/octet-stream", b' {"message":"No such thing"}', "No such thing"),
        (b"application/x-amz-json-1.1", b'{"__type":"x#E","message":"No such thing"}', "No such thing"),
        (b"", b'"No such thing"', "No such thing"),
        (b"text/plain", b"[not JSON]", "[not JSON]"),
        (JSON, '{"message":"No such thing"}'.encode("utf-16-le"), "No such thing"),
        (JSON, '{"message":"No such thing"'.encode("utf-16-le"), None),
        (JSON, '{"message":"No such thing"}'.encode("utf-16"), "No such thing"),
        (JSON + b";charset=iso-8859-1", b'{"message":"caf\xe9"}', "café"),
        (JSON + b";charset=utf-16", b"\xff", None),
        (b"", b'{"message":"No such thing"}', "No such thing"),
        (b"", b"\x89PNG", None),
        (b"", b"", None),
        (JSON, b"", None),
        (JSON, b"null", None),
        (JSON, b"{", None),
        (JSON, b"NaN", None),
        (JSON, b'{"message":"\xff"}', None),
        (JSON, b'{"message":"half \\ud800"}', "half \ufffd"),
        (JSON, b"[" * 100_000, None),
        (JSON, b'{"message":"' + b"x" * LARGEST_BODY + b'"}', None),
        (JSON, b"{}", None),
        (JSON, b"[]", None),
        (JSON, b"7", None),
        (JSON, b'{"message":null,"errors":null,"error":7}', None),
        (JSON, b'{"message":"<html>no</html>"}', None),
        (JSON, b'{"message":"","stack":"at secret","trace":"secret"}', None),
        (JSON, b'{"error":{"a":{"b":"secret"}},"details":{"secret":"secret"}}', None),
        (JSON, b'{"error":{"stack":["secret"]}}', None),
        (JSON, b'{"stack":["secret"]}', None),
        (JSON, b'{"name":["odd"],"traceback":["secret"]}', "odd"),
        (JSON, b'{"errors":[7,"",null,{}]}', None),
        (JSON, b'{"message":"m","code":%b}' % (b"9" * 5000), None),
        (JSON, b'{"errors":[{"msg":"m","loc":[%b,"a"],"code":%b}]}' % (b"9" * 400, b"9" * 400), "m"),
        (JSON, b'{"error":true,"code":500}', None),
        (JSON, b'{"status":"error","code":"404"}', None),
    ],
)
def test_texts(content_type: bytes, body: bytes, text: str | None) -> None:
    expected = generic(404, "general").message if text is None else text
    assert translate(404, content_type, body, "general").message == expected


def test_the_generic_texts() -> None:
    assert generic(404, "general") == Translation(
        1001, "Parameter not valid", "The service answered with status 404, and no explanation that could be passed on."
    )


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, 1001), (401, 1003), (402, 1001), (403, 1003), (404, 1001), (405, 1006), (406, 1001), (409, 1001), (413, 1001), (414, 1001),
        (418, 1001), (422, 1001), (429, 8000), (431, 1001), (451, 1001), (500, 1004), (501, 1004), (502, 1004), (503, 1004), (504, 1004), (599, 1004),
    ],
)  # fmt: skip
def test_codes(status: int, code: int) -> None:
    assert code_of(status, "general") == code
    assert code_of(status, "analytics") == (5000 if status >= 500 else code)
    assert code_of(status, "notification") == (7000 if status >= 500 else code)
    for family in ("general", "analytics", "notification"):
        assert generic(status, family).message


@pytest.mark.parametrize(
    ("code", "status"),
    [(1000, 400), (1002, 401), (1005, 404), (1006, 405), (8003, 429), (8007, 403), (1004, 503), (2001, 503), (-1, 503)],
)
def test_statuses(code: int, status: int) -> None:
    assert status_of(code) == status


@pytest.mark.parametrize(
    ("fault", "family", "expected"),
    [
        (UPSTREAM_REFUSED, "general", (1004, "Undefined error")),
        (UPSTREAM_REFUSED, "analytics", (5001, MESSAGES[5001])),
        (UPSTREAM_TIMEOUT, "analytics", (5000, MESSAGES[5000])),
        (UPSTREAM_TIMEOUT, "notification", (7000, MESSAGES[7000])),
        (msgspec.structs.replace(UPSTREAM_TIMEOUT, message="Ours."), "notification", (7000, "Ours.")),
        (NO_ROUTE, "analytics", (1005, MESSAGES[1005])),
        (INTERNAL_ERROR, "analytics", (1004, MESSAGES[1004])),
    ],
)
def test_code_and_message_of_a_fault(fault: Fault, family: str, expected: tuple[int, str]) -> None:
    assert code_and_message(fault, family) == expected
