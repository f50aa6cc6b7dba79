"""upstream/http1/response_parser.py: what cases of whole connections (test_response_parser_replies.py) do not show."""

import pytest

from gateway.kernel.faults import UPSTREAM_PROTOCOL_ERROR, GatewayError
from gateway.upstream.http1.framing import MAX_HEAD_BYTES
from gateway.upstream.http1.response_parser import ResponseParser

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def reader() -> ResponseParser:
    reading = ResponseParser()
    reading.feed(CHUNKED)
    return reading


def test_chunk_sizes_in_segments_of_their_own_are_not_bounded() -> None:
    reading = reader()
    for _ in range(MAX_HEAD_BYTES):
        reading.feed(b"1\r\n")
        reading.feed(b"x\r\n")
        assert reading.take() == b"x"
    reading.feed(b"0\r\n\r\n")
    assert reading.complete


def test_framing_without_any_byte_of_the_body_is_bounded() -> None:
    reading = reader()
    reading.feed(b"1\r\nx\r\n")
    reading.take()
    reading.feed(b"1;")
    reading.feed(b"a" * (MAX_HEAD_BYTES - 2))
    with pytest.raises(GatewayError) as raised:
        reading.feed(b"a")
    assert raised.value.fault is UPSTREAM_PROTOCOL_ERROR
