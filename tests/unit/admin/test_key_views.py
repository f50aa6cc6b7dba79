"""admin/key_views.py: keys over HTTP, in a real Redis; secrets are in the reply that makes them and nowhere else."""

import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import make_mocked_request

from gateway.admin.key_views import KeyResources
from gateway.admin.listener import AdminListener
from gateway.audit.query import AuditQuery
from gateway.audit.redis_stream import read_records
from gateway.audit.trail import AuditTrail
from gateway.observe.node_metrics import NodeMetrics
from gateway.settings import Config, parse
from gateway.system.one_shot_thread import Threads
from tests.audited import trail_in_memory
from tests.redis_server import RedisProcess, free_port
from tests.unit.cli.stored import PREAMBLE

BEARER = {"Authorization": "Bearer sesame"}


def stored_in(url: str) -> Config:
    return parse(PREAMBLE + f"redis: {{url: '{url}'}}\nkeys: {{store: redis}}\n", environ={})


class Admin:
    """An admin listener with the keys of `config`."""

    def __init__(self, session: aiohttp.ClientSession, config: Config, trail: AuditTrail) -> None:
        self._session = session
        self.config = config
        self.trail = trail
        self.shown = ""

    async def ask(self, method: str, path: str, body: Any = None, **fields: str) -> tuple[int, Any]:
        async with self._session.request(method, path, json=body, headers=BEARER | fields) as reply:
            assert reply.headers["Cache-Control"] == "no-store"
            text = await reply.text()
            self.fields = reply.headers
        answer = json.loads(text)
        self.shown += text if "secret" not in answer else ""
        return reply.status, answer


@pytest.fixture
async def admin(module_redis: RedisProcess) -> AsyncIterator[Admin]:
    module_redis.ask("FLUSHALL")
    listener = AdminListener("127.0.0.1:0", NodeMetrics(), lambda: (True, []), "sesame")
    trail = trail_in_memory()
    await listener.start()
    async with aiohttp.ClientSession(f"http://{listener.address}") as session:
        found = Admin(session, stored_in(module_redis.url), trail)
        listener.resources |= KeyResources(lambda: found.config, Threads(), trail).handlers()
        yield found
    await listener.close()


async def test_the_life_of_a_key(admin: Admin, module_redis: RedisProcess) -> None:
    fields = {"id": "a", "plan": "gold", "organizations": ["acme"], "allow": ["10.0.0.0/8"], "expires": None}
    status, created = await admin.ask("POST", "/keys", fields)
    assert (status, created["id"], admin.fields["Location"]) == (201, "a", "/keys/a")
    assert created["key"]["allow"] == ["10.0.0.0/8"]
    assert "expires" not in created["key"]
    assert await admin.ask("GET", "/keys/a") == (200, created["key"])
    assert await admin.ask("GET", "/keys?limit=1") == (200, {"keys": [created["key"]], "next": None})

    status, tried = await admin.ask("PATCH", "/keys/a?dry_run", {"plan": None})
    assert (status, tried["changed"], [change["aspect"] for change in tried["changes"]]) == (200, False, ["plan"])
    status, updated = await admin.ask("PATCH", "/keys/a", {"plan": None, "disabled": True})
    assert (updated["changed"], updated["key"]["plan"], updated["key"]["state"]) == (True, "standard", "disabled")
    assert (await admin.ask("PATCH", "/keys/a", {}))[1]["changed"] is False

    status, rotated = await admin.ask("POST", "/keys/a/rotate", {"overlap": "1h"})
    assert (status, set(rotated)) == (200, {"id", "secret", "old_valid_until"})
    assert len((await admin.ask("GET", "/keys/a"))[1]["secrets"]) == 2
    assert (await admin.ask("POST", "/keys/a/rotate"))[0] == 200
    assert await admin.ask("DELETE", "/keys/a") == (200, {"id": "a", "deleted": True})
    assert await admin.ask("GET", "/keys/a") == (404, {"error": "there is no key `a`"})

    records = read_records(module_redis.url, "gw", AuditQuery())
    actions = ["keys.delete", "keys.rotate", "keys.rotate", "keys.update", "keys.create"]
    assert [(record.action, record.who, record.gateway) for record in records] == [
        (action, "admin.token", "gw-1") for action in actions
    ]
    assert admin.trail.remembered(AuditQuery()) == records
    assert list(admin.trail.waiting) == []
    trail = str(module_redis.ask("XRANGE", "gw:1:{keys}:audit", "-", "+"))
    for secret in (created["secret"], rotated["secret"]):
        for spelled in (secret, hashlib.sha256(secret.encode()).hexdigest()):
            assert spelled not in admin.shown + trail


