"""edge/plain_request.py: what is plain, and what is left to the parser."""

import pytest

from gateway.edge.plain_request import MOST_SEEN, MOST_SHAPES, PlainRequest, PlainRequestReader, plain_request
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


GET = b"GET /a HTTP/1.1\r\nHost: h\r\nX-Api-Key: secret-of-mine\r\n\r\n"


def reader() -> PlainRequestReader:
    """A reader that knows the field lines of GET."""
    one = PlainRequestReader(MOST_BYTES, lambda size: b"s" * size, lambda _host: True)
    for _ in range(2):
        one.read(GET)
    return one


def test_field_lines_are_known_from_their_second_time_on() -> None:
    one = PlainRequestReader(MOST_BYTES, lambda size: b"s" * size, lambda _host: True)
    first, second, third = one.read(GET), one.read(GET), one.read(GET)
    assert first is not None
    assert second is not None
    assert third is not None
    assert first.headers.facts is None
    assert third.headers.facts is second.headers.facts is not None
    assert [*third.headers.values] == [*first.headers.values]


def test_a_host_that_is_not_valid_is_for_the_parser() -> None:
    one = PlainRequestReader(MOST_BYTES, lambda size: b"s" * size, lambda host: host == "h")
    for _ in range(3):
        assert one.read(GET.replace(b"Host: h", b"Host: a..b")) is None
        assert one.read(GET) is not None


@pytest.mark.parametrize(
    "start",
    [
        b"GET /b HTTP/1.1",
        b"POST /?c HTTP/1.1",
        b"GET / HTTP/1.0",
        b"GET /\n HTTP/1.1",
        b"GET",
        b"get / HTTP/1.1",
        b"GET h HTTP/1.1",
    ],
)
def test_request_lines_before_known_field_lines(start: bytes) -> None:
    data = GET.replace(b"GET /a HTTP/1.1", start)
    known, plain = reader().read(data), plain_request(data, MOST_BYTES)
    assert (known is None) is (plain is None)
    assert parts(known) == parts(plain)


def parts(request: PlainRequest | None) -> tuple[str, str, str] | None:
    """What is read of a request line."""
    return None if request is None else (request.line.method, request.line.path, request.line.query)


def identified(one: PlainRequestReader) -> PlainRequestReader:
    """The reader when a stage has found out where the key of GET is."""
    (facts,) = one._known.values()
    end = GET.index(b"\r\n\r\n") - GET.index(b"Host")
    facts.note(credentials=object(), key_at=end - len(b"secret-of-mine"), key_end=end)
    return one


@pytest.mark.parametrize(
    ("start", "remembered"),
    [
        (b"GET /a HTTP/1.1", True),
        (b"GET /a?b HTTP/1.1", False),
        (b"GET /a;b HTTP/1.1", False),
        (b"GET /a=b HTTP/1.1", False),
        (b"GET //a HTTP/1.1", False),
        (b"GET /%61 HTTP/1.1", False),
        (b"GET /a/secret-of-mine HTTP/1.1", False),
        (b"GET /a/gw_secret_of_another HTTP/1.1", False),
        (b"GET /" + b"a" * 256 + b" HTTP/1.1", False),
        (b"GET a HTTP/1.1", False),
    ],
)
def test_request_lines_are_remembered_unless_a_key_may_be_in_them(start: bytes, *, remembered: bool) -> None:
    one = identified(reader())
    assert one.read(GET) is not None
    data = GET.replace(b"GET /a HTTP/1.1", start)
    first, again, plain = one.read(data), one.read(data), plain_request(data, MOST_BYTES)
    assert parts(first) == parts(again) == parts(plain)
    assert (start in one._lines) is remembered
    assert again is None or again.line.remembered is remembered


def test_lines_with_a_query_have_the_line_that_is_remembered_for_their_path() -> None:
    one = identified(reader())
    found = [one.read(GET.replace(b"/a", b"/b" + query)) for query in (b"?page=1", b"?page=2", b"", b"?", b"?x?y")]
    lines = [each.line for each in found if each is not None]
    assert [line.query for line in lines] == ["page=1", "page=2", "", "", "x?y"]
    assert [line.remembered for line in lines] == [False, False, True, True, False]
    assert {id(line.alike or line) for line in lines[:3]} == {id(lines[2])}
    assert lines[4].alike is lines[2]
    for path in (
        b"/secret-of-mine?x",
        b"/a;b?x",
        b"/gw_secret?x",
        b"/in-the-query?key=in-the-query",
        b"/in-the-query?key=%69n-the-query",
    ):
        request = one.read(GET.replace(b"/a", path))
        assert request is not None
        assert (request.line.alike, request.line.remembered) == (None, False)


