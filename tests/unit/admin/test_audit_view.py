import json
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from structlog.testing import capture_logs

from gateway.admin.audit_view import audit_view
from gateway.audit.trail import AuditTrail
from gateway.kernel.clock import Clock
from gateway.settings.schema.server import RedisSettings
from tests.audited import AT, AT_S, entry, shared_in_memory, trail_in_memory
from tests.redis_server import free_port

CLOCK = Clock(lambda: 0.0, lambda: AT_S + 60)


@pytest.fixture
def trail() -> AuditTrail:
    trail = trail_in_memory()
    with capture_logs():
        trail.record(entry("acme-ci"))
        trail.record(entry("other", "keys.rotate"))
    return trail


async def asked(trail: AuditTrail, query: str, redis: RedisSettings | None = None) -> tuple[int, Any]:
    reply = await audit_view(shared_in_memory(trail, redis), CLOCK)(make_mocked_request("GET", f"/audit{query}"))
    assert isinstance(reply, web.Response)
    assert isinstance(reply.body, bytes)
    return reply.status, json.loads(reply.body)


@pytest.mark.parametrize(
    ("query", "objects"),
    [
        ("", ["other", "acme-ci"]),
        ("?limit=1", ["other"]),
        ("?object=acme-*", ["acme-ci"]),
        ("?action=keys.rotate", ["other"]),
        ("?since=2m", ["other", "acme-ci"]),
        ("?since=30s", []),
        ("?since=2027-01-15T09:00:00Z", []),
    ],
)
async def test_changes_are_listed_with_the_newest_first(trail: AuditTrail, query: str, objects: list[str]) -> None:
    status, body = await asked(trail, query)
    assert (status, body["scope"]) == (200, "gateway")
    assert [record["object"] for record in body["records"]] == objects


async def test_a_record_has_the_names_of_the_log(trail: AuditTrail) -> None:
    (record,) = (await asked(trail, "?object=acme-ci"))[1]["records"]
    assert record == {
        "id": "1",
        "at": AT,
        "who": "alice",
        "from": "laptop",
        "action": "keys.disable",
        "object": "acme-ci",
        "outcome": "done",
        "before": {"disabled": False},
        "after": {"disabled": True},
        "gateway": "gw-1",
    }


async def test_parameters_that_make_no_sense_are_refused(trail: AuditTrail) -> None:
    assert await asked(trail, "?limit=0") == (400, {"error": "limit: write a number from 1 to 1000"})


async def test_that_redis_is_away_is_said(trail: AuditTrail) -> None:
    away = RedisSettings.model_validate({"url": f"redis://127.0.0.1:{free_port()}"})
    status, body = await asked(trail, "", away)
    assert (status, body["scope"], len(body["records"])) == (200, "gateway", 2)
    assert body["problem"].startswith("Redis: refused")
