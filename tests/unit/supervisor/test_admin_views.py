import asyncio
import json
from types import SimpleNamespace
from typing import Any, cast

import msgspec
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from gateway.admin.listener import View
from gateway.audit.query import AuditQuery
from gateway.audit.records import Actor
from gateway.history.node_history import NodeHistory
from gateway.observe.recent_errors import ErrorRecord
from gateway.settings import parse
from gateway.supervisor.admin_views import changes, drift_view, fleet_membership, mirror_view, purge_view, views
from gateway.supervisor.worker_pool import WorkerPool
from gateway.supervisor.worker_process import QueryResponse
from gateway.table.snapshot import Snapshot
from gateway.upstream.maintenance_switch import MaintenanceSwitch
from tests.audited import shared_in_memory, trail_in_memory
from tests.clocks import ManualClock
from tests.unit.supervisor.test_limit_views import FakeWorker
from tests.unit.supervisor.test_status import snapshot
from tests.yaml_files import LEAST

TRAIL = trail_in_memory()


async def purged(*workers: FakeWorker, query: str = "") -> tuple[int, Any]:
    request = make_mocked_request("POST", f"/cache/purge{query}")
    reply = await purge_view(lambda: workers, TRAIL)(request)
    assert isinstance(reply, web.Response)
    assert isinstance(reply.body, bytes)
    return reply.status, json.loads(reply.body)


async def test_a_purge_is_done_by_every_worker() -> None:
    workers = [FakeWorker(0, QueryResponse(200, b'{"purged":2}')), FakeWorker(1, QueryResponse(200, b'{"purged":3}'))]
    assert await purged(*workers, query="?route=a&tag=b&x=c") == (200, {"purged": 5, "workers": 2})
    assert [worker.asked for worker in workers] == [[("purge", {"route": "a", "tag": "b"})]] * 2
    (record,) = TRAIL.remembered(AuditQuery(action="cache.purge", limit=1))
    assert (record.object, record.after) == ("route a, tag b", {"purged": 5})


async def test_a_purge_that_is_not_done_everywhere_says_so() -> None:
    done, silent = FakeWorker(0, QueryResponse(200, b'{"purged":2}')), FakeWorker(1, None)
    assert await purged(done, silent) == (503, {"error": "1 of 2 workers have answered"})
    assert await purged() == (503, {"error": "0 of 0 workers have answered"})
    refused = FakeWorker(1, QueryResponse(404, b'{"error":"no"}'))
    assert await purged(done, refused) == (404, {"error": "no"})


async def test_mismatches_of_all_workers_are_shown_the_newest_first() -> None:
    workers = [
        FakeWorker(0, QueryResponse(200, b'[{"at":1.5,"route":"a"}]')),
        FakeWorker(1, QueryResponse(200, b'[{"at":2.5,"route":"b"},{"at":0.5,"route":"c"}]')),
        FakeWorker(2, None),
    ]
    reply = await mirror_view(lambda: workers)(make_mocked_request("GET", "/mirror"))
    assert isinstance(reply, web.Response)
    assert isinstance(reply.body, bytes)
    assert [each["route"] for each in json.loads(reply.body)["mismatches"]] == ["b", "a", "c"]


async def test_differences_of_all_workers_are_summed_up() -> None:
    record = {
        "route": "a",
        "status": 200,
        "kind": "type",
        "at": "/id",
        "text": "x",
        "times": 2,
        "first": 1.0,
        "last": 2.0,
    }
    later = record | {"times": 3, "first": 1.5, "last": 3.0, "text": "y"}
    workers = [
        FakeWorker(0, QueryResponse(200, msgspec.json.encode([record, record | {"kind": "value", "last": 2.5}]))),
        FakeWorker(1, QueryResponse(200, msgspec.json.encode([later]))),
        FakeWorker(2, None),
    ]
    reply = await drift_view(lambda: workers)(make_mocked_request("GET", "/drift"))
    assert isinstance(reply, web.Response)
    assert isinstance(reply.body, bytes)
    first, second = json.loads(reply.body)["drift"]
    assert first == later | {"times": 5, "first": 1.0}
    assert (second["kind"], second["times"]) == ("value", 2)


class Serving(FakeWorker):
    """A worker that serves `snapshot`."""

    def __init__(self, snapshot: Snapshot, answer: QueryResponse) -> None:
        super().__init__(0, answer)
        self.snapshot = snapshot


