"""edge/head_splitter.py: bytes become pieces that end where a head or a body does, without a socket."""

import pytest
from aiohttp.http_exceptions import BadHttpMethod, BadStatusLine
from hypothesis import given
from hypothesis import strategies as st

from gateway.edge.head_splitter import HeadSplitter
from gateway.upstream.call import BODY_PIECE_BYTES

HEAD = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
MOST = 64


class Parser:
    """Feeds a splitter, and finishes a head at its empty line as a parser does."""

    def __init__(self) -> None:
        self.splitter = HeadSplitter(MOST)
        self.head = b""

    def pieces(self, data: bytes) -> list[bytes]:
        self.splitter.receive(data)
        pieces = []
        while self.splitter.has_piece:
            in_body = self.splitter.body_missing > 0
            pieces.append(piece := self.splitter.piece())
            if not in_body:
                self.head += piece
                assert b"\r\n\r\n" not in self.head.lstrip(b"\r\n")[:-4]
                if self.head.lstrip(b"\r\n").endswith(b"\r\n\r\n"):
                    self.head = b""
                self.splitter.in_head = bool(self.head)
        return pieces


@pytest.mark.parametrize(
    ("data", "pieces"),
    [
        (HEAD, [HEAD]),
        (HEAD * 3, [HEAD] * 3),
        (HEAD + b"GET /b", [HEAD, b"GET /b"]),
        (b"\r\n\r\n" + HEAD, [b"\r\n\r\n" + HEAD]),
        (HEAD + b"\r\n" + HEAD, [HEAD, b"\r\n" + HEAD]),
        (b"", [b""]),
    ],
)
def test_no_piece_goes_beyond_the_end_of_a_head(data: bytes, pieces: list[bytes]) -> None:
    assert Parser().pieces(data) == pieces


@given(st.lists(st.integers(1, 2 * len(HEAD)), max_size=12))
def test_no_piece_goes_beyond_the_end_of_a_head_however_it_is_divided(cuts: list[int]) -> None:
    data, parser, at, pieces = HEAD * 3, Parser(), 0, list[bytes]()
    for cut in [*cuts, len(data)]:
        pieces += parser.pieces(data[at : at + cut])
        at += cut
    assert b"".join(pieces) == data
    assert parser.head == b""


def test_the_end_of_a_head_is_found_between_two_pieces() -> None:
    for at in range(1, len(HEAD)):
        parser = Parser()
        assert parser.pieces(HEAD[:at]) == [HEAD[:at]]
        assert parser.pieces(HEAD[at:] + HEAD) == [HEAD[at:], HEAD]


def test_a_body_is_not_searched_for_heads() -> None:
    parser = Parser()
    assert parser.pieces(HEAD) == [HEAD]
    parser.splitter.body_missing = 6
    assert parser.pieces(b"\r\n\r\n") == [b"\r\n\r\n"]
    assert parser.splitter.body_missing == 2
    assert parser.pieces(b"") == [b""]
    assert parser.pieces(b"xy" + HEAD) == [b"xy", HEAD]


def test_a_body_comes_in_pieces_of_what_is_read_of_it_at_one_time() -> None:
    parser = Parser()
    assert parser.pieces(HEAD) == [HEAD]
    parser.splitter.body_missing = BODY_PIECE_BYTES * 2 + 1
    pieces = parser.pieces(b"x" * (BODY_PIECE_BYTES * 2 + 1) + HEAD)
    assert [len(piece) for piece in pieces] == [BODY_PIECE_BYTES, BODY_PIECE_BYTES, 1, len(HEAD)]
    assert parser.splitter.idle


def test_what_was_not_returned_yet_comes_before_what_is_received_later() -> None:
    splitter = HeadSplitter(MOST)
    splitter.receive(HEAD * 2)
    assert splitter.piece() == HEAD
    assert repr(splitter) == f"<HeadSplitter between, {len(HEAD)} bytes waiting>"
    splitter.receive(b"GET")
    assert (splitter.piece(), splitter.piece()) == (HEAD, b"GET")
    assert not splitter.has_piece


def test_nothing_is_kept_after_clear() -> None:
    splitter = HeadSplitter(MOST)
    splitter.receive(HEAD)
    assert splitter.reject_line(BadHttpMethod("x"), b"FOO")
    splitter.clear()
    assert (splitter.has_piece, splitter.rejected_line) == (False, None)


@pytest.mark.parametrize(
    ("error", "line", "undecided"),
    [
        (BadHttpMethod("x"), b"FOO", True),
        (BadHttpMethod("x"), b"FOO /a HTTP/1.1\r", True),
        (BadHttpMethod("x"), b"FOO /a HTTP/1.1\r\n", False),
        (BadHttpMethod("x"), b"\x16\x03", False),
        (BadHttpMethod("x"), b"F" * (MOST + 1), False),
        (BadStatusLine("x"), b"FOO", False),
    ],
)
def test_which_rejected_lines_are_decided_by_their_rest(error: Exception, line: bytes, *, undecided: bool) -> None:
    splitter = HeadSplitter(MOST)
    assert splitter.reject_line(error, line) is undecided
    assert splitter.rejected_line == ((error, line) if undecided else None)


@pytest.mark.parametrize(("rest", "undecided"), [(b"BAR /a", True), (b" /a HTTP/1.1\r\n", False), (b"x" * MOST, False)])
def test_a_rejected_line_is_collected_until_it_is_decided(rest: bytes, *, undecided: bool) -> None:
    splitter = HeadSplitter(MOST)
    error = BadHttpMethod("x")
    assert splitter.reject_line(error, b"FOO")
    assert splitter.extend_line(rest) is undecided
    assert splitter.rejected_line == (error, b"FOO" + rest)


def test_it_shows_what_it_is_in() -> None:
    splitter = HeadSplitter(MOST)
    splitter.in_head = True
    assert repr(splitter) == "<HeadSplitter in a head, 0 bytes waiting>"
    splitter.body_missing = 1
    assert repr(splitter) == "<HeadSplitter in a body, 0 bytes waiting>"
    splitter.reject_line(BadHttpMethod("x"), b"FOO")
    assert repr(splitter) == "<HeadSplitter in a rejected line, 0 bytes waiting>"


def test_what_follows_a_handshake_is_taken_in_one_piece() -> None:
    splitter = HeadSplitter(MOST)
    splitter.receive(HEAD + b"frames")
    assert splitter.piece() == HEAD
    splitter.receive(b" and more")
    assert splitter.take_rest() == b"frames and more"
    assert splitter.take_rest() == b""
    assert not splitter.has_piece
