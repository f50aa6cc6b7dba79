"""supervisor/limit_views.py: what of workers' answers the admin listener shows."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from gateway.admin.listener import Admin
from gateway.observe.node_metrics import NodeMetrics
from gateway.supervisor.limit_views import limit_views, resetting
from gateway.supervisor.worker_process import Answer

BEARER = {"Authorization": "Bearer sesame"}


class Asked:
    """A worker that gives one answer, and keeps what it was asked."""

    def __init__(self, slot: int, answer: Answer | None) -> None:
        self.slot = slot
        self.pid = 100 + slot
        self._answer = answer
        self.asked: list[tuple[str, dict[str, str]]] = []

    async def ask(self, question: str, about: dict[str, str]) -> Answer | None:
        self.asked.append((question, about))
        return self._answer


def said(status: int = 200, **told: str) -> Answer:
    return Answer(status, json.dumps(told).encode())


@asynccontextmanager
async def admin(*workers: Asked) -> AsyncIterator[Callable[..., Any]]:
    one = Admin("127.0.0.1:0", NodeMetrics(), lambda: (True, []), "sesame")
    one.views |= limit_views(lambda: workers)
    one.changes["/limits/reset"] = resetting(lambda: workers)
    await one.start()
    async with aiohttp.ClientSession(f"http://{one.address}") as session:

        async def ask(path: str, method: str = "GET") -> tuple[int, Any]:
            async with session.request(method, path, headers=BEARER if method == "POST" else {}) as reply:
                return reply.status, await reply.json()

        yield ask
    await one.close()


async def test_every_worker_tells_how_its_limiter_is() -> None:
    async with admin(Asked(0, said(store="a")), Asked(1, None)) as ask:
        workers = [{"worker": 0, "pid": 100, "store": "a"}, {"worker": 1, "pid": 101, "error": "no worker answers"}]
        assert await ask("/limiter") == (200, {"workers": workers})


async def test_limits_are_told_by_whoever_answers_first() -> None:
    workers = [Asked(0, None), Asked(1, said(404, error="no")), Asked(2, said())]
    async with admin(*workers) as ask:
        assert await ask("/limits?key=a&organization=acme&quota=q&x=y") == (404, {"error": "no"})
    assert [worker.asked for worker in workers] == [[("limits", {"key": "a", "organization": "acme", "quota": "q"})]] * 2 + [[]]


async def test_everybody_resets_and_the_worst_answer_counts() -> None:
    workers = [Asked(0, said(key="a")), Asked(1, None), Asked(2, said(503, error="away"))]
    async with admin(*workers) as ask:
        assert await ask("/limits/reset?key=a", "POST") == (503, {"error": "away"})
        assert (await ask("/limits/reset?key=a"))[0] == 405
    assert [worker.asked for worker in workers] == [[("reset", {"key": "a"})]] * 3


@pytest.mark.parametrize(("path", "method"), [("/limits", "GET"), ("/limits?key=", "GET"), ("/limits/reset", "POST")])
async def test_a_key_has_to_be_named(path: str, method: str) -> None:
    async with admin(Asked(0, said())) as ask:
        assert await ask(path, method) == (400, {"error": "say which key: ?key=ID"})


@pytest.mark.parametrize(("path", "method"), [("/limits?key=a", "GET"), ("/limits/reset?key=a", "POST")])
async def test_without_workers_nobody_answers(path: str, method: str) -> None:
    async with admin() as ask:
        assert await ask(path, method) == (503, {"error": "no worker answers"})
