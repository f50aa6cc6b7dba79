"""Settings of the memory allocator of the C library."""

import ctypes

_MMAP_PARAMETER, LARGE_BYTES = -3, 128 * 1024
"""The parameter M_MMAP_THRESHOLD of mallopt(3), and its default value."""


def give_back() -> None:
    """Return memory that was freed to the system, and has large blocks returned as soon as they are freed from now on.

    After a large configuration was read, more memory is free than in use, and forked workers would keep it. They
    inherit the setting for large blocks: by default the library raises its threshold whenever one is freed, and would
    keep hundreds of MiB after many large bodies. Does nothing if the C library has no such calls.
    """
    option = getattr(ctypes.CDLL(None), "mallopt", None)
    if option is not None:
        option(_MMAP_PARAMETER, LARGE_BYTES)
    trim()


def trim() -> None:
    """Return memory that was freed to the system. Pieces of bodies leave holes, which the library would keep.

    Takes well under a millisecond unless there is much to return. Does nothing if the C library has no such call.
    """
    trim_all = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim_all is not None:
        trim_all(0)
