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
    library = ctypes.CDLL(None)
    trim, option = getattr(library, "malloc_trim", None), getattr(library, "mallopt", None)
    if option is not None:
        option(_MMAP_PARAMETER, LARGE_BYTES)
    if trim is not None:
        trim(0)
