"""upstream/http1/known_heads.py: a reply that begins like another is recognised only where nothing is in doubt."""

import pytest

from gateway.upstream.http1.known_heads import KNOWN_HEADS, NO_HEAD, known_head, remember
from gateway.upstream.http1.response_parser import ResponseParser

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\n"


def learn(data: bytes) -> ResponseParser:
    """Parse a reply, and remember its head."""
    reply = ResponseParser()
    reply.feed(data)
    remember(data, reply)
    return reply


def test_the_same_head_means_the_same() -> None:
    reply = learn(HEAD + b"{}")
    head = known_head(HEAD + b"[]", 0)
    assert head is not None
    assert known_head(HEAD + b"[]", len(HEAD)) is head
    assert (head.status, head.fields, head.length, head.idle_hint_s) == (200, reply.fields, 2, 4.0)
    assert (head.text, head.size_bytes, head.end) == (HEAD, len(HEAD) + 2, len(HEAD))
    assert KNOWN_HEADS[HEAD] is head


@pytest.mark.parametrize("data", [HEAD + b"{", HEAD + b"{}x", HEAD, HEAD[:-1], b"", HEAD.replace(b"OK", b"Ok") + b"{}"])
def test_what_is_longer_or_shorter_or_another_is_not_recognised(data: bytes) -> None:
    learn(HEAD + b"{}")
    assert [known_head(data, likely_bytes) for likely_bytes in (0, len(HEAD))] == [None, None]


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 Closing\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.0 200 Old\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 204 Long\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 Chunks\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 Later\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 Private\r\nset-cookie: session=secret\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 Large\r\nX: %b\r\nContent-Length: 2\r\n\r\n{}" % (b"x" * 2000),
    ],
)
def test_what_is_in_doubt_or_private_is_not_remembered(data: bytes) -> None:
    assert learn(data).complete
    assert [known_head(data, likely_bytes) for likely_bytes in (0, len(HEAD))] == [None, None]


@pytest.mark.parametrize("size", [0, 1, 2000])
def test_what_is_known_of_none_suits_no_reply(size: int) -> None:
    assert size != NO_HEAD.size_bytes
