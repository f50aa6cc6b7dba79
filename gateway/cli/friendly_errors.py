"""Prints errors that the user can correct as messages instead of tracebacks."""

import errno
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from gateway.settings import ConfigError

_WHAT_TO_DO = {
    errno.EADDRINUSE: "another program listens there; stop it, or choose another address",
    errno.EADDRNOTAVAIL: "this machine has no such address; 127.0.0.1 is itself, 0.0.0.0 all of its addresses",
    errno.EACCES: "choose a port above 1023, or give the process CAP_NET_BIND_SERVICE",
    socket.EAI_NONAME: (
        "no name server and no hosts file here knows it; 127.0.0.1 is this machine, 0.0.0.0 all of its addresses"
    ),
    errno.EMFILE: "raise the limit on open files (ulimit -n, LimitNOFILE=)",
}


@contextmanager
def friendly_errors() -> Iterator[None]:
    """Turn ConfigError and OSError into a message, with a hint where there is one, and exit code 1."""
    try:
        yield
    except ConfigError as error:
        click.echo(error.text(color=sys.stderr.isatty()), err=True)
        sys.exit(1)
    except OSError as error:
        hint = _WHAT_TO_DO.get(error.errno or 0)
        message = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
        raise click.ClickException(f"{message}; {hint}" if hint else message) from None
