"""The pages of the admin listener that show and reset limits and explain requests, by queries to the workers."""

import asyncio
import http.client
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec
from aiohttp import web

from gateway.admin.actor import actor_of
from gateway.admin.connection import json_reply
from gateway.admin.listener import View
from gateway.audit.records import AuditEntry
from gateway.audit.trail import AuditTrail
from gateway.supervisor.worker_process import QueryResponse

_NO_WORKER = "no worker answers"
_NO_KEY: dict[str, object] = {"error": "say which key: ?key=ID"}


class QueryableWorker(Protocol):
    """The part of a worker that these pages need."""

    slot: int
    pid: int

    async def query(self, question: str, parameters: dict[str, str]) -> QueryResponse | None:
        """Return the worker's reply; None if it does not respond."""
        ...


def limit_views(queryable: Callable[[], Sequence[QueryableWorker]]) -> dict[str, View]:
    """Return the pages by path. `queryable` returns the workers that answer queries; those that serve come first."""

    async def limiter(_: web.BaseRequest) -> web.Response:
        workers = queryable()
        responses = await query_all(workers, "limiter", {})
        states = [
            {"worker": worker.slot, "pid": worker.pid, **_body(response)}
            for worker, response in zip(workers, responses, strict=True)
        ]
        return json_reply(200, {"workers": states})

    async def limits(request: web.BaseRequest) -> web.Response:
        parameters = _parameters(request)
        if parameters is None:
            return json_reply(400, _NO_KEY)
        for worker in queryable():
            if (response := await worker.query("limits", parameters)) is not None:
                return json_reply(response.status, _body(response))
        return json_reply(503, {"error": _NO_WORKER})

    async def explain(request: web.BaseRequest) -> web.Response:
        if not (request.query.get("method") and request.query.get("target")):
            return json_reply(400, {"error": "say which request: ?method=GET&target=/v1/orders"})
        for worker in queryable():
            if (response := await worker.query("explain", {"request": _dry_request(request)})) is not None:
                return json_reply(response.status, _body(response))
        return json_reply(503, {"error": _NO_WORKER})

    return {"/limiter": limiter, "/limits": limits, "/explain": explain}


def _dry_request(request: web.BaseRequest) -> str:
    """Return the request to explain as JSON.

    The parameters are `method`, `target`, `key`, `client`, `body`, `listener` and any number of `header`, each as
    `Name: value`.
    """
    asked = request.query
    headers = [
        (name.strip(), value.strip()) for name, _, value in (each.partition(":") for each in asked.getall("header", []))
    ]
    names = ("method", "target", "client", "body", "listener")
    found = {name: asked[name] for name in names if asked.get(name)}
    return msgspec.json.encode({**found, "key_id": asked.get("key", ""), "headers": headers}).decode()


def reset_view(queryable: Callable[[], Sequence[QueryableWorker]], trail: AuditTrail) -> View:
    """Reset limits of a key at every worker; reply with the worst of the responses."""

    async def reset(request: web.BaseRequest) -> web.Response:
        parameters = _parameters(request)
        if parameters is None:
            return json_reply(400, _NO_KEY)
        responses = [response for response in await query_all(queryable(), "reset", parameters) if response is not None]
        if not responses:
            return json_reply(503, {"error": _NO_WORKER})
        worst = max(responses, key=lambda response: response.status)
        body = _body(worst)
        if worst.status == http.client.OK:
            after = {name: body.get(name) for name in ("organization", "quota", "reset") if body.get(name)}
            trail.record(AuditEntry(actor_of(request), "limits.reset", parameters["key"], None, after))
        return json_reply(worst.status, body)

    return reset


def _parameters(request: web.BaseRequest) -> dict[str, str] | None:
    """Return the parameters of a request; None if it names no key."""
    parameters = {name: request.query[name] for name in ("key", "organization", "quota") if request.query.get(name)}
    return parameters if "key" in parameters else None


async def query_all(
    workers: Sequence[QueryableWorker], question: str, parameters: dict[str, str]
) -> list[QueryResponse | None]:
    """Ask `workers` side by side; None for each that does not respond."""
    return await asyncio.gather(*[worker.query(question, parameters) for worker in workers])


def _body(response: QueryResponse | None) -> dict[str, Any]:
    body: dict[str, Any] = {"error": _NO_WORKER} if response is None else msgspec.json.decode(response.body)
    return body
