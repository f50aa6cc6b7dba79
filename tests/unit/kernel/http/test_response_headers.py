"""kernel/http/response_headers.py: which fields of a backend's reply reach a client."""

import pytest

from gateway.kernel.faults import UPSTREAM_PROTOCOL_ERROR, GatewayError
from gateway.kernel.http import response_headers as response_fields
from gateway.kernel.http.response_headers import (
    JSON_TYPE,
    LOCATION,
    NOTICE,
    SHARED,
    FieldRules,
    Screened,
    checked,
    replaced,
    rewritten,
    screen,
    value_of,
)


def _screen(*fields: tuple[bytes, bytes], removed: frozenset[bytes] = frozenset()) -> Screened:
    return screen(list(fields), FieldRules([name.decode() for name in removed]))


@pytest.mark.parametrize(
    ("name", "line"),
    [
        (b"location", ("Location", "v")),
        (b"set-cookie", ("Set-Cookie", "v")),
        (b"www-authenticate", ("WWW-Authenticate", "v")),
        (b"x-anything", ("x-anything", "v")),
        (b"x-ratelimited-by", ("x-ratelimited-by", "v")),
    ],
)
def test_passed_on(name: bytes, line: tuple[str, str]) -> None:
    assert _screen((name, b"v")).lines == [JSON_TYPE, line]
    assert _screen((name, b"v"), removed=frozenset({name})).lines == [JSON_TYPE]


@pytest.mark.parametrize(
    "name",
    [
        b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authentication-info", b"te", b"trailer", b"transfer-encoding",
        b"upgrade", b"http2-settings", b"content-length", b"date", b"ratelimit", b"ratelimit-policy", b"x-ratelimit-limit-minute", b"alt-svc",
        b"x-request-id", b"content-type", b"content-encoding",
    ],
)  # fmt: skip
def test_not_passed_on(name: bytes) -> None:
    screened = _screen((name, b"v"))
    assert (screened.lines, screened.of_the_body, screened.notices) == ([JSON_TYPE], [], False)


def test_what_is_read_on_the_way() -> None:
    screened = _screen(
        (b"content-type", b"text/plain"),
        (b"content-type", b"text/html"),
        (b"content-encoding", b"gzip"),
        (b"content-encoding", b"br"),
        (b"x-request-id", b"theirs"),
    )
    assert (screened.content_type, screened.coding, screened.request_id) == (b"text/plain", b"gzip,br", "theirs")


@pytest.mark.parametrize("name", ["Deprecation", "Sunset", "Warning"])
def test_notices_are_seen_and_passed_on(name: str) -> None:
    screened = _screen((name.lower().encode(), b"v"))
    assert screened.notices
    assert screened.lines == [JSON_TYPE, (name, "v")]
    assert not _screen((name.lower().encode(), b"v"), removed=frozenset({name.lower().encode()})).notices


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (b"keep-alive", ["X-A", "x-b", "ETag"]),
        (b"close, X-B", ["X-A", "ETag"]),
        (b"x-a,x-b,,  etag", []),
        (b"content-type", ["X-A", "x-b", "ETag"]),
        (b"\xff", ["X-A", "x-b", "ETag"]),
    ],
)
def test_fields_that_connection_names_end_here(value: bytes, names: list[str]) -> None:
    screened = _screen((b"x-a", b"1"), (b"connection", value), (b"x-b", b"2"), (b"etag", b'"e"'))
    assert screened.lines[0] == JSON_TYPE
    assert [name.lower() for name, _ in screened.lines[1:] + screened.of_the_body] == [name.lower() for name in names]


def test_fields_of_the_body_stand_apart() -> None:
    names = [b"content-md5", b"digest", b"content-digest", b"repr-digest", b"content-range", b"accept-ranges"]
    screened = _screen(*[(name, b"Bytes 0-1/2") for name in names], (b"etag", b'"e"'))
    assert screened.lines == [JSON_TYPE]
    assert [name.lower().encode() for name, _ in screened.of_the_body] == [*names, b"etag"]
    assert _screen((b"etag", b'"e"'), removed=frozenset({b"etag"})).of_the_body == []


@pytest.mark.parametrize("value", [b"posts 0-1/319", b"0-1/319", b"items", b"none", b"bytesize 1-2/3", b"*/7"])
@pytest.mark.parametrize("name", [b"content-range", b"accept-ranges"])
def test_ranges_in_other_units_describe_no_body(name: bytes, value: bytes) -> None:
    screened = _screen((name, value))
    assert screened.lines[1:] == [(name.decode(), value.decode())]
    assert screened.of_the_body == []
    assert _screen((name, value), removed=frozenset({name})).lines == [JSON_TYPE]


