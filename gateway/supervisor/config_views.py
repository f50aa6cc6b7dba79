"""The pages of the admin listener about the configuration in force."""

import asyncio
import os
from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web
from pydantic import BaseModel, SecretStr

from gateway import __version__
from gateway.admin.connection import json_reply, lines_reply
from gateway.admin.listener import View
from gateway.config_diff.inventory import MASK, Preface, Redactor, is_secret, items_of
from gateway.net import redis_url
from gateway.settings import Config
from gateway.settings.origins import paths
from gateway.settings.schema.key_list import KeyList
from gateway.table.snapshot import Snapshot

_SALT_BYTES = 16
_AT_ONCE = 100
"""The number of items or keys that are encoded before other tasks run: this takes one or two milliseconds."""


def configuration_views(snapshot: Callable[[], Snapshot]) -> dict[str, View]:
    """Return the pages by path: the configuration, the origin of each value, and the inventory for `gateway diff`."""
    salt = os.urandom(_SALT_BYTES)

    async def effective(_: web.BaseRequest) -> web.Response:
        config = snapshot().config
        shown = masked(config.model_copy(update={"keys": ()}))
        keys: list[msgspec.Raw] = []
        for count, key in enumerate(config.keys):
            keys.append(msgspec.Raw(msgspec.json.encode(_masked(key))))
            if not count % _AT_ONCE:
                await asyncio.sleep(0)
        return json_reply(200, shown if config.key_store is not None else {**shown, "keys": keys})

    async def origins(_: web.BaseRequest) -> web.Response:
        return json_reply(200, {**origins_of(snapshot())})

    async def inventory(_: web.BaseRequest) -> web.Response:
        body = bytearray(msgspec.json.encode(Preface(__version__, salt.hex())) + b"\n")
        for count, item in enumerate(items_of(snapshot().config, Redactor(salt, local=False))):
            body += msgspec.json.encode(item) + b"\n"
            if not count % _AT_ONCE:
                await asyncio.sleep(0)
        return lines_reply(bytes(body))

    return {"/config": effective, "/config/origins": origins, "/config/outline": inventory}


def origins_of(snapshot: Snapshot) -> dict[str, str]:
    """Return the origin of each value by its path in the configuration.

    All keys of a file have one origin, because they may be many.
    """
    written = masked(snapshot.config.model_copy(update={"keys": ()}))
    return (
        snapshot.origins.of(written) if snapshot.origins is not None else dict.fromkeys(paths(written), snapshot.source)
    )


def masked(config: Config) -> dict[str, Any]:
    """Return the configuration with its defaults and without secrets. Durations are seconds, sizes bytes."""
    plain: dict[str, Any] = _masked(config)
    store = plain.pop("key_store")
    if store is not None:
        plain["keys"] = store
    if config.redis is not None:
        plain["redis"]["url"] = redis_url.masked(config.redis.url.get_secret_value())
    return plain


def _masked(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return {name: MASK if name == "secret_sha256" and each is not None else _masked(each) for name, each in value}
    if isinstance(value, dict):
        return {
            name: MASK if isinstance(each, str) and is_secret(name, each) else _masked(each)
            for name, each in value.items()
        }
    if isinstance(value, tuple | list | KeyList) and not hasattr(value, "_fields"):
        return [_masked(each) for each in value]
    if isinstance(value, SecretStr):
        return MASK
    return value if value is None or isinstance(value, str | int | float) else str(value)
