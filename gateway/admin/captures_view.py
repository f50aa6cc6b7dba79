"""The pages of the admin listener with what was captured of failed exchanges, by queries to all workers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiohttp import web

from gateway.admin.connection import json_reply
from gateway.admin.listener import View
from gateway.admin.worker_queries import AskedWorker, answers_of_all
from gateway.kernel.timestamp import Timestamp

_QUESTION = "captures"


def capture_resources(queryable: Callable[[], Sequence[AskedWorker]]) -> dict[str, dict[str, View]]:
    """Return the pages, which need the token. `queryable` returns the workers that answer queries."""

    async def captures(_: web.BaseRequest) -> web.Response:
        found = [summary for worker in await answers_of_all(queryable(), _QUESTION) for summary in worker]
        found.sort(key=lambda summary: summary["at"], reverse=True)
        return json_reply(200, {"captures": [_dated(summary) for summary in found]})

    async def capture(request: web.BaseRequest) -> web.Response:
        found = await answers_of_all(queryable(), _QUESTION, {"id": request.path.rpartition("/")[2].lower()})
        if not found:
            return json_reply(404, {"error": "nothing was captured of this request"})
        newest = max(found, key=lambda each: each["summary"]["at"])
        return json_reply(200, {**_dated(newest.pop("summary")), **newest})

    return {"/captures": {"GET": captures}, "/captures/{id}": {"GET": capture}}


def _dated(summary: Mapping[str, Any]) -> dict[str, Any]:
    plain = {**summary}
    return {"timestamp": Timestamp()(plain.pop("at")), **plain}
