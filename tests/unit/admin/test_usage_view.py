"""admin/usage_view.py: the page of the admin listener about usage."""

import json

import aiohttp
import pytest

from gateway.admin.listener import AdminListener
from gateway.admin.usage_view import usage_view
from gateway.admin.worker_queries import WITHIN_S
from gateway.observe.node_metrics import NodeMetrics


class Worker:
    """Gives one answer."""

    def __init__(self, answer: tuple[int, bytes] | None) -> None:
        self._answer = answer
        self.asked: list[tuple[str, dict[str, str], float]] = []

    async def query(self, question: str, parameters: dict[str, str], within_s: float = 0.0) -> tuple[int, bytes] | None:
        self.asked.append((question, parameters, within_s))
        return self._answer


@pytest.mark.parametrize(
    ("answers", "path", "expected"),
    [
        ([(200, {"rows": []}), (500, {})], "/usage?by=day,key&month=2026-11", (200, {"rows": []})),
        ([(400, {"error": "no"})], "/usage?by=plan", (400, {"error": "no"})),
        ([None], "/usage", (503, {"error": "no worker answers"})),
        ([], "/usage", (503, {"error": "no worker answers"})),
        (
            [(200, {})],
            "/usage?by=day&by=key",
            (400, {"error": "a parameter is there twice; write by=organization,day"}),
        ),
    ],
)
async def test_the_first_worker_is_asked(
    answers: list[tuple[int, object] | None], path: str, expected: tuple[int, object]
) -> None:
    workers = [Worker(None if each is None else (each[0], json.dumps(each[1]).encode())) for each in answers]
    one = AdminListener("127.0.0.1:0", NodeMetrics(), lambda: (True, []))
    one.views["/usage"] = usage_view(lambda: workers)
    await one.start()
    async with aiohttp.ClientSession(f"http://{one.address}") as session, session.get(path) as reply:
        assert (reply.status, await reply.json()) == expected
    await one.close()
    if expected[0] == 200:
        assert workers[0].asked == [("usage", {"by": "day,key", "month": "2026-11"}, WITHIN_S)]
    assert all(worker.asked == [] for worker in workers[1:])
