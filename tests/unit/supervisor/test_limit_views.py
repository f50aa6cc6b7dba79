"""supervisor/limit_views.py: what of workers' answers the admin listener shows."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from gateway.admin.listener import AdminListener
from gateway.observe.node_metrics import NodeMetrics
from gateway.supervisor.limit_views import limit_views, reset_view
from gateway.supervisor.worker_process import QueryResponse
from tests.audited import trail_in_memory

TRAIL = trail_in_memory()
BEARER = {"Authorization": "Bearer sesame"}


class FakeWorker:
    """A worker that gives one answer, and keeps what it was asked."""

    def __init__(self, slot: int, answer: QueryResponse | None) -> None:
        self.slot = slot
        self.pid = 100 + slot
        self._answer = answer
        self.asked: list[tuple[str, dict[str, str]]] = []

    async def query(self, question: str, parameters: dict[str, str]) -> QueryResponse | None:
        self.asked.append((question, parameters))
        return self._answer


def response(status: int = 200, **body: str) -> QueryResponse:
    return QueryResponse(status, json.dumps(body).encode())


@asynccontextmanager
async def admin(*workers: FakeWorker) -> AsyncIterator[Callable[..., Any]]:
    one = AdminListener("127.0.0.1:0", NodeMetrics(), lambda: (True, []), "sesame")
    one.views |= limit_views(lambda: workers)
    one.changes["/limits/reset"] = reset_view(lambda: workers, TRAIL)
    await one.start()
    async with aiohttp.ClientSession(f"http://{one.address}") as session:

        async def ask(path: str, method: str = "GET") -> tuple[int, Any]:
            async with session.request(method, path, headers=BEARER if method == "POST" else {}) as reply:
                return reply.status, await reply.json()

        yield ask
    await one.close()


async def test_every_worker_reports_its_limiter() -> None:
    async with admin(FakeWorker(0, response(store="a")), FakeWorker(1, None)) as ask:
        workers = [{"worker": 0, "pid": 100, "store": "a"}, {"worker": 1, "pid": 101, "error": "no worker answers"}]
        assert await ask("/limiter") == (200, {"workers": workers})


async def test_limits_come_from_the_first_worker_that_responds() -> None:
    workers = [FakeWorker(0, None), FakeWorker(1, response(404, error="no")), FakeWorker(2, response())]
    async with admin(*workers) as ask:
        assert await ask("/limits?key=a&organization=acme&quota=q&x=y") == (404, {"error": "no"})
    assert [worker.asked for worker in workers] == [
        [("limits", {"key": "a", "organization": "acme", "quota": "q"})]
    ] * 2 + [[]]


async def test_every_worker_resets_and_the_worst_response_counts() -> None:
    workers = [FakeWorker(0, response(key="a")), FakeWorker(1, None), FakeWorker(2, response(503, error="away"))]
    async with admin(*workers) as ask:
        assert await ask("/limits/reset?key=a", "POST") == (503, {"error": "away"})
        assert (await ask("/limits/reset?key=a"))[0] == 405
    assert [worker.asked for worker in workers] == [[("reset", {"key": "a"})]] * 3


@pytest.mark.parametrize(("path", "method"), [("/limits", "GET"), ("/limits?key=", "GET"), ("/limits/reset", "POST")])
async def test_a_key_has_to_be_named(path: str, method: str) -> None:
    async with admin(FakeWorker(0, response())) as ask:
        assert await ask(path, method) == (400, {"error": "say which key: ?key=ID"})


@pytest.mark.parametrize(("path", "method"), [("/limits?key=a", "GET"), ("/limits/reset?key=a", "POST")])
async def test_without_workers_there_is_no_response(path: str, method: str) -> None:
    async with admin() as ask:
        assert await ask(path, method) == (503, {"error": "no worker answers"})


async def test_a_request_is_explained_by_the_first_worker_that_responds() -> None:
    workers = [FakeWorker(0, None), FakeWorker(1, response(200, path="/a"))]
    async with admin(*workers) as ask:
        path = "/explain?method=GET&target=%2Fa%3Fb&key=k&header=A:%20b&header=C:d:e&client=192.0.2.1"
        assert await ask(path) == (200, {"path": "/a"})
        assert (await ask("/explain?method=GET"))[0] == 400
    question, parameters = workers[1].asked[0]
    assert (question, json.loads(parameters["request"])) == (
        "explain",
        {
            "method": "GET",
            "target": "/a?b",
            "client": "192.0.2.1",
            "key_id": "k",
            "headers": [["A", "b"], ["C", "d:e"]],
        },
    )
    async with admin(FakeWorker(0, None)) as ask:
        assert (await ask("/explain?method=GET&target=/"))[0] == 503
