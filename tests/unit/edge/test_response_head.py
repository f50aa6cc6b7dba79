"""edge/response_head.py: the bytes of a head, and its framing."""

import pytest

from gateway.edge.response_head import SMALL_BYTES, head_bytes, switching_head, whole_reply
from gateway.exchange import Reply
from tests.samples import Pieces

DATE = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"


def head(
    reply: Reply, *, keep: bool = True, http10: bool = False, chunked: bool = False, bodiless: bool = False
) -> list[str]:
    text = head_bytes(reply, DATE, keep=keep, http10=http10, chunked=chunked, bodiless=bodiless).decode("latin-1")
    assert text.endswith("\r\n\r\n")
    return text.removesuffix("\r\n\r\n").split("\r\n")


def test_a_head_has_status_fields_date_and_length() -> None:
    assert head(Reply(200, [("X-A", "é")], b"abc")) == ["HTTP/1.1 200 OK", "X-A: é", DATE.strip(), "Content-Length: 3"]
    assert head(Reply(599, [], b""))[0] == "HTTP/1.1 599 Unknown"


@pytest.mark.parametrize(
    ("reply", "chunked", "bodiless", "framing"),
    [
        (Reply(200, [], b"ab", stream=Pieces()), True, False, "Transfer-Encoding: chunked"),
        (Reply(200, [], b"ab", stream=Pieces(), length=9), False, False, "Content-Length: 9"),
        (Reply(200, [], b"ab", stream=Pieces()), False, False, None),
        (Reply(200, [], b"ab", length=9), False, False, "Content-Length: 9"),
        (Reply(200, [], b"", length=9), False, True, "Content-Length: 9"),
        (Reply(200, [], b"ab"), False, True, "Content-Length: 2"),
        (Reply(200, [], b""), False, True, None),
        (Reply(204, [], b"", length=0), False, True, None),
        (Reply(304, [], b"", length=0), False, True, None),
        (Reply(205, [], b"", length=0), False, False, "Content-Length: 0"),
    ],
)
def test_how_the_body_is_framed(reply: Reply, *, chunked: bool, bodiless: bool, framing: str | None) -> None:
    assert head(reply, chunked=chunked, bodiless=bodiless)[2:] == ([framing] if framing else [])


@pytest.mark.parametrize(
    ("keep", "http10", "line"),
    [(True, False, []), (True, True, ["Connection: keep-alive"]), (False, False, ["Connection: close"])],
)
def test_whether_the_connection_stays_open(*, keep: bool, http10: bool, line: list[str]) -> None:
    assert head(Reply(204, [], b""), keep=keep, http10=http10)[2:] == line


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("reply", [Reply(200, [("X-A", "é")], b"abc"), Reply(404, [], b"", text="X-B: c\r\n")])
def test_the_head_of_a_whole_reply_is_that_of_any_other(reply: Reply, *, keep: bool) -> None:
    other = head_bytes(reply, DATE, keep=keep, http10=False, chunked=False, bodiless=False)
    assert whole_reply(reply, "GET", DATE, keep=keep) == other + reply.body


@pytest.mark.parametrize(
    ("reply", "method"),
    [
        (Reply(200, [], b"ab"), "HEAD"),
        (Reply(204, [], b""), "GET"),
        (Reply(304, [], b""), "GET"),
        (Reply(200, [], b"ab", length=9), "GET"),
        (Reply(200, [], b"ab", stream=Pieces()), "GET"),
        (Reply(200, [], bytes(SMALL_BYTES + 1)), "GET"),
    ],
)
def test_what_is_no_whole_reply(reply: Reply, method: str) -> None:
    assert whole_reply(reply, method, DATE, keep=True) is None


def test_the_head_of_a_reply_that_switches() -> None:
    reply = Reply(101, [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("X-A", "ü")], b"")
    assert switching_head(reply, "Date: now\r\n") == (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-A: \xfc\r\nDate: now\r\n\r\n"
    )
