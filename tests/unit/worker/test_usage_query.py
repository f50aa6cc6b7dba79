"""worker/usage_query.py: what a worker answers when it is asked for usage."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from gateway.accounting.storage import rows_key
from gateway.settings import parse
from gateway.worker.usage_query import MOST_ROWS, MOST_WAITING, usage_handler
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


async def test_an_answer_has_so_many_rows_at_most(module_redis: RedisProcess) -> None:
    module_redis.ask("FLUSHALL")
    rows = {f"|k{number}|r|": "1 0 0 0" for number in range(MOST_ROWS + 1)}
    module_redis.ask("HSET", rows_key("gw", "2126-11-30"), *[part for row in rows.items() for part in row])
    text = f"redis: {{url: '{module_redis.url}'}}\n" + USAGE
    handler = usage_handler(parse(LEAST + text), lambda: datetime(2126, 11, 30, tzinfo=UTC).timestamp())
    status, body = await handler({"by": "key"})
    assert (status, str(body)[:46]) == (400, "{'error': 'the answer has more than 20000 rows")


async def test_only_so_many_may_wait() -> None:
    text = f"redis: {{url: 'redis://127.0.0.1:{free_port()}'}}\n" + USAGE
    handler = usage_handler(parse(LEAST + text), lambda: datetime(2126, 11, 30, tzinfo=UTC).timestamp())
    for _ in range(2):
        answers = await asyncio.gather(*[handler({}) for _ in range(MOST_WAITING + 1)])
        errors: list[Any] = [body for _, body in answers]
        assert [error["error"].startswith("Redis: refused") for error in errors] == [True] * MOST_WAITING + [False]
        assert answers[-1] == (503, {"error": "too many ask for usage already"})


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
