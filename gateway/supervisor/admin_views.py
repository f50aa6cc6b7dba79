"""What the admin listener shows of the node, beside health and metrics."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web

from gateway.admin.listener import View, json_reply
from gateway.observe.recent_errors import ErrorRecord
from gateway.observe.timestamp import Timestamp
from gateway.supervisor.config_views import configuration_views
from gateway.supervisor.limit_views import limit_views, resetting
from gateway.supervisor.status import told_targets
from gateway.supervisor.worker_pool import WorkerPool
from gateway.table.snapshot import Snapshot
from gateway.worker.worker import SYSTEM


def views(snapshot: Callable[[], Snapshot], pool: WorkerPool) -> dict[str, View]:
    """By path; of the configuration in force."""

    async def workers(_: web.BaseRequest) -> web.Response:
        return json_reply(200, {"workers": told(pool)})

    async def targets(_: web.BaseRequest) -> web.Response:
        serving = snapshot()
        asked = [worker.ask("connections", {}) for worker in pool.answering() if worker.snapshot is serving]
        answers = [answer.body for answer in await asyncio.gather(*asked) if answer is not None]
        return json_reply(200, {"upstreams": told_targets(serving, SYSTEM, answers)})

    async def errors(request: web.BaseRequest) -> web.Response:
        found = pool.errors.records(request.query.get("request_id"))
        return json_reply(200, {"errors": [error_told(record) for record in found]})

    return {**configuration_views(snapshot), "/errors": errors, "/workers": workers, "/targets": targets, **limit_views(pool.answering)}


def changes(reload: "Callable[[], asyncio.Future[list[str]]]", pool: WorkerPool) -> dict[str, View]:
    """By path."""
    return {"/reload": reloading(reload), "/limits/reset": resetting(pool.answering)}


def reloading(ask: "Callable[[], asyncio.Future[list[str]]]") -> View:
    """What a POST does: `ask` for a reload, and with ?wait the answer says what came of it."""

    async def reload(request: web.BaseRequest) -> web.Response:
        asked = ask()
        if "wait" not in request.query:
            return json_reply(202, {"reload": "begun"})
        problems = await asyncio.shield(asked)
        return json_reply(422, {"reload": "refused", "problems": problems}) if problems else json_reply(200, {"reload": "done"})

    return reload


def error_told(record: ErrorRecord) -> dict[str, Any]:
    """What is known of it, with its time as the log spells it."""
    plain = {name: value for name, value in msgspec.structs.asdict(record).items() if value is not None}
    return {"timestamp": Timestamp()(plain.pop("at")), **plain}


def told(pool: WorkerPool) -> list[dict[str, Any]]:
    """Every worker, the newest generation first."""
    now = SYSTEM.monotonic()
    return [
        {
            "worker": worker.slot,
            "pid": worker.pid,
            "generation": worker.generation,
            "state": worker.state,
            "age_s": round(now - worker.started_at, 3),
            "event_loop_lag_s": round(worker.heartbeat.lag_s, 6),
            "connections": worker.heartbeat.connections,
            "requests_in_flight": worker.heartbeat.in_flight,
        }
        for worker in sorted(pool.everybody, key=lambda worker: (-worker.generation, worker.slot))
    ]