def test_links_and_warnings_run_nothing() -> None:
    assert _screen((b"link", b"</a>; rel=next")).lines[1:] == [("Link", "</a>; rel=next")]
    assert _screen((b"link", b"<javascript:x>; rel=next")).lines == [JSON_TYPE]
    screened = _screen((b"warning", b'299 - "<script>x</script>"'), (b"x-debug-exception-file", b"%2Fsrv%2Fx.php%3A12"))
    assert (screened.lines, screened.notices) == ([JSON_TYPE], True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"location", b"javascript:alert(1)"),
        (b"location", b" JavaScript:x"),
        (b"refresh", b"0;url=javascript:x"),
        (b"refresh", b"0; url='data:text/html,x'"),
        (b"hx-redirect", b"vbscript:x"),
    ],
)
def test_nobody_is_sent_to_a_script(name: bytes, value: bytes) -> None:
    assert _screen((name, value)).lines == [JSON_TYPE]
    assert len(_screen((name, b"/a?b=metadata:x"), (b"set-cookie", b"a=javascript:x")).lines) == 3


@pytest.mark.parametrize("value", [b"a\r\nb", b"a\nb", b"a\x00b", b"\x1b[31m", b"\x7f"])
@pytest.mark.parametrize("name", [b"location", b"x-anything", b"warning", b"etag", b"x-request-id"])
def test_control_characters_are_refused(name: bytes, value: bytes) -> None:
    with pytest.raises(GatewayError) as refused:
        _screen((name, value))
    assert refused.value.fault is UPSTREAM_PROTOCOL_ERROR
    with pytest.raises(GatewayError):
        checked(value)


@pytest.mark.parametrize("name", [b"x y", b"x\r", b"x:", b"\xe9", b""])
def test_names_that_are_no_tokens_are_refused(name: bytes) -> None:
    with pytest.raises(GatewayError) as refused:
        _screen((name, b"v"))
    assert refused.value.fault is UPSTREAM_PROTOCOL_ERROR


@pytest.mark.parametrize("value", [b"caf\xe9", b"tab\tbed", b"", b"\xa0\xad\x85"])
def test_other_values_stay_byte_for_byte(value: bytes) -> None:
    assert _screen((b"location", value), (b"x-a", value)).lines[1:] == [
        ("Location", value.decode("latin-1")),
        ("x-a", value.decode("latin-1")),
    ]
    assert checked(value).encode("latin-1") == value


def test_names_and_families_that_are_removed() -> None:
    rules = FieldRules(["Server", "X-Internal-*", "Set-*", "content-*", "X-Powered-By"])
    fields = [
        *(
            (b"server", b"1"),
            (b"x-internal-a", b"1"),
            (b"x-internal", b"1"),
            (b"set-cookie", b"a=1"),
            (b"content-language", b"en"),
        ),
        *((b"content-type", b"text/plain"), (b"x-powered-by", b"PHP"), (b"x-powered-bye", b"1")),
    ]
    screened = screen(fields, rules)
    assert screened.lines == [JSON_TYPE, ("x-internal", "1"), ("x-powered-bye", "1")]
    assert (screened.content_type, screened.marks) == (b"text/plain", 0)


def test_the_memory_for_names_is_bounded() -> None:
    rules = FieldRules(["Server"])
    known = len(rules)
    for number in range(response_fields._REMEMBERED + 10):
        assert rules[b"x-%d" % number] == f"x-{number}"
    assert len(rules) < response_fields._REMEMBERED
    assert len(rules) >= known
    assert (rules[b"server"], rules[b"location"]) == (None, ("Location", LOCATION))


@pytest.mark.parametrize(
    ("name", "mark"),
    [
        (b"location", LOCATION),
        (b"set-cookie", LOCATION),
        (b"operation-location", LOCATION),
        (b"vary", SHARED),
        (b"cache-control", SHARED),
        (b"sunset", NOTICE),
        (b"x-a", 0),
    ],
)
def test_what_needs_a_second_check_is_marked(name: bytes, mark: int) -> None:
    assert _screen((name, b"v")).marks == mark
    assert _screen((name, b"v"), removed=frozenset({name})).marks == 0


def test_fields_that_lead_somewhere_are_changed() -> None:
    fields = [(b"location", b"/a"), (b"x-a", b"/a"), (b"vary", b"/a"), (b"link", b"/\xe9")]
    assert rewritten(fields, lambda name, value: f"{name}:{value}") == [
        *((b"location", b"location:/a"), (b"x-a", b"/a"), (b"vary", b"/a"), (b"link", b"link:/\xe9")),
    ]


def test_replaced_and_value_of() -> None:
    lines = [("Server", "a"), ("X-B", "1"), ("server", "b")]
    assert replaced(lines, (("SERVER", "new"), ("X-C", "c"))) == [("X-B", "1"), ("SERVER", "new"), ("X-C", "c")]
    assert value_of(lines, "server") == "a"
    assert value_of(lines, "x-d") is None


def test_ranges_of_bytes() -> None:
    assert _screen((b"content-type", b"multipart/ByteRanges; boundary=x")).is_range
    assert _screen((b"content-range", b"bytes 0-1/2")).is_range
    assert not _screen((b"content-type", b"multipart/mixed")).is_range


def test_what_is_shared_is_screened_once() -> None:
    rules = FieldRules([])
    fields = [(b"x-a", b"1")]
    first = screen(fields, rules, shared=True)
    assert screen(fields, rules, shared=True) is first
    assert screen(fields, rules) is not first
    assert screen(list(fields), rules, shared=True) is not first
    assert first.lines == [JSON_TYPE, ("x-a", "1")]
