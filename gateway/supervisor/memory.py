"""Memory of the C library."""

import ctypes


def give_back() -> None:
    """Return to the system what was freed and is still held: after a large configuration was read it is more than what is in use.

    Workers are forked and would carry it along. Where the C library has no such call nothing happens.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
