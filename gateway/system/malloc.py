"""Memory of the C library."""

import ctypes

_MMAP_THRESHOLD, LARGE_BYTES = -3, 128 * 1024
"""The parameter of mallopt(3), and its first value."""


def give_back() -> None:
    """Return to the system what was freed and is still held: after a large configuration was read it is more than what is in use.

    Workers are forked and would carry it along. They inherit as well that large blocks go back as soon as they are freed: left to itself
    the library would raise that bound with each of them, and keep hundreds of MiB after a crowd of large bodies. Where the C library
    has no such calls nothing happens.
    """
    library = ctypes.CDLL(None)
    trim, option = getattr(library, "malloc_trim", None), getattr(library, "mallopt", None)
    if option is not None:
        option(_MMAP_THRESHOLD, LARGE_BYTES)
    if trim is not None:
        trim(0)
