"""admin/captures_view.py: the pages with what was captured, which need the token."""

import json
from typing import Any

import aiohttp
import msgspec
import pytest

from gateway.admin.captures_view import capture_resources
from gateway.admin.listener import AdminListener
from gateway.capture.captures import Captures
from gateway.observe.node_metrics import NodeMetrics
from gateway.worker.capture import captures_query
from tests.unit.admin.test_usage_view import Worker as SilentWorker
from tests.unit.capture.test_captures import capture

TOKEN = {"Authorization": "Bearer sesame"}


class Worker:
    """Has captured these requests."""

    def __init__(self, *request_ids: str) -> None:
        captures = Captures()
        for each in request_ids:
            captures.keep(capture(each))
        self._answer = captures_query(captures)

    async def query(self, question: str, parameters: dict[str, str], within_s: float = 0.0) -> tuple[int, bytes] | None:
        assert question == "captures"
        status, body = await self._answer(parameters)
        return status, msgspec.json.encode(body)


async def asked(path: str, fields: dict[str, str] = TOKEN) -> tuple[int, Any]:
    admin = AdminListener("127.0.0.1:0", NodeMetrics(), lambda: (True, []), "sesame")
    admin.resources |= capture_resources(lambda: [SilentWorker(None), Worker("a1", "b2"), Worker("c3")])
    await admin.start()
    try:
        async with (
            aiohttp.ClientSession() as client,
            client.get(f"http://{admin.address}{path}", headers=fields) as reply,
        ):
            return reply.status, json.loads(await reply.text())
    finally:
        await admin.close()


async def test_captures_of_all_workers_are_listed() -> None:
    status, body = await asked("/captures")
    assert status == 200
    assert sorted(each["request_id"] for each in body["captures"]) == ["a1", "b2", "c3"]
    assert body["captures"][0]["timestamp"] == "1970-01-01T00:00:01.000Z"


async def test_one_of_them_is_shown() -> None:
    status, body = await asked("/captures/C3")
    assert (status, body["request_id"], body["path"], body["request"]) == (200, "c3", "/", {"fields": []})


async def test_there_may_be_none() -> None:
    assert await asked("/captures/d4") == (404, {"error": "nothing was captured of this request"})


@pytest.mark.parametrize("path", ["/captures", "/captures/a1"])
async def test_they_need_the_token(path: str) -> None:
    assert (await asked(path, {}))[0] == 401
