"""The page of the admin listener that reports usage, by a query to one worker."""

from collections.abc import Callable, Sequence

import msgspec
from aiohttp import web

from gateway.admin.connection import json_reply
from gateway.admin.listener import View
from gateway.admin.worker_queries import WITHIN_S, PatientWorker


def usage_view(queryable: Callable[[], Sequence[PatientWorker]]) -> View:
    """Return the page. `queryable` returns the workers that answer queries; those that serve come first."""

    async def usage(request: web.BaseRequest) -> web.Response:
        if len({*request.query}) < len(request.query):
            return json_reply(400, {"error": "a parameter is there twice; write by=organization,day"})
        for worker in queryable()[:1]:
            response = await worker.query("usage", dict(request.query), WITHIN_S)
            if response is not None:
                status, body = response
                return json_reply(status, msgspec.json.decode(body))
        return json_reply(503, {"error": "no worker answers"})

    return usage
