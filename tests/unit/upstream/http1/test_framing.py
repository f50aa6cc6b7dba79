"""upstream/http1/framing.py: what llhttp does not decide."""

import msgspec
import pytest

from gateway.upstream.http1 import framing
from tests.unit.upstream.calls import call


@pytest.mark.parametrize(
    ("content_type", "streamed"),
    [
        (b"application/json", False),
        (b"text/plain", False),
        (b"", False),
        (b"text/event-stream; charset=utf-8", True),
        (b"image/png", True),
        (b"application/octet-stream", True),
    ],
)
def test_events_and_binary_data_are_never_buffered(content_type: bytes, *, streamed: bool) -> None:
    assert (
        framing.kind_of([(b"server", b"x"), (b"content-type", content_type)], b"PK") in framing.STREAMED
    ) is streamed


@pytest.mark.parametrize("begun", [b"", b" \n", b'{"a"', b"\r\n [", b"\xef\xbb\xbf{"])
def test_octets_that_may_be_json_are_buffered(begun: bytes) -> None:
    assert framing.kind_of([(b"content-type", b"application/octet-stream")], begun) == "octets"
    assert framing.kind_of([(b"content-type", b"application/pdf")], begun) == "binary"


def test_heads_are_repaired_up_to_the_body() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink : </a>\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nX-A \t: 1 : 2\r\nContent-Length: 3\r\ncontent-length : 3, 3\r\n\r\n"
    body = b"X : 1\r\n\r\nX : 2"
    plain = b"HTTP/1.1 200 OK\r\nX-A: 1 : 2\r\nContent-Length:3\r\n\r\n"
    assert framing.repaired(early + head + body) == early.replace(b" :", b":") + plain + body
    assert framing.repaired(early) == early.replace(b" :", b":")


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n", b"HTTP/1.1 200 OK\r\n A : b\r\n\r\n", b"HTTP/1.1 200 OK\r\nA: b\r\n c : d\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3, 4\r\n\r\n", b"HTTP/1.1 200 OK\r\nA b\r\n\r\n", b"HTTP/1.1 200 OK\r\nA: b", b"",
    ],
)  # fmt: skip
def test_a_head_that_cannot_be_repaired_is_unchanged(head: bytes) -> None:
    assert framing.repaired(head) == head


@pytest.mark.parametrize(
    ("base", "path", "line"),
    [
        (b"", b"/a?b=/c", b"/a?b=/c"),
        (b"/api", b"/a", b"/api/a"),
        (b"", b"", b"/"),
        (b"", b"?b", b"/?b"),
        (b"/api", b"", b"/api"),
        (b"/api", b"?b", b"/api?b"),
    ],
)
@pytest.mark.parametrize(("host", "host_line"), [(b"", b"Host: own\r\n"), (b"Host: set\r\n", b"Host: set\r\n")])
def test_a_target_puts_its_path_and_its_name_into_the_head(
    base: bytes, path: bytes, line: bytes, host: bytes, host_line: bytes
) -> None:
    made = msgspec.structs.replace(call(), path=path, host=host, head=(b"A: b\r\n",))
    head = framing.request_head(made, framing.Origin(base, b"Host: own\r\n"), 0)
    assert head == b"GET " + line + b" HTTP/1.1\r\n" + host_line + b"A: b\r\n\r\n"


@pytest.mark.parametrize(
    ("method", "length", "framed"),
    [
        (b"GET", 0, b"\r\n"),
        (b"POST", 0, b"Content-Length: 0\r\n\r\n"),
        (b"PUT", 3, b"Content-Length: 3\r\n\r\n"),
        (b"PATCH", None, b"Transfer-Encoding: chunked\r\n\r\n"),
        (b"DELETE", 3, b"Connection: close\r\nContent-Length: 3\r\n\r\n"),
        (b"GET", None, b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ],
)
def test_a_body_that_the_method_does_not_define_announces_the_end_of_the_connection(
    method: bytes, length: int | None, framed: bytes
) -> None:
    head = framing.request_head(call(method), framing.Origin(b"", b"Host: own\r\n"), length)
    assert head == method + b" /x HTTP/1.1\r\nHost: h\r\n" + framed


@pytest.mark.parametrize(
    ("received", "data", "wrong"),
    [
        (0, b"HTTP/1.1 200 OK\r\n", False),
        (0, b"HTTP/1.0 200 OK\r\n", False),
        (0, b"H", False),
        (5, b"1.0 2", False),
        (9, b"anything", False),
        (0, b"HTTP/2 200\r\n", True),
        (0, b"\r\nHTTP/1.1 200", True),
        (7, b"2 ", True),
    ],
)
def test_a_status_line_begins_with_a_known_version(received: int, data: bytes, *, wrong: bool) -> None:
    assert framing.starts_wrong(received, data) is wrong


def test_the_size_of_a_head_counts_colons_blanks_and_line_ends() -> None:
    assert framing.head_size([(b"a", b"b"), (b"content-type", b"")]) == len(b"a: b\r\n" + b"content-type: \r\n")


@pytest.mark.parametrize(
    ("codings", "version", "supported"),
    [
        ([b"chunked"], "1.1", True),
        ([b"Chunked"], "1.1", True),
        ([b"chunked"], "1.0", False),
        ([b"gzip, chunked"], "1.1", False),
        ([b"chunked", b"chunked"], "1.1", False),
        ([], "1.1", False),
    ],
)
def test_the_only_transfer_coding_is_chunked(codings: list[bytes], version: str, *, supported: bool) -> None:
    assert framing.codings_supported([(b"transfer-encoding", value) for value in codings], version) is supported


def test_replies_without_a_body() -> None:
    assert [status for status in range(200, 600) if framing.bodiless(status)] == [204, 304]


@pytest.mark.parametrize(
    ("version", "values", "kept"),
    [
        ("1.1", [], True),
        ("1.1", [b"x, Close"], False),
        ("1.1", [b"x", b"close"], False),
        ("1.0", [], False),
        ("1.0", [b"Keep-Alive"], True),
        ("1.0", [b"keep-alive, close"], False),
    ],
)
def test_whether_a_connection_is_kept_alive(version: str, values: list[bytes], *, kept: bool) -> None:
    assert framing.keeps_alive(version, [(b"connection", value) for value in values]) is kept


@pytest.mark.parametrize(
    ("field", "idle_s"),
    [
        (b"timeout=5", 4.0),
        (b"max=100, Timeout=10", 8.0),
        (b"max=100", None),
        (b"timeout=-1", None),
        (b"timeout=" + b"9" * 8, None),
        (b"x" * 300 + b", timeout=5", None),
    ],
)
def test_the_announced_idle_time_less_a_fifth(field: bytes, idle_s: float | None) -> None:
    assert framing.announced_idle_s(field) == idle_s


def test_the_statuses_that_leave_the_end_of_a_request_unclear() -> None:
    assert framing.ambiguous_from(b"POST") == 300
    assert framing.ambiguous_from(b"DELETE") == 0
