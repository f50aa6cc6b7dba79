"""upstream/http1/body_buffer.py: what is put in comes out, in order and in one piece."""

import ctypes
import sys

from gateway.upstream.http1.body_buffer import BodyBuffer

LARGE = b"x" * 5000


def test_pieces_come_out_in_order() -> None:
    buffer = BodyBuffer()
    for piece in (b"a", b"b", LARGE, b"c", LARGE, LARGE, b"d"):
        buffer.add(piece)
    assert buffer.size == 4 + 3 * len(LARGE)
    assert buffer.take() == b"ab" + LARGE + b"c" + LARGE + LARGE + b"d"
    assert (buffer.size, buffer.take()) == (0, b"")


def test_its_first_bytes() -> None:
    buffer = BodyBuffer()
    assert buffer.begun(8) == b""
    for piece in (b"ab", LARGE):
        buffer.add(piece)
    assert buffer.begun(1) == b"a"
    assert buffer.begun(8) == b"abxxxxxx"


def test_small_pieces_take_no_more_memory_than_their_bytes() -> None:
    buffer = BodyBuffer()
    for _ in range(10_000):
        buffer.add(b"x")
    [gathered] = buffer._pieces
    assert sys.getsizeof(gathered) < 20_000


def test_a_body_at_its_place_is_never_copied() -> None:
    buffer = BodyBuffer()
    buffer.add(b"ab")
    block = buffer.allocate(len(LARGE) + 2)
    block[2:5000] = LARGE[:4998]
    address = ctypes.addressof(ctypes.c_char.from_buffer(block))
    buffer.size = 5000
    buffer.add(b"yz")
    assert (buffer.size, buffer.begun(4)) == (5002, b"abxx")
    body = buffer.take()
    assert body == b"ab" + LARGE[:4998] + b"yz"
    assert ctypes.cast(ctypes.c_char_p(body), ctypes.c_void_p).value == address
    assert (buffer.size, buffer.take()) == (0, b"")


def test_nothing_comes_out_that_was_not_put_in() -> None:
    buffer = BodyBuffer()
    buffer.add(b"ab")
    block = buffer.allocate(len(LARGE))
    block[2:] = b"?" * (len(LARGE) - 2)
    block[2:4] = b"cd"
    buffer.size = 4
    assert (buffer.begun(2), buffer.begun(8)) == (b"ab", b"abcd")
    block.release()
    buffer.add(b"e")
    assert buffer.begun(8) == b"abcde"
    assert buffer.take() == b"abcde"
