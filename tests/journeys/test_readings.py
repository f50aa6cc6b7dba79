"""Behind the gateway are real frameworks: no spelling of a path reaches there what its plain spelling is refused."""

import asyncio
import http.client
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
import pytest_asyncio

from tests.frameworks import SERVICES, service
from tests.gateway_process import KEY, configuration, digest, running
from tests.raw_client import RawClient, RawReply
from tests.respelled import spellings

pytestmark = pytest.mark.asyncio(loop_scope="module")

COUNT = int(os.environ.get("SPELLINGS", "400"))
NARROW = "gw_test_key_that_may_read_orders"
SECTIONS = {
    "plans": "[{id: unlimited, limits: []}, {id: anonymous, limits: []}]",
    "keys": f"""
- {{id: tester, secret_sha256: {digest(KEY)}, organizations: [acme], plan: unlimited}}
- {{id: narrow, secret_sha256: {digest(NARROW)}, organizations: [acme], plan: unlimited, routes: [api]}}
""",
    "routes": """
- {id: api, match: {prefix: /v1}, upstream: backend}
- {id: admin, match: {path: /v1/admin, methods: [GET]}, upstream: backend}
- {id: open, match: {prefix: /}, upstream: backend, auth: none}
""",
}
GUARDED = {None: {"orders", "order", "admin"}, NARROW: {"admin"}}
"""What nobody without a key, and nobody with that key, may reach."""


class Here(NamedTuple):
    gateway: int
    service: int


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=SERVICES)
async def here(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Here]:
    folder: Path = tmp_path_factory.mktemp("readings")
    with service(request.param) as port, running(configuration(port, **SECTIONS), folder) as gateway:
        yield Here(gateway.port, port)


async def asked(port: int, path: str, key: str | None, method: str = "GET") -> RawReply:
    async with await RawClient.connect(port) as client:
        field = f"X-Api-Key: {key}\r\n" if key else ""
        await client.send(
            f"{method} {path} HTTP/1.1\r\nHost: h\r\n{field}Connection: close\r\nContent-Length: 0\r\n\r\n".encode()
        )
        return await client.reply(method)


def reached(body: bytes) -> str | None:
    """The handler, whether its reply is in an envelope or not."""
    try:
        found = json.loads(body)
    except ValueError:
        return None
    result = found.get("data", {}).get("result", {}) if "data" in found else found
    name: str | None = result.get("reached")
    return name


def asked_itself(port: int, path: str) -> bytes:
    """What the service says when nobody stands before it. One of them speaks HTTP/1.0."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()


async def test_plain_spellings_reach_what_they_name(here: Here) -> None:
    for path, key, name in (
        ("/v1/orders", KEY, "orders"),
        ("/v1/orders/7", NARROW, "order"),
        ("/v1/admin", KEY, "admin"),
        ("/", None, "front"),
    ):
        assert reached((await asked(here.gateway, path, key)).body) == name
    assert reached((await asked(here.gateway, "//v1//orders", KEY)).body) == "orders"
    assert reached((await asked(here.gateway, "/files/a%5Cb", None)).body) == "files"
    for path, key, status in (("/v1/orders", None, 401), ("/v1/admin", NARROW, 403)):
        assert (await asked(here.gateway, path, key)).status == status


async def test_no_spelling_reaches_what_its_plain_spelling_is_refused(here: Here) -> None:
    harmful = 0
    for path in dict.fromkeys(spellings(COUNT, seed=1)):
        if path.isascii():
            harmful += reached(await asyncio.to_thread(asked_itself, here.service, path)) in GUARDED[None]
            for key, guarded in GUARDED.items():
                reply = await asked(here.gateway, path, key)
                assert reply.status < 500, path
                assert reached(reply.body) not in guarded, path
    assert harmful > COUNT / 200  # or the spellings are harmless


async def test_no_method_falls_through_to_an_open_route(here: Here) -> None:
    for method in ("POST", "DELETE"):
        for path in ("/v1/admin", "/v1/Admin", "/v1/admin/"):
            for key in (None, NARROW):
                reply = await asked(here.gateway, path, key, method)
                assert reply.status in {401, 403, 405}
                assert reached(reply.body) is None
