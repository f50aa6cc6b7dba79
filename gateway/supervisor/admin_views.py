"""The pages of the admin listener about the node, besides health and metrics."""

import asyncio
import os
import random
import socket
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from aiohttp import web

from gateway import __version__
from gateway.admin.actor import actor_of
from gateway.admin.audit_view import audit_view
from gateway.admin.captures_view import capture_resources
from gateway.admin.connection import json_reply
from gateway.admin.description_view import PATH as DESCRIPTION
from gateway.admin.description_view import describe
from gateway.admin.errors_view import error_fields, errors_view
from gateway.admin.fleet_views import fleet_views
from gateway.admin.key_views import KeyResources
from gateway.admin.listener import AdminListener, View
from gateway.admin.maintenance_views import maintenance_change, maintenance_view
from gateway.admin.tail_view import tail_view
from gateway.admin.usage_view import usage_view
from gateway.admin.worker_queries import answers_of_all
from gateway.audit.records import Actor, AuditEntry
from gateway.audit.shared_trail import SharedAuditTrail
from gateway.audit.trail import AuditTrail
from gateway.console.history_views import history_view, reloads_view
from gateway.console.page import page_views
from gateway.console.target_changes import TargetChanges
from gateway.fleet.membership import FleetMembership, OwnRecord, advertised_address
from gateway.fleet.query import QUESTION as FLEET
from gateway.fleet.record import GatewayRecord
from gateway.history.node_history import NodeHistory
from gateway.supervisor.config_views import configuration_views
from gateway.supervisor.limit_views import QueryableWorker, limit_views, query_all, reset_view
from gateway.supervisor.status import target_states
from gateway.supervisor.worker_pool import WorkerPool
from gateway.system.clock import SYSTEM_CLOCK
from gateway.table.snapshot import Snapshot
from gateway.tail.follower import Tail


def add_pages(
    admin: AdminListener,
    snapshot: Callable[[], Snapshot],
    pool: WorkerPool,
    audit: SharedAuditTrail,
    fleet: FleetMembership,
    history: NodeHistory,
    reload: "Callable[[Actor], asyncio.Future[list[str]]]",
) -> None:
    """Have `admin` serve all pages and changes."""
    admin.views |= views(snapshot, pool, audit, fleet, history)
    admin.changes |= changes(reload, pool, audit.trail) | TargetChanges(snapshot, audit.trail, SYSTEM_CLOCK).handlers()
    admin.resources |= KeyResources(lambda: snapshot().config, pool.threads, audit.trail).handlers()
    admin.resources |= capture_resources(pool.queryable)
    tail = Tail(lambda: [worker.lines for worker in pool.everybody])
    admin.resources["/tail"] = {"GET": tail_view(tail, lambda: admin.is_open)}


def audit_trail(snapshot: Callable[[], Snapshot], pool: WorkerPool) -> SharedAuditTrail:
    """Return the audit trail of this gateway."""
    trail = AuditTrail(SYSTEM_CLOCK.wall, socket.gethostname())
    return SharedAuditTrail(trail, lambda: snapshot().config.redis, pool.threads, pool.run_in_background)


def views(
    snapshot: Callable[[], Snapshot],
    pool: WorkerPool,
    audit: SharedAuditTrail,
    fleet: FleetMembership,
    history: NodeHistory,
) -> dict[str, View]:
    """Return the pages by path, for the configuration in force."""

    async def workers(_: web.BaseRequest) -> web.Response:
        return json_reply(200, {"workers": worker_states(pool)})

    async def targets(_: web.BaseRequest) -> web.Response:
        serving = snapshot()
        queries = [worker.query("connections", {}) for worker in pool.queryable() if worker.snapshot is serving]
        responses = [response.body for response in await asyncio.gather(*queries) if response is not None]
        return json_reply(200, {"upstreams": target_states(serving, SYSTEM_CLOCK, responses, history.targets)})

    return {
        **configuration_views(snapshot),
        DESCRIPTION: describe,
        "/audit": audit_view(audit, SYSTEM_CLOCK),
        "/mirror": mirror_view(pool.queryable),
        "/drift": drift_view(pool.queryable),
        "/errors": errors_view(pool.errors.records),
        **page_views(snapshot),
        "/history": history_view(history, SYSTEM_CLOCK),
        "/reloads": reloads_view(history),
        "/maintenance": maintenance_view(pool.switch),
        "/workers": workers,
        "/targets": targets,
        "/usage": usage_view(pool.queryable),
        **limit_views(pool.queryable),
        **fleet_views(fleet, lambda request_id: [error_fields(each) for each in pool.errors.records(request_id)]),
    }