async def test_a_key_gets_an_id(admin: Admin) -> None:
    _, created = await admin.ask("POST", "/keys", {})
    assert created["id"] == "key-" + hashlib.sha256(created["secret"].encode()).hexdigest()[:8]
    assert await admin.ask("POST", "/keys", {"id": created["id"]}) == (
        409,
        {"error": f"`{created['id']}` is the id of another one"},
    )


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "problems"),
    [
        ("POST", "/keys", {"id": "-", "plan": 7, "routs": []}, 422, ["id: ", "plan: ", "routs: unknown key"]),
        ("POST", "/keys", {"plan": "silver", "organizations": ["x"]}, 422, ["there is no plan", "there is no org"]),
        ("POST", "/keys", {"secret_sha256": "0" * 64}, 422, ["secret_sha256: secrets are made here"]),
        ("PATCH", "/keys/a", {"id": "b", "secret_sha256": "c"}, 422, ["id: it cannot", "secret_sha256: it cannot"]),
        ("POST", "/keys/a/rotate", {"overlap": 5, "x": 1}, 422, ["x: unknown key", "overlap: write a duration"]),
        ("POST", "/keys/a/rotate", {"overlap": "5"}, 422, ["overlap: a duration needs its unit"]),
    ],
)
async def test_every_problem_of_a_change_is_said(
    admin: Admin, method: str, path: str, body: Any, status: int, problems: list[str]
) -> None:
    await admin.ask("POST", "/keys", {"id": "a"})
    found, answer = await admin.ask(method, path, body)
    assert (found, answer["error"], len(answer["problems"])) == (status, "this is no valid key", len(problems))
    assert all(each.startswith(start) for each, start in zip(answer["problems"], problems, strict=True))
    assert len(admin.trail.remembered(AuditQuery())) == 1


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "error"),
    [
        ("GET", "/keys?limit=0", None, 400, "limit: write a number from 1 to 1000"),
        ("GET", "/keys?key=a", None, 400, "there is no parameter `key`; there are limit, after, organization"),
        ("POST", "/keys", [], 400, "the body is no JSON object"),
        ("DELETE", "/keys/a?force", None, 400, "there is no parameter `force`; there is none here"),
        ("PATCH", "/keys/a", {"plan": "gold"}, 404, "there is no key `a`"),
        ("POST", "/keys/a/rotate", None, 404, "there is no key `a`"),
        ("DELETE", "/keys/a", None, 404, "there is no key `a`"),
        ("PUT", "/keys/a", {}, 405, "method not allowed"),
    ],
)
async def test_what_is_refused(admin: Admin, method: str, path: str, body: Any, status: int, error: str) -> None:
    assert await admin.ask(method, path, body) == (status, {"error": error})


async def test_only_with_the_token(admin: Admin) -> None:
    for method, path in (("GET", "/keys"), ("GET", "/keys/a"), ("POST", "/keys"), ("DELETE", "/keys/a")):
        assert (await admin.ask(method, path, Authorization="Bearer guess"))[0] == 401


async def test_keys_in_files_are_not_changed_here(admin: Admin) -> None:
    admin.config = parse(PREAMBLE)
    for method, path in (("GET", "/keys"), ("POST", "/keys"), ("DELETE", "/keys/a")):
        status, answer = await admin.ask(method, path, {} if method == "POST" else None)
        assert (status, "stand in its files" in answer["error"]) == (409, True)


async def test_a_redis_that_is_away_is_said(admin: Admin) -> None:
    admin.config = stored_in(f"redis://127.0.0.1:{free_port()}")
    status, answer = await admin.ask("POST", "/keys", {})
    assert (status, admin.fields["Retry-After"]) == (503, "1")
    assert answer["error"].startswith("Redis: refused")
    assert "look at the key first" in answer["hint"]


async def test_a_process_that_can_start_no_thread_says_so(admin: Admin) -> None:
    class Exhausted(Threads):
        async def run(self, work: Any) -> Any:
            raise OSError("can't start new thread")

    keys = KeyResources(lambda: admin.config, Exhausted(), admin.trail)
    reply = await keys.handlers()["/keys"]["GET"](make_mocked_request("GET", "/keys"))
    assert reply.status == 503
