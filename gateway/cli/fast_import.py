"""Makes imports faster, which are most of the start time of a command."""

import gc
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager

TELEMETRY = "opentelemetry"


@contextmanager
def fast_imports() -> Iterator[None]:
    """Save a fifth of the time. Garbage collection is off during imports, and never visits the imported objects later.

    While aiohttp is imported it creates a TLS context with all certificate authorities of the system for its client.
    That client is not used here, and gets a context without authorities: its connections would fail, and would not be
    insecure. The client of Redis imports OpenTelemetry wherever it is installed, for metrics that nobody asks it for,
    and is told that there is none. What exports spans here is imported later, if ever.
    """
    gc.disable()
    hides = TELEMETRY not in sys.modules
    if hides:
        sys.modules[TELEMETRY] = None  # type: ignore[assignment]  # which is how Python notes that there is none
    make = ssl.create_default_context
    ssl.create_default_context = _context_without_authorities
    try:
        yield
    finally:
        if hides:
            del sys.modules[TELEMETRY]
        ssl.create_default_context = make
        gc.freeze()
        gc.enable()


def _context_without_authorities(*_: object, **__: object) -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
