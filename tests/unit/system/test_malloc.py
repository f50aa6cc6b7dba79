"""system/malloc.py: what was freed goes back to the system."""

import ctypes
import subprocess
import sys
from collections.abc import Callable

from gateway.system.malloc import (
    GROWN_BYTES,
    GROWN_IDLE_BYTES,
    LARGE_BYTES,
    Trimming,
    give_back,
    keep_blocks,
    resident_bytes,
    set_apart,
    trim,
)

PIECE, PIECES = 100_000, 400


def alone(check: Callable[[], None]) -> None:
    """Run a check of this module in a process of its own: here other tests have left holes that take blocks."""
    program = f"from {__name__} import {check.__name__}; {check.__name__}()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_freed_memory_between_used_blocks_is_returned() -> None:
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.free.argtypes = [ctypes.c_void_p]
    pieces = [libc.malloc(PIECE) for _ in range(PIECES)]
    for piece in pieces:
        ctypes.memset(piece, 1, PIECE)
    before = resident_bytes()
    for piece in pieces[1::2]:
        libc.free(piece)
    trim()
    assert before - resident_bytes() > PIECE * PIECES // 4
    for piece in pieces[::2]:
        libc.free(piece)


def holes(size: int) -> int:
    """Fill `size` bytes with pieces, free every second one, and return how much the process holds."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.free.argtypes = [ctypes.c_void_p]
    pieces = [libc.malloc(PIECE) for _ in range(size // PIECE)]
    for piece in pieces:
        ctypes.memset(piece, 1, PIECE)
    for piece in pieces[1::2]:
        libc.free(piece)
    return resident_bytes()


def holes_are_returned_in_time() -> None:
    keep_blocks()
    trimming = Trimming(3)
    before = holes(GROWN_BYTES // 4)
    trimming.beat(idle=False)
    trimming.beat(idle=False)
    assert before - resident_bytes() < PIECE
    trimming.beat(idle=False)
    assert before - resident_bytes() > GROWN_BYTES // 10


def many_holes_are_returned_at_once() -> None:
    keep_blocks()
    trimming = Trimming(1000)
    for _ in range(2):
        before = holes(GROWN_BYTES * 2)
        trimming.beat(idle=False)
        assert before - resident_bytes() > GROWN_BYTES // 2


def holes_are_returned_when_there_is_nothing_to_do() -> None:
    keep_blocks()
    trimming = Trimming(1000)
    before = holes(GROWN_IDLE_BYTES * 4)
    trimming.beat(idle=True)
    assert before - resident_bytes() > GROWN_IDLE_BYTES


def test_memory_is_returned_in_turn() -> None:
    alone(holes_are_returned_in_time)


def test_memory_is_returned_at_once_when_it_is_much() -> None:
    alone(many_holes_are_returned_at_once)


def test_memory_is_returned_by_who_has_nothing_to_do() -> None:
    alone(holes_are_returned_when_there_is_nothing_to_do)


def test_large_blocks_go_back_as_soon_as_they_are_freed() -> None:
    alone(large_blocks_go_back)


def large_blocks_go_back() -> None:
    give_back()
    large = bytearray(LARGE_BYTES * 5)
    del large  # the library would keep blocks of this size from now on
    before = resident_bytes()
    blocks = [bytearray(b"x" * (2 * LARGE_BYTES)) for _ in range(20)]
    held = resident_bytes() - before
    assert held > 19 * 2 * LARGE_BYTES
    last = blocks.pop()
    blocks.clear()
    assert resident_bytes() - before < held // 10
    assert len(last) == 2 * LARGE_BYTES


def test_blocks_of_common_bodies_are_kept_until_memory_is_trimmed() -> None:
    alone(bodies_are_kept)


def bodies_are_kept() -> None:
    give_back()
    before = resident_bytes()
    body = b"x" * (LARGE_BYTES // 4)
    held = resident_bytes() - before
    assert held > LARGE_BYTES // 5
    del body
    assert resident_bytes() - before > held // 2
    trim()
    assert resident_bytes() - before < held // 2


def test_a_block_that_is_set_apart_lies_on_no_page_that_was_used() -> None:
    alone(blocks_are_set_apart)


def blocks_are_set_apart() -> None:
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.free.argtypes = [ctypes.c_void_p]
    give_back()
    before = resident_bytes()
    for apart in (False, True):
        libc.free(ctypes.memset(ctypes.c_void_p(libc.malloc(LARGE_BYTES // 2)), 1, LARGE_BYTES // 2))
        if apart:
            set_apart()
        blocks = [libc.malloc(LARGE_BYTES // 16) for _ in range(8)]  # nobody writes to them
        keep_blocks()
        assert (resident_bytes() - before > LARGE_BYTES // 4) is not apart
        for block in blocks:
            libc.free(block)


def test_what_this_process_holds() -> None:
    before = resident_bytes()
    held = bytearray(b"x" * GROWN_BYTES)
    assert GROWN_BYTES // 2 < resident_bytes() - before < 2 * GROWN_BYTES
    trimming = Trimming(2)
    for _ in range(2):
        trimming.beat(idle=False)
    assert len(held) == GROWN_BYTES
    assert resident_bytes() - before > GROWN_BYTES // 2  # what is in use stays