def fleet_membership(
    snapshot: Callable[[], Snapshot], queryable: Callable[[], Sequence[QueryableWorker]], bound: Callable[[], str]
) -> FleetMembership:
    """Return this gateway among those that share its Redis. `bound` is the address of the admin listener."""
    gateway_id, host, started_at = os.urandom(8).hex(), socket.gethostname(), SYSTEM_CLOCK.wall()

    def own() -> OwnRecord:
        serving = snapshot()
        reached = advertised_address(bound(), serving.config.admin.advertise)
        record = GatewayRecord(gateway_id, host, str(reached), __version__, serving.digest, started_at)
        return OwnRecord(record, *reached, serving.config.redis is not None)

    async def ask(parameters: dict[str, str]) -> bytes | None:
        for worker in queryable():
            if (response := await worker.query(FLEET, parameters)) is not None:
                return response.body
        return None

    return FleetMembership(own, ask, SYSTEM_CLOCK, random.random)


def changes(
    reload: "Callable[[Actor], asyncio.Future[list[str]]]", pool: WorkerPool, trail: AuditTrail
) -> dict[str, View]:
    """Return the changes that can be made by POST, by path. Each records itself in `trail`."""
    switch = maintenance_change(pool.switch, trail)
    return {
        "/reload": reload_view(reload),
        "/limits/reset": reset_view(pool.queryable, trail),
        "/maintenance/switch": switch,
        "/cache/purge": purge_view(pool.queryable, trail),
    }


def mirror_view(queryable: Callable[[], Sequence[QueryableWorker]]) -> View:
    """Show the last copies of calls that were answered differently, the newest first."""

    async def mirror(_: web.BaseRequest) -> web.Response:
        found = [each for worker in await answers_of_all(queryable(), "mirror") for each in worker]
        return json_reply(200, {"mismatches": sorted(found, key=lambda each: each["at"], reverse=True)})

    return mirror


def drift_view(queryable: Callable[[], Sequence[QueryableWorker]]) -> View:
    """Show how replies differ from the documents of their routes, as all workers have found, the newest first."""

    async def drift(_: web.BaseRequest) -> web.Response:
        found: dict[tuple[object, ...], dict[str, Any]] = {}
        for worker in await answers_of_all(queryable(), "drift"):
            for each in worker:
                key = tuple(each[name] for name in ("route", "status", "kind", "at"))
                other = found.setdefault(key, each)
                if other is not each:
                    newer = max(each, other, key=lambda record: record["last"])
                    times, first = each["times"] + other["times"], min(each["first"], other["first"])
                    found[key] = newer | {"times": times, "first": first}
        return json_reply(200, {"drift": sorted(found.values(), key=lambda each: each["last"], reverse=True)})

    return drift


def reload_view(request_reload: "Callable[[Actor], asyncio.Future[list[str]]]") -> View:
    """Request a reload; with ?wait the reply comes after the reload, and lists the problems of the configuration."""

    async def reload(request: web.BaseRequest) -> web.Response:
        result = request_reload(actor_of(request))
        if "wait" not in request.query:
            return json_reply(202, {"reload": "begun"})
        problems = await asyncio.shield(result)
        return (
            json_reply(422, {"reload": "refused", "problems": problems})
            if problems
            else json_reply(200, {"reload": "done"})
        )

    return reload


def purge_view(queryable: Callable[[], Sequence[QueryableWorker]], trail: AuditTrail) -> View:
    """Remove kept replies at every worker: of a `route`, with a `tag`, or all; reply how many they were."""

    async def purge(request: web.BaseRequest) -> web.Response:
        parameters = {name: request.query[name] for name in ("route", "tag") if request.query.get(name)}
        workers = queryable()
        responses = await query_all(workers, "purge", parameters)
        answered = [response for response in responses if response is not None]
        if len(answered) < len(workers) or not answered:
            return json_reply(503, {"error": f"{len(answered)} of {len(workers)} workers have answered"})
        worst = max(answered, key=lambda response: response.status)
        if worst.status != 200:
            return json_reply(worst.status, msgspec.json.decode(worst.body))
        purged = sum(msgspec.json.decode(response.body)["purged"] for response in answered)
        target = ", ".join(f"{name} {value}" for name, value in parameters.items()) or "all"
        trail.record(AuditEntry(actor_of(request), "cache.purge", target, None, {"purged": purged}))
        return json_reply(200, {"purged": purged, "workers": len(workers)})

    return purge


def worker_states(pool: WorkerPool) -> list[dict[str, Any]]:
    """Return the state of every worker, the newest generation first."""
    now = SYSTEM_CLOCK.monotonic()
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
