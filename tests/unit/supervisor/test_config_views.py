import asyncio
import http.client
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import msgspec
import pytest
from aiohttp import web

from gateway import __version__
from gateway.admin.listener import AdminListener
from gateway.config_diff.inventory import Item, Preface, Redactor, items_of
from gateway.observe.node_metrics import NodeMetrics
from gateway.settings import load_with_origins, parse
from gateway.supervisor.config_views import configuration_views, masked, origins_of
from gateway.table.snapshot import Snapshot, compile_snapshot
from tests.yaml_files import DIGEST, LEAST

TEXT = """
version: 1
admin: {token: open-sesame}
redis: {url: "redis+sentinel://user:hunter2@cache:6379/main?sentinel_password=hunter3"}
organizations: [{id: acme}]
keys: [{id: k, secret_sha256: 5139e9b7609476d6aeb37b840f9d44160ea0a1d7b1fedf6c3ccf860a530bb828, organizations: [acme]}]
upstreams: [{id: u, targets: [{url: "http://a:1"}]}]
routes:
  - {id: r, match: {prefix: /}, upstream: u, headers: {request: {set: {Authorization: Basic Zm9v, X-Service: api}}}}
"""
NOTHING_ASKED = cast(web.BaseRequest, None)
"""These views say what they say to everybody."""


@pytest.fixture
def snapshot() -> Snapshot:
    return compile_snapshot(parse(LEAST + f"keys: [{{id: k, secret_sha256: {DIGEST}}}]\n"), None, "--upstream")


@pytest.fixture
async def admin(snapshot: Snapshot) -> AsyncIterator[AdminListener]:
    admin = AdminListener("127.0.0.1:0", NodeMetrics(), lambda: (True, []))
    admin.views |= configuration_views(lambda: snapshot)
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


async def asked(admin: AdminListener, path: str) -> bytes:
    status, body = await asyncio.to_thread(_get, admin.address, path)
    assert status == 200
    return body


async def test_the_inventory_is_one_item_a_line_after_its_salt(admin: AdminListener, snapshot: Snapshot) -> None:
    first, *rest = (await asked(admin, "/config/outline")).splitlines()
    preface = msgspec.json.decode(first, type=Preface)
    assert (preface.release, len(preface.salt)) == (__version__, 32)
    shown = [msgspec.json.decode(line, type=Item) for line in rest]
    assert shown == list(items_of(snapshot.config, Redactor(bytes.fromhex(preface.salt), local=False)))


def test_the_effective_configuration_shows_defaults_and_no_secret() -> None:
    shown = masked(parse(TEXT, directory=Path("/")))
    for secret in ("open-sesame", "hunter2", "hunter3", "5139e9b7", "Zm9v"):
        assert secret not in str(shown)
    assert shown["redis"]["url"] == "redis+sentinel://***@cache:6379/main?sentinel_password=***"
    assert shown["routes"][0]["headers"]["request"]["set"] == {"Authorization": "***", "X-Service": "api"}
    assert (shown["server"]["drain_timeout"], shown["plans"][0]["id"]) == (30.0, "standard")
    assert (shown["routes"][0]["auth"], shown["auth"]["key"]["header"], shown["redis"]["key_prefix"]) == (
        "key",
        "X-Api-Key",
        "gw",
    )


async def test_the_whole_configuration_and_its_origins(admin: AdminListener, snapshot: Snapshot) -> None:
    assert msgspec.json.decode(await asked(admin, "/config")) == masked(snapshot.config)
    origins = msgspec.json.decode(await asked(admin, "/config/origins"))
    assert origins == origins_of(snapshot)
    assert (origins["routes[0].match.prefix"], origins["server.workers"]) == ("--upstream", "--upstream")


async def test_other_tasks_run_while_many_keys_are_shown() -> None:
    keys = "".join(f"- {{id: k{number}, secret_sha256: {number:063}a}}\n" for number in range(1000))
    snapshot = compile_snapshot(parse(LEAST + "keys:\n" + keys), None, "--upstream")
    for path, view in configuration_views(lambda: snapshot).items():
        if path == "/config/origins":
            continue  # says one thing of all of them
        showing, runs = asyncio.ensure_future(view(NOTHING_ASKED)), 0
        while not showing.done():
            await asyncio.sleep(0)
            runs += 1
        assert runs > 10


def test_values_of_a_file_have_their_line_and_keys_one_a_file(tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text(
        LEAST + f"keys:\n- {{id: k, secret_sha256: {DIGEST}}}\n- {{id: l, secret_sha256: {DIGEST[::-1]}}}\n"
    )
    config, origins = load_with_origins(tmp_path / "gateway.yaml", {})
    shown = origins_of(compile_snapshot(config, origins, "gateway.yaml"))
    assert shown["routes[0].match.prefix"] == f"{tmp_path}/gateway.yaml:3:36"
    assert shown["routes[0].auth"] == "default"
    assert {path: origin for path, origin in shown.items() if path.startswith("keys")} == {
        "keys": f"{tmp_path}/gateway.yaml:5:3"
    }


def test_keys_are_shown_where_the_file_has_them() -> None:
    assert "key_store" not in masked(parse(TEXT))
    elsewhere = TEXT[: TEXT.index("keys:")] + "keys: {store: redis}\n" + TEXT[TEXT.index("upstreams:") :]
    assert masked(parse(elsewhere))["keys"] == {"store": "redis"}
