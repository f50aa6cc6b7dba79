"""Holders see and rotate their own keys: `server.self_service_path`."""

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from click.testing import CliRunner

from gateway.cli import main
from tests.contracts.canary import PLACES, SECRETS, excerpt, leaks
from tests.fakes import reply, until
from tests.gateway_process import GatewayProcess, configuration, running
from tests.journeys.backends import Service, ask, enveloped
from tests.journeys.multi_worker import TOKEN
from tests.raw_client import RawClient
from tests.redis_server import RedisProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/_gateway/key"
ROTATE = f"{PATH}/rotate"
ADMIN = {"Authorization": f"Bearer {TOKEN}"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(
    tmp_path_factory: pytest.TempPathFactory, module_redis: RedisProcess
) -> AsyncIterator[GatewayProcess]:
    sections = {
        "server": f'{{self_service_path: {PATH}, drain_delay: 0s, listeners: [{{id: public, address: "127.0.0.1:0"}}]}}',
        "admin": f'{{address: "127.0.0.1:0", token: {TOKEN}}}',
        "observability": "{log: {format: json}}",
        "redis": f'{{url: "{module_redis.url}", timeout: 2s}}',
        "keys": "{store: redis}",
        "plans": "[{id: standard, limits: [{id: hour, max: 50, per: 1h}]}, {id: large, limits: []}]",
    }
    async with Service() as service:
        service.on("/v1/a", reply())
        with running(configuration(service.port, **sections), tmp_path_factory.mktemp("gateway")) as process:
            yield process


def created(gateway: GatewayProcess, key_id: str, *arguments: str) -> str:
    file = str(Path(gateway.started["config"]))
    done = CliRunner().invoke(main, ["keys", "create", "--id", key_id, "-c", file, "--output", "json", *arguments])
    assert done.exit_code == 0, done.output
    return str(json.loads(done.stdout)["secret"])


def result(answer: Any) -> dict[str, Any]:
    found: dict[str, Any] = enveloped(answer)["data"]["result"]
    return found


async def test_a_holder_sees_and_rotates_its_key(gateway: GatewayProcess, module_redis: RedisProcess) -> None:
    key = created(gateway, "acme-ci", "--organization", "acme", "--route", "all", "--method", "GET")
    answer = await ask(gateway, "GET", PATH, key=key)
    shown = result(answer)
    assert (answer.status, shown["id"], shown["plan"], shown["organizations"]) == (200, "acme-ci", "standard", ["acme"])
    assert (shown["routes"], shown["methods"], shown["secrets"]) == (["all"], ["GET"], [{"validUntil": None}])
    assert answer.field("Cache-Control") == "no-store"
    assert answer.field("X-RateLimit-Remaining-Hour") == "49"

    answer = await ask(gateway, "POST", ROTATE, body=b'{"overlap": "1h"}', key=key)
    new = result(answer)
    assert (answer.status, answer.field("X-RateLimit-Remaining-Hour")) == (200, "48")
    for secret in (key, new["secret"]):
        assert (await ask(gateway, "GET", "/v1/a", key=secret)).status == 200
    shown = result(await ask(gateway, "GET", PATH, key=new["secret"]))
    assert shown["secrets"] == [{"validUntil": None}, {"validUntil": new["oldValidUntil"]}]
    assert shown["rotated"] is not None

    page = json.loads(gateway.admin("/audit?action=keys.rotate&object=acme-ci")[1])
    (record,) = page["records"]
    assert (record["who"], record["from"]) == ("key acme-ci", "127.0.0.1")
    line = await gateway.record("request_id", answer.field("X-Request-Id"))
    assert (line["http.route"], line["gateway.key_id"]) == ("gateway.key.rotate", "acme-ci")
    secrets = [key, new["secret"]]
    hidden = [*secrets, *(hashlib.sha256(secret.encode()).hexdigest() for secret in secrets)]
    seen = [*gateway.lines, json.dumps(page), json.dumps(shown), str(module_redis.ask("DUMP", "gw:1:{keys}:audit"))]
    assert [text for text in hidden if any(text in line for line in seen)] == []


async def test_strangers_and_other_methods_are_refused(gateway: GatewayProcess) -> None:
    key = created(gateway, "other")
    assert (await ask(gateway, "GET", PATH, key=None)).status == 401
    assert (await ask(gateway, "POST", ROTATE, key="gw_unknown")).status == 401
    for method, path, allowed in (("POST", PATH, "GET, HEAD"), ("GET", ROTATE, "POST")):
        answer = await ask(gateway, method, path, key=key)
        assert (answer.status, answer.field("Allow")) == (405, allowed)
    answer = await ask(gateway, "POST", ROTATE, body=b'{"overlap": "0s"}', key=key)
    details = enveloped(answer)["data"]["details"]
    assert (answer.status, details[0]["field"], "1m to 30d" in details[0]["text"]) == (400, "overlap", True)


async def test_what_is_only_explained_rotates_nothing(gateway: GatewayProcess) -> None:
    key = created(gateway, "explained")

    def is_known() -> bool:
        return gateway.admin("/limits?key=explained")[0] == 200

    await until(is_known, 10.0)
    status, body = gateway.admin(f"/explain?method=POST&target={ROTATE}&key=explained")
    assert (status, json.loads(body)["route"]["id"]) == (200, "gateway.key.rotate")
    assert result(await ask(gateway, "GET", PATH, key=key))["rotated"] is None


async def rest_of(gateway: GatewayProcess, raw: bytes) -> bytes:
    """All that comes back for a request, over a connection of its own."""
    async with asyncio.timeout(20), await RawClient.connect(gateway.port) as client:
        with contextlib.suppress(OSError):
            await client.send(raw)
            client.finish_sending()
        return await client.rest()


async def test_a_key_is_seen_nowhere_wherever_it_is_sent(gateway: GatewayProcess, module_redis: RedisProcess) -> None:
    key = SECRETS["valid"]
    imported = json.dumps({"id": "canary", "secret": key.decode(), "plan": "large"})
    arguments = ["keys", "import", "-", "-c", str(gateway.started["config"])]
    done = CliRunner().invoke(main, arguments, input=imported)
    assert done.exit_code == 0, done.output
    for method, path in (("GET", PATH), ("POST", ROTATE)):
        assert (await ask(gateway, method, path, body=b'{"%b": 1}' % key, key=key.decode())).status in (200, 400)
    replies = [
        await rest_of(gateway, carry(path, key))
        for carry in PLACES.values()
        for path in (PATH.encode(), ROTATE.encode())
    ]
    assert {reply[9:12] for reply in replies} >= {b"200", b"400", b"401", b"405"}
    mistaken = created(gateway, "mistaken")  # an operator takes the secret for an id
    for path in (f"/limits/reset?key={mistaken}", f"/cache/purge?tag={mistaken}"):
        gateway.admin(path, "POST", ADMIN | {"X-Gateway-Operator": mistaken})
    gateway.admin(f"/keys/{mistaken}", "DELETE", ADMIN)
    shown = gateway.admin("/audit")[1]
    assert "cache.purge" in shown
    trail = str(module_redis.ask("XRANGE", "gw:1:{keys}:audit", "-", "+"))
    assert [excerpt(text) for text in (*replies, trail.encode(), shown.encode()) if leaks(text)] == []
    assert [line for line in (*gateway.lines, trail, shown) if leaks(line.encode()) or mistaken in line] == []
