"""What the admin listener shows of the node, beside health and metrics."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

from aiohttp import web
from pydantic import BaseModel, SecretStr

from gateway.admin import View, json_reply
from gateway.app import SYSTEM
from gateway.settings import Config
from gateway.settings.schema.key_list import KeyList
from gateway.supervisor.crew import Crew
from gateway.supervisor.figures import told_targets
from gateway.supervisor.limits import limit_views, resetting
from gateway.table.blueprint import Blueprint

_MASK = "***"
_SECRET = re.compile(r"secret|token|password|authorization|cookie|api[-_]?key|credential", re.IGNORECASE)
_USERINFO = re.compile(r"(://)[^\s@/]+@")


def views(blueprint: Callable[[], Blueprint], crew: Crew) -> dict[str, View]:
    """By path, of the configuration in force."""

    async def effective(_: web.BaseRequest) -> web.Response:
        return json_reply(200, masked(blueprint().config))

    async def workers(_: web.BaseRequest) -> web.Response:
        return json_reply(200, {"workers": told(crew)})

    async def targets(_: web.BaseRequest) -> web.Response:
        serving = blueprint()
        asked = [worker.ask("connections", {}) for worker in crew.answering() if worker.blueprint is serving]
        answers = [answer.body for answer in await asyncio.gather(*asked) if answer is not None]
        return json_reply(200, {"upstreams": told_targets(serving, SYSTEM, answers)})

    return {"/config": effective, "/workers": workers, "/targets": targets, **limit_views(crew.answering)}


def changes(reload: "Callable[[], asyncio.Future[list[str]]]", crew: Crew) -> dict[str, View]:
    """By path."""
    return {"/reload": reloading(reload), "/limits/reset": resetting(crew.answering)}


def reloading(ask: "Callable[[], asyncio.Future[list[str]]]") -> View:
    """What a POST does: `ask` for a reload, and with ?wait the answer says what came of it."""

    async def reload(request: web.BaseRequest) -> web.Response:
        asked = ask()
        if "wait" not in request.query:
            return json_reply(202, {"reload": "begun"})
        problems = await asyncio.shield(asked)
        return json_reply(422, {"reload": "refused", "problems": problems}) if problems else json_reply(200, {"reload": "done"})

    return reload


def masked(config: Config) -> dict[str, Any]:
    """The configuration with its defaults, without secrets: in the units of the program, seconds and bytes."""
    plain: dict[str, Any] = _masked(config)
    if config.redis is not None:
        plain["redis"]["url"] = _USERINFO.sub(rf"\1{_MASK}@", config.redis.url.get_secret_value())
    return plain


def _masked(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return _masked(dict(iter(value)))
    if isinstance(value, dict):
        return {name: _MASK if isinstance(each, str) and _SECRET.search(name) else _masked(each) for name, each in value.items()}
    if isinstance(value, tuple | list | KeyList) and not hasattr(value, "_fields"):
        return [_masked(each) for each in value]
    if isinstance(value, SecretStr):
        return _MASK
    return value if value is None or isinstance(value, str | int | float) else str(value)


def told(crew: Crew) -> list[dict[str, Any]]:
    """Every worker, the newest generation first."""
    now = SYSTEM.monotonic()
    return [
        {
            "worker": worker.slot,
            "pid": worker.pid,
            "generation": worker.generation,
            "state": worker.state,
            "age_s": round(now - worker.started_at, 3),
            "event_loop_lag_s": round(worker.pulse.lag_s, 6),
            "connections": worker.pulse.connections,
            "requests_in_flight": worker.pulse.in_flight,
        }
        for worker in sorted(crew.everybody, key=lambda worker: (-worker.generation, worker.slot))
    ]
