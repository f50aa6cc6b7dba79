"""Makes imports faster, which are most of the start time of a command."""

import gc
import ssl
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def fast_imports() -> Iterator[None]:
    """Save a fifth of the time. Garbage collection is off during imports, and never visits the imported objects later.

    While aiohttp is imported it creates a TLS context with all certificate authorities of the system for its client.
    That client is not used here, and gets a context without authorities: its connections would fail, and would not be
    insecure.
    """
    gc.disable()
    make = ssl.create_default_context
    ssl.create_default_context = _context_without_authorities
    try:
        yield
    finally:
        ssl.create_default_context = make
        gc.freeze()
        gc.enable()


def _context_without_authorities(*_: object, **__: object) -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
