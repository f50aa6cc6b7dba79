"""What callers and operators see of quotas and concurrency, and a quota that begins anew."""

import asyncio
import json
from typing import Any

from tests.fakes import End, reply, until
from tests.gateway_process import KEY, digest
from tests.journeys.backends import Front, ask, enveloped, front, requesting
from tests.raw_client import RawClient
from tests.redis_server import RedisProcess

TOKEN = "sesame-open-the-door"
SECTIONS = {
    "server": '{limits_path: /limits, workers: 2, drain_delay: 0s, listeners: [{id: public, address: "127.0.0.1:0"}]}',
    "admin": f'{{address: "127.0.0.1:0", token: {TOKEN}}}',
    "plans": """
- id: metered
  limits: [{id: day, max: 100, per: 1d}]
  concurrency: {key: 5}
  quotas:
  - {id: encodings, code: 8001, kind: count, max: 2, charge: [{routes: [encodings]}]}
  - {id: queued, code: 8004, kind: level, max: 2, scope: organization, charge: [{routes: [start]}]}
""",
    "keys": f"[{{id: tester, secret_sha256: {digest(KEY)}, organizations: [acme], plan: metered}}]",
    "routes": """
- {id: encodings, match: {path: /encodings}, upstream: backend}
- {id: start, match: {path: /start}, upstream: backend}
""",
}


async def own(here: Front) -> dict[str, Any]:
    """As the caller is told."""
    return dict(enveloped(await ask(here.gateway, "GET", "/limits"))["data"]["result"])


async def admin(here: Front, path: str, method: str = "GET") -> Any:
    status, text = await asyncio.to_thread(here.gateway.admin, path, method, {"Authorization": f"Bearer {TOKEN}"})
    assert status == 200
    return json.loads(text)


async def used(here: Front) -> dict[str, int]:
    """Callers and operators are told the same."""
    shown = {each["id"]: each["used"] for each in (await own(here))["quotas"]}
    assert {each["id"]: each["used"] for each in (await admin(here, "/limits?key=tester"))["quotas"]} == shown
    return shown


async def test_what_is_used_is_reported_at_no_cost_and_begins_anew_only_by_name(redis_server: RedisProcess) -> None:
    async with front(**SECTIONS, redis=f'{{url: "{redis_server.url}", timeout: 500ms}}') as here:
        for path in ("/encodings", "/start"):
            here.service.on(path, reply())
        assert [(await ask(here.gateway, "POST", "/encodings")).status for _ in range(3)] == [200, 200, 429]
        here.service.on("/start", End.NEVER)
        async with await RawClient.connect(here.gateway.port) as client:
            await client.send(requesting("POST", "/start"))
            await until(lambda: len(here.service.at("/start")) == 1)
            expected = {"encodings": 2, "concurrency": 1, "organization/metered/queued": 1}
            assert [await used(here) for _ in range(3)] == [expected] * 3
        (level,) = [each for each in (await own(here))["quotas"] if each["kind"] == "level"]
        assert 86_000 < level.pop("opensInSeconds") <= 86_400
        about = {"code": 8004, "scope": "organization", "max": 2, "used": 1, "remaining": 1, "routes": ["start"]}
        assert level == {"id": "organization/metered/queued", "kind": "level", **about}
        assert await admin(here, "/limits/reset?key=tester", "POST") == {"key": "tester", "reset": ["day"]}
        assert (await used(here))["encodings"] == 2
        assert (await admin(here, "/limits/reset?key=tester&quota=encodings", "POST"))["reset"] == ["encodings"]
        assert (await used(here))["organization/metered/queued"] == 1
        assert [(await ask(here.gateway, "POST", "/encodings")).status for _ in range(3)] == [200, 200, 429]
