"""The pages of the admin listener with what was captured of failed exchanges, by queries to all workers."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from aiohttp import web

from gateway.admin.connection import json_reply
from gateway.admin.listener import View
from gateway.admin.usage_view import PatientWorker
from gateway.kernel.timestamp import Timestamp

_QUESTION = "captures"


def capture_resources(queryable: Callable[[], Sequence[PatientWorker]]) -> dict[str, dict[str, View]]:
    """Return the pages, which need the token. `queryable` returns the workers that answer queries."""

    async def ask(parameters: dict[str, str]) -> list[Any]:
        responses = await asyncio.gather(*[worker.query(_QUESTION, parameters) for worker in queryable()])
        return [msgspec.json.decode(response[1]) for response in responses if response and response[0] == 200]

    async def captures(_: web.BaseRequest) -> web.Response:
        found = [summary for worker in await ask({}) for summary in worker]
        found.sort(key=lambda summary: summary["at"], reverse=True)
        return json_reply(200, {"captures": [_dated(summary) for summary in found]})

    async def capture(request: web.BaseRequest) -> web.Response:
        found = await ask({"id": request.path.rpartition("/")[2].lower()})
        if not found:
            return json_reply(404, {"error": "nothing was captured of this request"})
        newest = max(found, key=lambda each: each["summary"]["at"])
        return json_reply(200, {**_dated(newest.pop("summary")), **newest})

    return {"/captures": {"GET": captures}, "/captures/{id}": {"GET": capture}}


def _dated(summary: Mapping[str, Any]) -> dict[str, Any]:
    plain = {**summary}
    return {"timestamp": Timestamp()(plain.pop("at")), **plain}
