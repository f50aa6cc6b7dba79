"""Settings of the memory allocator of the C library."""

import ctypes
from mmap import PAGESIZE
from pathlib import Path

_MMAP_PARAMETER, _TRIM_PARAMETER = -3, -1
"""M_MMAP_THRESHOLD and M_TRIM_THRESHOLD of mallopt(3)."""
LARGE_BYTES = 4 * 1024 * 1024
_KEPT_BYTES = 64 * 1024 * 1024
_APART_BYTES = 128 * 1024
GROWN_BYTES, GROWN_IDLE_BYTES = 128 * 1024 * 1024, 4 * 1024 * 1024
"""Growth of a process after which memory is returned without delay: while it works, and while it has nothing to do."""
_STATM = Path("/proc/self/statm")
_libc = ctypes.CDLL(None)
_mallopt = getattr(_libc, "mallopt", None)
_malloc, _free = _libc.malloc, _libc.free
_malloc.restype, _free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]


def give_back() -> None:
    """Return memory that was freed to the system, and set what is done with blocks that are freed from now on.

    After a large configuration was read, more memory is free than in use, and forked workers would keep it. They
    inherit the settings: blocks of more than `LARGE_BYTES` are returned as soon as they are freed, because by default
    the library raises that threshold whenever one is freed. Smaller ones are kept for the next body until `trim`, at
    most `_KEPT_BYTES` at the end of the heap: a page that the system has to give anew costs more than to send what
    stands on it. Does nothing if the C library has no such calls.
    """
    keep_blocks()
    trim()


def keep_blocks() -> None:
    """Keep blocks of less than `LARGE_BYTES` that are freed for the next one, and return larger ones."""
    if _mallopt is not None:
        _mallopt(_MMAP_PARAMETER, LARGE_BYTES)
        _mallopt(_TRIM_PARAMETER, _KEPT_BYTES)


def set_apart() -> None:
    """Let blocks of more than 128 KiB have pages of their own, which end with them, until `keep_blocks` is called.

    What is free at the end of the heap is returned to the system before, because it would be used for them.
    """
    if _mallopt is not None:
        _mallopt(_TRIM_PARAMETER, 0)
        _free(_malloc(_APART_BYTES - 1))  # the library looks at the end of the heap when a block is freed there
        _mallopt(_MMAP_PARAMETER, _APART_BYTES)


def trim() -> None:
    """Return memory that was freed to the system. Pieces of bodies leave holes, which the library would keep.

    Takes well under a millisecond unless there is much to return. Does nothing if the C library has no such call.
    """
    trim_all = getattr(_libc, "malloc_trim", None)
    if trim_all is not None:
        trim_all(0)


class Trimming:
    """Calls `trim` at one of so many `beats`, and at any when the process has grown since it did.

    A thousand uploads that begin within seconds would leave holes of hundreds of megabytes otherwise, until it is time.
    """

    __slots__ = ("_beats", "_left", "_resident_bytes")

    def __init__(self, beats: int) -> None:
        self._beats = self._left = beats
        self._resident_bytes = resident_bytes()

    def beat(self, *, idle: bool) -> None:
        """Call it at even intervals; `idle` if the process has nothing to do."""
        self._left -= 1
        grown_bytes = resident_bytes() - self._resident_bytes
        if not self._left or grown_bytes > (GROWN_IDLE_BYTES if idle else GROWN_BYTES):
            trim()
            self._left, self._resident_bytes = self._beats, resident_bytes()


def resident_bytes() -> int:
    """Return how much memory this process holds; 0 where the system does not say."""
    try:
        return int(_STATM.read_bytes().split()[1]) * PAGESIZE
    except OSError:
        return 0
