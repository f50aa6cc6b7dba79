"""The page of the admin listener that reports usage, by a query to one worker."""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
from aiohttp import web

from gateway.admin.connection import json_reply
from gateway.admin.listener import View

WITHIN_S = 20.0


class PatientWorker(Protocol):
    """A worker that may take longer than usual to answer."""

    async def query(
        self, question: str, parameters: dict[str, str], within_s: float = WITHIN_S
    ) -> tuple[int, bytes] | None:
        """Return the status and the JSON of the worker's reply; None if it does not respond within `within_s`."""
        ...


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
