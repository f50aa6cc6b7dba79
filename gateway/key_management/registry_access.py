"""Opens the keys in Redis that a configuration names, and says why a change of them was not made."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias

import redis

from gateway.keystore.records import KeyNames
from gateway.keystore.registry import DuplicateProofError, KeyRegistry, UnreadableError
from gateway.redis_client.address import RedisConnectionError, text_of
from gateway.redis_client.blocking_client import client_for
from gateway.settings import Config

NO_STORE = "the keys of this configuration stand in its files: edit them there, or write `keys: {store: redis}`"

KeyChangeReason: TypeAlias = Literal["invalid", "unknown", "taken", "conflict", "no_store", "unreadable", "unavailable"]
"""Why a change was not made.

`conflict` is a change by somebody else meanwhile, `taken` an id or a secret of another key, `unavailable` a Redis that
is away or refuses.
"""


class KeyChangeError(Exception):
    """No change was made. `problems` are sentences for whoever wanted it, and hold no secret."""

    def __init__(self, reason: KeyChangeReason, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.reason = reason
        self.problems = problems


@contextmanager
def open_registry(config: Config) -> Iterator[KeyRegistry]:
    """Yield a registry. Raises KeyChangeError for what goes wrong on the way to the keys, and inside of the context."""
    if config.key_store is None or config.redis is None:
        raise KeyChangeError("no_store", NO_STORE)
    url, prefix = config.redis.login_url(), config.redis.key_prefix
    try:
        client = client_for(url, KeyNames.of(prefix).ids)
        try:
            yield KeyRegistry(client, prefix)
        finally:
            client.close()
    except (redis.RedisError, OSError) as error:
        raise KeyChangeError("unavailable", f"Redis: {text_of(error)}{_about_proxies(error)}") from None
    except RedisConnectionError as error:
        raise KeyChangeError("unavailable", f"Redis: {error}") from None
    except UnreadableError as error:
        raise KeyChangeError("unreadable", str(error)) from None
    except DuplicateProofError as error:
        raise KeyChangeError("taken", f"{error.key_id}: {error}") from None


def _about_proxies(error: Exception) -> str:
    """Translate the refusal of a proxy that lets gateways read keys: an error reply, or a cut connection."""
    text = str(error)
    refused = "unknown command" in text or "closed by server" in text
    return "; if this is a proxy, name Redis itself in a file of your own" if refused else ""