def test_a_line_that_is_remembered_is_read_anew_for_a_client_whose_key_is_in_it() -> None:
    one = identified(reader())
    another = GET.replace(b"secret-of-mine", b"a-second-secret").replace(b"/a", b"/a-second-secret")
    first, _ = one.read(GET.replace(b"/a", b"/a-second-secret")), [one.read(another) for _ in range(2)]
    assert first is not None
    assert first.line.remembered
    mine = [*one._known.values()][1]
    mine.note(credentials=object(), key_at=-4 - len(b"a-second-secret"), key_end=-4)
    for _ in range(2):
        request = one.read(another)
        assert request is not None
        assert not request.line.remembered
    assert one._lines[another[: another.index(b"\r\n")]] is first.line


def test_request_lines_are_not_remembered_before_it_is_known_where_the_key_is() -> None:
    one = reader()
    assert one.read(GET.replace(b"/a", b"/secret-of-mine")) is not None
    assert not one._lines


def test_lines_with_the_id_of_a_trace_are_read_each_time() -> None:
    one = PlainRequestReader(MOST_BYTES, lambda size: b"s" * size, lambda _host: True)
    for _ in range(4):
        request = one.read(b"GET / HTTP/1.1\r\nHost: h\r\nTraceparent: 00-1-2-03\r\n\r\n")
        assert request is not None
        assert request.headers.facts is None


@pytest.mark.parametrize("behind", [b"x", b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"])
def test_bytes_behind_known_field_lines_are_for_the_parser(behind: bytes) -> None:
    assert reader().read(GET + behind) is None


def test_no_key_stays_in_memory_with_what_is_known() -> None:
    one = reader()
    assert b"secret-of-mine" not in repr([one._known, one._seen]).encode()


def test_lines_that_differ_each_time_are_forgotten() -> None:
    one = PlainRequestReader(MOST_BYTES, lambda size: b"s" * size, lambda _host: True)
    for number in range(MOST_SEEN + 1):
        one.read(b"GET /a HTTP/1.1\r\nHost: h\r\nX-Id: %d\r\n\r\n" % number)
    assert len(one._seen) == 1
    assert not one._known


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n" % (b"a" * 1000),
        b"GET / HTTP/1.1\r\nHost: h\r\n" + b"".join([b"X-%040d: a\r\n" % n for n in range(40)]) + b"\r\n",
    ],
)
def test_large_heads_are_read_each_time_and_not_remembered(head: bytes) -> None:
    one = PlainRequestReader(MOST_BYTES, lambda size: b"s" * size, lambda _host: True)
    for _ in range(4):
        request = one.read(head)
        assert request is not None
        assert request.headers.facts is None
    assert not one._known


def test_names_that_differ_each_time_do_not_fill_the_memory() -> None:
    one = reader()
    for number in range(MOST_SHAPES):
        head = b"GET / HTTP/1.1\r\nHost: h\r\nX-%d: a\r\n\r\n" % number
        assert one.read(head) is not None
        assert one.read(head) is not None
    assert 0 < len({facts.form.shape for facts in one._known.values()}) < MOST_SHAPES


def test_a_body_that_ends_like_a_head_is_not_taken_for_one() -> None:
    one = PlainRequestReader(MOST_BYTES, lambda size: b"s" * size, lambda _host: True)
    data = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 27\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"
    for _ in range(3):
        request = one.read(data)
        assert request is not None
        assert (request.line.path, request.body) == ("/a", data[-27:])
    assert not one._known


def test_lines_before_which_a_request_line_could_exceed_the_limit_are_not_remembered() -> None:
    one = PlainRequestReader(MOST_BYTES, lambda size: b"s" * size, lambda _host: True)
    for size, remembered in ((MOST_BYTES - 300, 1), (MOST_BYTES - 200, 1), (MOST_BYTES, 1)):
        for _ in range(3):
            one.read(b"GET /a HTTP/1.1\r\nHost: h\r\nX-A: %b\r\n\r\n" % (b"a" * (size - 20)))
        assert len(one._known) == remembered
    long = GET.replace(b"/a", b"/" + b"a" * MOST_BYTES)
    assert reader().read(long) is None
