"""upstream/http1/response_parser.py: what cases of whole connections (test_response_parser_replies.py) do not show."""

import pytest

from gateway.kernel.faults import UPSTREAM_HEADERS_TOO_LARGE, UPSTREAM_PROTOCOL_ERROR, GatewayError
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


def test_a_head_of_far_too_many_fields_is_not_parsed_to_its_end() -> None:
    reading = ResponseParser()
    with pytest.raises(GatewayError) as raised:
        reading.feed(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 50_000)
    assert raised.value.fault is UPSTREAM_HEADERS_TOO_LARGE


def test_an_announced_idle_time_is_kept_less_a_fifth() -> None:
    reading = ResponseParser()
    reading.feed(b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\nContent-Length: 0\r\n\r\n")
    assert (reading.complete, reading.idle_hint_s) == (True, 4.0)


@pytest.mark.parametrize(("last", "clean"), [(b"cd", True), (b"cdHTTP/1.1", False)])
def test_a_body_of_known_length_is_counted_and_nothing_may_follow_it(last: bytes, *, clean: bool) -> None:
    reading = ResponseParser()
    reading.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\na")
    reading.feed(b"b")
    assert not reading.complete
    reading.feed(last)
    assert (reading.take(), reading.complete, reading.keep, reading.clean) == (b"abcd", True, True, clean)


def test_what_follows_a_head_in_a_large_segment_is_one_piece() -> None:
    reading = ResponseParser()
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 2
    reading.feed(interim + b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + b"x" * 200_000)
    assert [len(piece) for piece in reading._parts] == [200_000]
    assert (reading.status, reading.missing) == (200, 100_000)
