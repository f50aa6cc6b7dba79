"""kernel/envelope/media_type.py: what a Content-Type, or its absence, means."""

import pytest

from gateway.kernel.envelope.media_type import (
    JSON,
    Media,
    is_attachment,
    json_in_utf8,
    media,
    sniffed,
    wide_json,
    wide_json_in_utf8,
)
from gateway.kernel.faults import UPSTREAM_BODY_INVALID, GatewayError


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        (b"application/json", "json"),
        (b"APPLICATION/JSON ; Charset=UTF-8", "json"),
        (b"application/json, text/html", "json"),
        (b"application/problem+json", "json"),
        (b"application/vnd.api+json;profile=x", "json"),
        (b"text/json", "json"),
        (b"text/plain", "text"),
        (b"text/html; charset=utf-8", "binary"),
        (b"text/csv", "binary"),
        (b"text/xml", "binary"),
        (b"application/x-amz-json-1.1", "json"),
        (b"application/vnd.x.v1.json", "json"),
        (b"application/json-patch", "json"),
        (b"text/x-json", "json"),
        (b"application/json-seq", "binary"),
        (b"application/geo+json-seq", "binary"),
        (b"application/stream+json", "binary"),
        (b"application/jsonl", "binary"),
        (b"application/vnd.acme.order", "octets"),
        (b"application/x-www-form-urlencoded", "octets"),
        (b"application/yaml", "binary"),
        (b"application/atom+xml", "binary"),
        (b"application/vnd.ms-excel", "binary"),
        (b"application/pdf", "binary"),
        (b"application/grpc", "binary"),
        (b"text/markdown", "binary"),
        (b"*/*", "unknown"),
        (b"application/unknown;charset=latin1", "unknown"),
        (b"binary/octet-stream", "octets"),
        (b"text/event-stream", "events"),
        (b"application/x-ndjson", "binary"),
        (b"application/octet-stream", "octets"),
        (b"application/xml", "binary"),
        (b"multipart/form-data; boundary=x", "binary"),
        (b"image/png", "binary"),
        (b"", "unknown"),
        (b"json", "unknown"),
        (b"\xff", "unknown"),
    ],
)
def test_kind(content_type: bytes, kind: str) -> None:
    assert media(content_type).kind == kind


@pytest.mark.parametrize(
    ("content_type", "charset", "shown"),
    [
        (b"text/plain", "utf-8-sig", True),
        (b"text/plain; charset=ISO-8859-1", "latin_1", True),
        (b'text/plain; a=b; charset="windows-1252"', "cp1252", True),
        (b"text/plain; charset=rot13", "utf-8-sig", True),
        (b"text/html", "utf-8-sig", False),
        (b"application/json; charset=windows-1252", "cp1252", False),
        (b"text/html; a; CHARSET = Shift_JIS ;x", "cp932", False),
        (b"text/csv;charset=utf-16", "utf_16", False),
    ],
)
def test_text(content_type: bytes, charset: str, *, shown: bool) -> None:
    assert media(content_type)[1:] == (charset, shown)


@pytest.mark.parametrize(
    ("body", "whole", "kind"),
    [
        (b"", True, "json"),
        (b"  \n", True, "json"),
        (b' {"a":1}', True, "json"),
        (b"12", True, "json"),
        (b"null", True, "json"),
        (b"{not json", True, "text"),
        (b"plain", True, "text"),
        (b"\xc3\xa9t\xc3\xa9", True, "text"),
        (b"caf\xe9", True, "binary"),
        (b"\xc3", True, "binary"),
        (b"a\x00b", True, "binary"),
        (b' {"a', False, "json"),
        (b"[1", False, "json"),
        (b"plain \xc3", False, "text"),
        (b"\x89PNG", False, "binary"),
    ],
)
def test_sniffed(body: bytes, *, whole: bool, kind: str) -> None:
    assert sniffed(body, whole=whole).kind == kind


def test_json_is_one_value() -> None:
    assert media(b"application/json") is JSON
    assert sniffed(b"{}") is JSON


@pytest.mark.parametrize(
    ("body", "content_type", "whole", "kind"),
    [
        (b'{"a":"\xe9"}', b"*/*;charset=latin1", True, Media("json", "latin_1")), (b'{"a', b"*/*;charset=latin1", False, Media("json", "latin_1")),
        (b"caf\xe9", b"*/*;charset=latin1", True, Media("text", "latin_1", shown=True)), (b"\x81", b"*/*;charset=cp1252", True, Media("binary")),
        (b"\x81", b"*/*;charset=cp1252", False, Media("binary")), (b"<!DOCTYPE html><p>", b"", True, Media("binary")),
        (b"<id> is odd", b"", True, Media("text", shown=True)), (b'\xef\xbb\xbf{"a":1}', b"", True, JSON), (b'\xef\xbb\xbf {"a', b"", False, JSON),
        (b"[1]", b"application/octet-stream", True, JSON), (b"12", b"application/octet-stream", True, Media("binary")),
        (b'["\xe9"]', b"application/vnd.acme.order;charset=latin1", True, Media("json", "latin_1")),
        (b"[1", b"application/octet-stream", True, Media("binary")), (b"[1", b"application/octet-stream", False, Media("binary")),
    ],
)  # fmt: skip
def test_sniffed_by_its_type(body: bytes, content_type: bytes, *, whole: bool, kind: Media) -> None:
    assert sniffed(body, media(content_type), whole=whole) == kind


@pytest.mark.parametrize(
    ("value", "saved"),
    [
        (b"attachment", True),
        (b" Attachment; filename=x", True),
        (b"inline", False),
        (b"form-data; name=attachment", False),
    ],
)
def test_is_attachment(value: bytes, *, saved: bool) -> None:
    assert is_attachment([(b"x-a", b"attachment"), (b"content-disposition", value)]) is saved


def test_json_in_utf8() -> None:
    text = '{"a":"é"}'
    assert json_in_utf8(text.encode("latin-1"), "latin_1") == text.encode()
    assert json_in_utf8(text.encode(), "utf_16") == text.encode()
    assert json_in_utf8(b"[1]", "utf_16") == b"[1]"
    assert json_in_utf8(b"\xff", "utf_16") == b"\xff"


@pytest.mark.parametrize("charset", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_wide_json(charset: str) -> None:
    assert wide_json('{"a":"é"}'.encode(charset)) == '{"a":"é"}'.encode()


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff\xfe{", b"\xfe\xff\x00", b"NaN"])
def test_no_wide_json(body: bytes) -> None:
    assert wide_json(body) is None


def test_wide_json_in_utf8() -> None:
    assert wide_json_in_utf8("[1]".encode("utf-16")) == b"[1]"
    with pytest.raises(GatewayError) as caught:
        wide_json_in_utf8(b"[1")
    assert caught.value.fault is UPSTREAM_BODY_INVALID
