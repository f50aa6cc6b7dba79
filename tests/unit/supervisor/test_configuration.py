import asyncio
import http.client
from collections.abc import AsyncIterator

import msgspec
import pytest

from gateway import __version__
from gateway.admin import Admin
from gateway.observe.node import NodeMetrics
from gateway.settings import Config, parse
from gateway.supervisor.configuration import outline_of
from gateway.table.outline import Preface, Thing, Veil, things
from tests.yaml_files import LEAST


@pytest.fixture
def config() -> Config:
    return parse(LEAST)


@pytest.fixture
async def admin(config: Config) -> AsyncIterator[Admin]:
    admin = Admin("127.0.0.1:0", NodeMetrics(), lambda: (True, []))
    admin.views["/config/outline"] = outline_of(lambda: config)
    await admin.start()
    yield admin
    await admin.close()


def _get(address: str, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(address, timeout=5)
    connection.request("GET", path)
    reply = connection.getresponse()
    body = reply.read()
    connection.close()
    return reply.status, body


async def asked(admin: Admin, path: str) -> bytes:
    status, body = await asyncio.to_thread(_get, admin.address, path)
    assert status == 200
    return body


async def test_the_outline_is_a_thing_a_line_after_the_salt_that_it_was_made_with(admin: Admin, config: Config) -> None:
    first, *rest = (await asked(admin, "/config/outline")).splitlines()
    preface = msgspec.json.decode(first, type=Preface)
    assert (preface.release, len(preface.salt)) == (__version__, 32)
    told = [msgspec.json.decode(line, type=Thing) for line in rest]
    assert told == list(things(config, Veil(bytes.fromhex(preface.salt), at_home=False)))
