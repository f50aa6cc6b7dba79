"""system/malloc.py: what was freed goes back to the system."""

import ctypes
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from gateway.system.malloc import LARGE_BYTES, give_back, keep_blocks, set_apart, trim

PIECE, PIECES = 100_000, 400


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


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
