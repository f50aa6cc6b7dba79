"""What a change of keys in Redis means, in the words of `gateway diff`."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice

import msgspec

from gateway.config_diff.changes import Change, changes
from gateway.config_diff.inventory import Redactor, items_of
from gateway.keystore.records import StoredKey
from gateway.settings import Config
from gateway.settings.checks.stored_keys import read_key
from gateway.settings.schema.access import KeySettings
from gateway.settings.schema.key_list import KeyList
from gateway.settings.schema.values import RefusedError

_SALT_BYTES = 16


def key_changes(config: Config, before: Iterable[StoredKey], after: Iterable[StoredKey]) -> list[Change]:
    """Return what becomes different for the holders of keys. `config` has the plans and routes that the keys name.

    A key that has several secrets is compared by its newest one. A key that no gateway can use counts as absent.
    """
    redactor = Redactor(os.urandom(_SALT_BYTES), local=True)
    return changes(items_of(_with_keys(config, before), redactor), items_of(_with_keys(config, after), redactor))


def _with_keys(config: Config, stored: Iterable[StoredKey]) -> Config:
    return config.model_copy(update={"keys": KeyList(list(_settings(stored))), "key_store": None})


def _settings(stored: Iterable[StoredKey]) -> Iterator[KeySettings]:
    for each in stored:
        for entry in islice(each.entries().values(), 1):
            with suppress(RefusedError):
                yield read_key(msgspec.json.decode(entry, type=dict[str, object]))
