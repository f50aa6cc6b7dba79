"""Opens the keys in Redis that a configuration names, for the commands that edit them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from gateway.audit.actors import local_user
from gateway.cli.friendly_errors import friendly_errors
from gateway.key_management.registry_access import KeyChangeError, open_registry
from gateway.keystore.key_audit import KeyAuthor
from gateway.keystore.registry import KeyRegistry
from gateway.settings import Config, load


@contextmanager
def key_errors() -> Iterator[None]:
    """Turn a KeyChangeError into click.UsageError for what the command was given, else into click.ClickException."""
    try:
        yield
    except KeyChangeError as error:
        if error.reason in ("invalid", "taken"):
            raise click.UsageError(str(error)) from None
        raise click.ClickException(str(error)) from None


@contextmanager
def editing(config: Config) -> Iterator[KeyRegistry]:
    """Yield a registry. Raises as `key_errors` does, also for what goes wrong inside of the context."""
    with key_errors(), open_registry(config) as registry:
        yield registry


@contextmanager
def registry_of(file: Path) -> Iterator[KeyRegistry]:
    """Yield a registry for the configuration in `file`; print its problems and exit if it has any."""
    with friendly_errors():
        config = load(file)
    with editing(config) as registry:
        yield registry


def author_of(action: str) -> KeyAuthor:
    """Return the user who runs this command, for the audit trail. `action` is the command, such as `rotate`."""
    return KeyAuthor(local_user(), f"keys.{action}")
