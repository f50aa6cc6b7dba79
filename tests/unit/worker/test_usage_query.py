"""worker/usage_query.py: what a worker answers when it is asked for usage."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from gateway.settings import parse
from gateway.worker.usage_query import usage_handler
from tests.redis_server import RedisProcess, free_port
from tests.unit.accounting.test_storage import A, add, batch
from tests.yaml_files import LEAST

USAGE = "observability: {usage: {}}\n"


async def asked(text: str, **parameters: str) -> tuple[int, Any]:
    handler = usage_handler(parse(LEAST + text), lambda: datetime(2126, 11, 30, tzinfo=UTC).timestamp())
    answers = await asyncio.gather(*[handler(parameters) for _ in range(3)])
    assert answers[0] == answers[1] == answers[2]
    return answers[0][0], msgspec.to_builtins(answers[0][1])


async def test_usage_of_this_month(module_redis: RedisProcess) -> None:
    module_redis.ask("FLUSHALL")
    add(module_redis, batch(1, (A, [1, 0, 0, 0])))
    status, body = await asked(f"redis: {{url: '{module_redis.url}'}}\n" + USAGE, by="key")
    assert (status, body["from"], body["to"], body["by"]) == (200, "2126-11-01", "2126-11-30", ("key",))
    sums = {"calls": 1, "errors": 0, "request_bytes": 0, "response_bytes": 0, "callers": 1, "quotas": {}}
    assert (body["rows"], body["total"]) == ([sums | {"key": "ci"}], sums)


@pytest.mark.parametrize("text", ["", "redis: {url: 'redis://127.0.0.1:1'}\n"])
async def test_where_nothing_is_counted(text: str) -> None:
    status, body = await asked(text)
    assert (status, list(body)) == (404, ["error"])


async def test_what_cannot_be_answered() -> None:
    text = f"redis: {{url: 'redis://127.0.0.1:{free_port()}'}}\n" + USAGE
    assert await asked(text, by="plan") == (
        400,
        {"error": "`by` is one or several of day, organization, key, route, with commas between them"},
    )
    assert (await asked(text, **{"from": "2126-10-01"}))[0] == 400
    status, body = await asked(text)
    assert status == 503
    assert body["error"].startswith("Redis: refused")
