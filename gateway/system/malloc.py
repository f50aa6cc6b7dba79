"""Settings of the memory allocator of the C library."""

import ctypes

_MMAP_PARAMETER, _TRIM_PARAMETER = -3, -1
"""M_MMAP_THRESHOLD and M_TRIM_THRESHOLD of mallopt(3)."""
LARGE_BYTES = 4 * 1024 * 1024
_KEPT_BYTES = 64 * 1024 * 1024


def give_back() -> None:
    """Return memory that was freed to the system, and set what is done with blocks that are freed from now on.

    After a large configuration was read, more memory is free than in use, and forked workers would keep it. They
    inherit the settings: blocks of more than `LARGE_BYTES` are returned as soon as they are freed, because by default
    the library raises that threshold whenever one is freed. Smaller ones are kept for the next body until `trim`, at
    most `_KEPT_BYTES` at the end of the heap: a page that the system has to give anew costs more than to send what
    stands on it. Does nothing if the C library has no such calls.
    """
    option = getattr(ctypes.CDLL(None), "mallopt", None)
    if option is not None:
        option(_MMAP_PARAMETER, LARGE_BYTES)
        option(_TRIM_PARAMETER, _KEPT_BYTES)
    trim()


def trim() -> None:
    """Return memory that was freed to the system. Pieces of bodies leave holes, which the library would keep.

    Takes well under a millisecond unless there is much to return. Does nothing if the C library has no such call.
    """
    trim_all = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim_all is not None:
        trim_all(0)
