"""console/target_changes.py: a target is taken out of service and brought back by hand."""

import json
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from gateway.audit.query import AuditQuery
from gateway.console.target_changes import TargetChanges
from gateway.kernel.health import Findings, Verdict
from gateway.table.snapshot import Snapshot
from tests.audited import trail_in_memory
from tests.clocks import ManualClock
from tests.unit.supervisor.test_status import snapshot

A = "?upstream=orders&target=http://a:80"


class Node:
    def __init__(self, serving: Snapshot) -> None:
        self.time = ManualClock()
        self.trail = trail_in_memory()
        self.row = serving.shared_state.upstreams["orders"]
        self._handlers = TargetChanges(lambda: serving, self.trail, self.time.clock).handlers()

    async def post(self, path: str) -> tuple[int, Any]:
        reply = cast(web.Response, await self._handlers[path.partition("?")[0]](make_mocked_request("POST", path)))
        assert isinstance(reply.body, bytes)
        return reply.status, json.loads(reply.body)


@pytest.fixture
def node() -> Node:
    return Node(snapshot("http://a", "http://b"))


async def test_a_target_is_ejected_for_a_while_and_returned(node: Node) -> None:
    version = node.row.version
    assert await node.post(f"/targets/eject{A}&for=5m") == (
        200,
        {"target": "orders http://a:80", "state": "ejected", "for_s": 300.0},
    )
    target, now = node.row.targets[0], node.time.clock.monotonic()
    assert (target.ejected(now + 299), target.ejected(now + 301), target.reason) == (True, False, "operator")
    assert (node.row.version > version, target.ejections) == (True, 1)
    node.time.advance(1.0)
    assert await node.post("/targets/return?upstream=orders&target=a:80") == (
        200,
        {"target": "orders http://a:80", "state": "up"},
    )
    assert (target.up(now), target.ejections, target.back_at) == (True, 0, now + 1)
    done = node.trail.remembered(AuditQuery())
    assert [(each.action, each.object, each.before, each.after) for each in done] == [
        ("targets.return", "orders http://a:80", {"state": "ejected"}, {"state": "up"}),
        ("targets.eject", "orders http://a:80", {"state": "up"}, {"state": "ejected", "for_s": 300.0}),
    ]


async def test_the_last_target_that_is_up_is_not_ejected(node: Node) -> None:
    assert (await node.post(f"/targets/eject{A}"))[0] == 200
    status, body = await node.post("/targets/eject?upstream=orders&target=http://b:80")
    assert (status, "no other target" in body["error"]) == (409, True)
    alone = Node(snapshot("http://a"))
    assert (await alone.post(f"/targets/eject{A}"))[0] == 409
    assert alone.trail.remembered(AuditQuery()) == []


async def test_a_target_that_is_down_is_not_returned(node: Node) -> None:
    node.row.targets[0].findings = Findings(Verdict.DOWN, 0)
    assert await node.post(f"/targets/return{A}") == (
        409,
        {"error": "its health checks fail: it is called again when they pass"},
    )


@pytest.mark.parametrize(
    ("path", "status", "why"),
    [
        ("/targets/eject", 400, "say which target: ?upstream=ID&target=URL"),
        ("/targets/return?upstream=orders", 400, "say which target: ?upstream=ID&target=URL"),
        ("/targets/eject?upstream=x&target=y", 404, "there is no such upstream"),
        ("/targets/return?upstream=orders&target=y", 404, "the upstream has no such target"),
        (f"/targets/eject{A}&for=0s", 400, "for: must be longer than 0"),
        (f"/targets/eject{A}&for=25h", 400, "for: a day at most; take it out of the configuration for longer"),
    ],
)
async def test_a_change_that_cannot_be_made_is_refused(node: Node, path: str, status: int, why: str) -> None:
    assert await node.post(path) == (status, {"error": why})
    assert node.trail.remembered(AuditQuery()) == []
