"""Opens the keys in Redis that a configuration names, for the commands that edit them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
import redis

from gateway.audit.actors import local_user
from gateway.cli.friendly_errors import friendly_errors
from gateway.keystore.key_audit import KeyAuthor
from gateway.keystore.records import KeyNames
from gateway.keystore.registry import DuplicateProofError, KeyRegistry, UnreadableError
from gateway.redis_client.address import RedisConnectionError, text_of
from gateway.redis_client.blocking_client import client_for
from gateway.settings import Config, load

NO_STORE = "the keys of this configuration stand in its files: edit them there, or write `keys: {store: redis}`"


@contextmanager
def editing(config: Config, otherwise: str = NO_STORE) -> Iterator[KeyRegistry]:
    """Yield a registry.

    Raises click.ClickException for errors of Redis, or with the text `otherwise` if the keys are not in Redis.
    """
    if config.key_store is None or config.redis is None:
        raise click.ClickException(otherwise)
    url, prefix = config.redis.login_url(), config.redis.key_prefix
    try:
        client = client_for(url, KeyNames.of(prefix).ids)
        try:
            yield KeyRegistry(client, prefix)
        finally:
            client.close()
    except (redis.RedisError, OSError) as error:
        raise click.ClickException(f"Redis: {text_of(error)}{_about_proxies(error)}") from None
    except UnreadableError as error:
        raise click.ClickException(str(error)) from None
    except RedisConnectionError as error:
        raise click.ClickException(f"Redis: {error}") from None
    except DuplicateProofError as error:
        raise click.ClickException(f"{error.key_id}: {error}") from None


def _about_proxies(error: Exception) -> str:
    """Translate the refusal of a proxy that lets gateways read keys: an error reply, or a cut connection."""
    text = str(error)
    refused = "unknown command" in text or "closed by server" in text
    return "; if this is a proxy, name Redis itself in a file of your own" if refused else ""


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


def instant_of(wall_s: float) -> str:
    """Return an instant in the format of RFC 3339, in whole seconds."""
    return datetime.fromtimestamp(wall_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
