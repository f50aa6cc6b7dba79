"""upstream/framing.py: what llhttp does not decide."""

import msgspec
import pytest

from gateway.upstream import framing as framing
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
def test_events_and_binary_data_are_never_buffered(content_type: bytes, streamed: bool) -> None:
    assert (framing.kind_of([(b"server", b"x"), (b"content-type", content_type)], b"PK") in framing.STREAMED) is streamed


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
def test_a_target_puts_its_path_and_its_name_into_the_head(base: bytes, path: bytes, line: bytes, host: bytes, host_line: bytes) -> None:
    made = msgspec.structs.replace(call(), path=path, host=host, head=b"A: b\r\n")
    head = framing.request_head(made, framing.Origin(base, b"Host: own\r\n"), 0)
    assert head == b"GET " + line + b" HTTP/1.1\r\n" + host_line + b"A: b\r\n\r\n"
