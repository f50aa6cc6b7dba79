import json
from typing import Any

from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from gateway.observe.recent_errors import ErrorRecord
from gateway.supervisor.admin_views import error_fields, mirror_view, purge_view
from gateway.supervisor.worker_process import QueryResponse
from tests.unit.supervisor.test_limit_views import FakeWorker


def test_an_error_is_shown_with_its_known_fields() -> None:
    record = ErrorRecord(
        *(1_800_000_000.25, "the-id", "the-trace", 404, 1005, "GET", None, None, "gateway", "answered", "no_route"),
        *(None, None, None, None, 0.5, 0.0),
    )
    fields = {
        "timestamp": "2027-01-15T08:00:00.250Z",
        "request_id": "the-id",
        "trace_id": "the-trace",
        "status": 404,
        "code": 1005,
    }
    fields |= {
        "method": "GET",
        "source": "gateway",
        "outcome": "answered",
        "reason": "no_route",
        "total_ms": 0.5,
        "upstream_ms": 0.0,
    }
    assert error_fields(record) == fields


async def purged(*workers: FakeWorker, query: str = "") -> tuple[int, Any]:
    request = make_mocked_request("POST", f"/cache/purge{query}")
    reply = await purge_view(lambda: workers)(request)
    assert isinstance(reply, web.Response)
    assert isinstance(reply.body, bytes)
    return reply.status, json.loads(reply.body)


async def test_a_purge_is_done_by_every_worker() -> None:
    workers = [FakeWorker(0, QueryResponse(200, b'{"purged":2}')), FakeWorker(1, QueryResponse(200, b'{"purged":3}'))]
    assert await purged(*workers, query="?route=a&tag=b&x=c") == (200, {"purged": 5, "workers": 2})
    assert [worker.asked for worker in workers] == [[("purge", {"route": "a", "tag": "b"})]] * 2


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
