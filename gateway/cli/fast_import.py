"""Importing a command: most of the time that one takes to start."""

import gc
import ssl
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quickly() -> Iterator[None]:
    """A fifth less. What is imported is no garbage, so nobody looks for any; and stays, so nobody looks through it later.

    aiohttp makes a context with all of the system's authorities for its client while it is imported. Nobody uses that
    client here, and it gets a context that trusts nobody: whoever does use it fails, and is not deceived.
    """
    gc.disable()
    make = ssl.create_default_context
    ssl.create_default_context = _trusting_nobody
    try:
        yield
    finally:
        ssl.create_default_context = make
        gc.freeze()
        gc.enable()


def _trusting_nobody(*_: object, **__: object) -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
