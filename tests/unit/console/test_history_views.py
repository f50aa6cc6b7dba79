"""console/history_views.py: the last hour and the last reloads over HTTP."""

import json
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from gateway.admin.listener import View
from gateway.console.history_views import history_view, reloads_view
from gateway.history.node_history import NodeHistory
from gateway.history.reload_events import differences
from gateway.settings import parse
from tests.clocks import ManualClock
from tests.unit.history.test_node_history import Pool
from tests.yaml_files import LEAST


async def shown(view: View, path: str) -> tuple[int, Any]:
    reply = cast(web.Response, await view(make_mocked_request("GET", path)))
    assert isinstance(reply.body, bytes)
    return reply.status, json.loads(reply.body)


@pytest.fixture
def history() -> NodeHistory:
    return NodeHistory(ManualClock().clock, Pool())


async def test_a_span_and_a_number_of_rows_may_be_chosen(history: NodeHistory) -> None:
    view = history_view(history, ManualClock().clock)
    assert (await shown(view, "/history?span=1h&rows=200"))[1]["span"] == "1h"
    for wrong in ("span=2h", "rows=0", "rows=201", "rows=x", "rows=²", "rows=0001999", f"rows=0001{'9' * 5000}"):
        status, body = await shown(view, f"/history?{wrong}")
        assert (status, [*body]) == (400, ["error"])


async def test_reloads_are_shown_the_newest_first(history: NodeHistory) -> None:
    history.refused(["gateway.yaml:1:1: error: no"])
    history.reloads.succeeded(1002.0, differences(parse(LEAST), parse(LEAST + "organizations: [{id: acme}]\n")))
    _, body = await shown(reloads_view(history), "/reloads")
    success, failure, started = body["reloads"]
    assert (success["result"], success["changed"], success["at"]) == ("success", 1, "1970-01-01T00:16:42.000Z")
    assert (success["changes"][0]["kind"], success["changes"][0]["name"]) == ("organization", "acme")
    assert (failure["result"], failure["problems"]) == ("failure", ["gateway.yaml:1:1: error: no"])
    assert started["result"] == "started"
