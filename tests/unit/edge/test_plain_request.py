"""edge/plain_request.py: what is plain, and what is left to the parser."""

import pytest

from gateway.edge.plain_request import plain_request
from tests.parser_reading import MOST_BYTES, compare


@pytest.mark.parametrize(
    "data",
    [
        b"GET /a?b=c HTTP/1.1\r\nHost: h\r\n\r\n",
        b"DELETE /a HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: h\r\nconnection: close\r\nContent-Length: 3\r\n\r\n\0\r\n",
        b"OPTIONS /%7Ea;b HTTP/1.1\r\nAccept: a, b;q=0.5\r\nHOST: h:80\r\nX-Api-Key: k\r\n\r\n",
    ],
)
def test_what_clients_send_is_plain(data: bytes) -> None:
    assert compare(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\n",
        b"GET / HTTP/1.0\r\nHost: h\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX-Note\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX-Note: \r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX-Note: a\nb: c\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX-Note: a\rb: c\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX-Note: \xc3\xa9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX Note: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\n: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nConnection: X-Note\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nab",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcd",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0000000003\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: h\r\n\r\nabc",
        b"GET /" + b"a" * MOST_BYTES + b" HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\n" + b"".join([b"X-%d: a\r\n" % n for n in range(65)]) + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET  / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_what_has_to_be_interpreted_is_not_plain(data: bytes) -> None:
    assert plain_request(data, MOST_BYTES) is None


def test_names_that_are_too_many_to_remember_are_read_each_time() -> None:
    long = b"GET / HTTP/1.1\r\nHost: h\r\n" + b"".join([b"X-%040d: a\r\n" % n for n in range(40)]) + b"\r\n"
    assert compare(long)
    assert compare(long)