class FakePool:
    """A pool of one worker, with an error that it has kept."""

    def __init__(self, snapshot: Snapshot) -> None:
        heartbeat = SimpleNamespace(lag_s=0.0012345, connections=3, in_flight=2)
        self.everybody = [
            SimpleNamespace(
                slot=slot, pid=7, generation=generation, state="serving", started_at=0.0, heartbeat=heartbeat
            )
            for generation, slot in ((1, 0), (2, 1), (2, 0))
        ]
        self.errors = self
        self.switch = MaintenanceSwitch()
        self._worker = Serving(snapshot, QueryResponse(200, b'{"orders":[{"idle":1,"active":2,"pending":3}]}'))
        self.wanted: list[str | None] = []

    def queryable(self) -> list[FakeWorker]:
        return [self._worker]

    def records(self, request_id: str | None = None) -> list[ErrorRecord]:
        self.wanted.append(request_id)
        return []


async def shown(view: View, path: str) -> tuple[int, Any]:
    reply = await view(make_mocked_request("GET", path))
    assert isinstance(reply, web.Response)
    assert isinstance(reply.body, bytes)
    return reply.status, json.loads(reply.body)


async def test_workers_targets_and_errors_have_pages() -> None:
    serving = snapshot("http://a")
    pool = FakePool(serving)
    history = NodeHistory(ManualClock().clock, cast(WorkerPool, pool))
    fleet = fleet_membership(lambda: serving, pool.queryable, lambda: "127.0.0.1:9901")
    pages = views(lambda: serving, cast(WorkerPool, pool), shared_in_memory(TRAIL), fleet, history)
    _, workers = await shown(pages["/workers"], "/workers")
    assert [(each["generation"], each["worker"]) for each in workers["workers"]] == [(2, 0), (2, 1), (1, 0)]
    assert workers["workers"][0]["event_loop_lag_s"] == 0.001234
    _, targets = await shown(pages["/targets"], "/targets")
    assert targets["upstreams"][0]["targets"][0]["connections"] == {"idle": 1, "active": 2, "pending": 3}
    assert (await shown(pages["/history"], "/history"))[1]["span"] == "10m"
    assert [each["result"] for each in (await shown(pages["/reloads"], "/reloads"))[1]["reloads"]] == ["started"]
    assert await shown(pages["/errors"], "/errors") == (200, {"errors": []})
    path = "/requests/6d84e126-d10c-4e52-bbfb-bd4c92bc8333"
    assert (await shown(pages["/requests/"], path))[1]["records"] == []
    assert pool.wanted == [None, "6d84e126-d10c-4e52-bbfb-bd4c92bc8333"]


async def test_the_fleet_is_asked_for_through_the_first_worker_that_answers() -> None:
    config = parse(LEAST + "redis: {url: 'redis://127.0.0.1:1/0'}\n")
    serving = msgspec.structs.replace(snapshot("http://a"), config=config)
    silent, speaking = FakeWorker(0, None), FakeWorker(1, QueryResponse(503, b'{"gateways":[],"stale":"away"}'))
    fleet = fleet_membership(lambda: serving, lambda: [silent, speaking], lambda: "127.0.0.1:9901")
    members = await fleet.members()
    assert (members.stale, [each.admin for each in members.gateways]) == ("away", ["127.0.0.1:9901"])
    assert members.gateways[0].config_digest == serving.digest
    assert silent.asked == speaking.asked
    nobody = fleet_membership(lambda: serving, lambda: [silent], lambda: "127.0.0.1:9901")
    assert (await nobody.members()).stale == "no worker answers"


async def test_a_reload_is_begun_or_waited_for() -> None:
    problems: list[str] = []
    asked: list[str] = []

    def reload(actor: Actor) -> asyncio.Future[list[str]]:
        asked.append(actor.who)
        result = asyncio.get_running_loop().create_future()
        result.set_result(list(problems))
        return result

    view = changes(reload, cast(WorkerPool, FakePool(snapshot("http://a"))), TRAIL)["/reload"]
    assert await shown(view, "/reload") == (202, {"reload": "begun"})
    assert await shown(view, "/reload?wait") == (200, {"reload": "done"})
    problems.append("f:1:1: error: no")
    assert await shown(view, "/reload?wait") == (422, {"reload": "refused", "problems": problems})
    assert asked == ["admin.token"] * 3
