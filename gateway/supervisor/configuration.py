"""What the admin listener shows of the configuration in force, for programs."""

import asyncio
import os
from collections.abc import Callable

import msgspec
from aiohttp import web

from gateway import __version__
from gateway.admin import View, lines_reply
from gateway.settings import Config
from gateway.table.outline import Preface, Veil, things

_SALT_BYTES = 16
_AT_ONCE = 100
"""Things that are taken apart before others get their turn: a millisecond or two."""


def outline_of(config: Callable[[], Config]) -> View:
    """Everything that `gateway diff` compares, without secrets: one thing a line."""
    salt = os.urandom(_SALT_BYTES)

    async def outline(_: web.BaseRequest) -> web.Response:
        body = bytearray(msgspec.json.encode(Preface(__version__, salt.hex())) + b"\n")
        for count, thing in enumerate(things(config(), Veil(salt, at_home=False))):
            body += msgspec.json.encode(thing) + b"\n"
            if not count % _AT_ONCE:
                await asyncio.sleep(0)
        return lines_reply(bytes(body))

    return outline
