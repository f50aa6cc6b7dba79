"""Reads the keys that are kept in Redis as a list, for commands that try a configuration."""

import msgspec

from gateway.cli.keys.redis_registry import editing
from gateway.settings import Config
from gateway.settings.checks.stored_keys import read_key
from gateway.settings.schema.key_list import KeyList
from gateway.settings.schema.values import RefusedError


def with_listed_keys(config: Config) -> Config:
    """Return `config` with its keys in Redis, if it has any there, in place of the store.

    Keys that are unusable are left out. Raises click.ClickException for errors of Redis.
    """
    if config.key_store is None:
        return config
    found = []
    with editing(config) as registry:
        for stored in registry.all():
            for entry in stored.entries().values():
                try:
                    found.append(read_key(msgspec.json.decode(entry, type=dict[str, object])))
                except RefusedError:
                    break
                break  # one secret is enough: the key is found by its id
    return config.model_copy(update={"keys": KeyList(found), "key_store": None})
