"""Makes imports faster, which are most of the start time of a command."""

import gc
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager

TELEMETRY, DRAWING = "opentelemetry", "rich"


@contextmanager
def fast_imports(*, draws: bool = False) -> Iterator[None]:
    """Save a third of the time. Garbage collection is off during imports, and never visits the imported objects later.

    While aiohttp is imported it creates TLS contexts with all certificate authorities of the system for its client.
    That client is not used here, and gets contexts without authorities: its connections would fail, and would not be
    insecure. The client of Redis imports OpenTelemetry wherever it is installed, for metrics that nobody asks it for,
    and is told that there is none. What exports spans here is imported later, if ever. structlog imports rich, to print
    tracebacks with the values of variables, keys among them: unless the command `draws`, there is no rich either.
    """
    gc.disable()
    hidden = [name for name in (TELEMETRY, DRAWING)[: 1 if draws else 2] if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # which is how Python notes that there is none
    ssl.SSLContext.set_default_verify_paths = _read_none  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
        del ssl.SSLContext.set_default_verify_paths  # that of its base is left
        gc.freeze()
        gc.enable()


def _read_none(_: ssl.SSLContext) -> None:
    """Take the place of what reads the authorities of the system."""
