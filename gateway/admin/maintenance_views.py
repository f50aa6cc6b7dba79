"""The maintenance of all routes: shown, and switched on and off without a reload."""

from typing import Any

import structlog
from aiohttp import web

from gateway.admin.actor import actor_of
from gateway.admin.connection import json_reply
from gateway.admin.listener import View
from gateway.audit.records import AuditEntry
from gateway.audit.trail import AuditTrail
from gateway.kernel.timestamp import Timestamp
from gateway.kernel.traffic.maintenance import MaintenanceNotice
from gateway.settings.schema.maintenance import DEFAULT_MESSAGE, LONGEST_MESSAGE
from gateway.settings.schema.values import instant, positive_duration
from gateway.upstream.maintenance_switch import MaintenanceSwitch


def maintenance_view(switch: MaintenanceSwitch) -> View:
    """Says whether it is on, and what callers are told."""

    async def maintenance(_: web.BaseRequest) -> web.Response:
        return json_reply(200, _state(switch))

    return maintenance


def maintenance_change(switch: MaintenanceSwitch, trail: AuditTrail) -> View:
    """Switches it on, with the parameters `message`, `retry_after` and `until`, or with `off` switches it off."""

    async def change(request: web.BaseRequest) -> web.Response:
        before = _state(switch)
        if "off" in request.query:
            switch.turn_off()
        else:
            try:
                notice = _notice(request.query)
            except ValueError as error:
                return json_reply(400, {"error": str(error)})
            switch.turn_on(notice)
        state = _state(switch)
        structlog.get_logger().warning("maintenance", **state)
        trail.record(AuditEntry(actor_of(request), "maintenance.switch", "maintenance", before, state))
        return json_reply(200, state)

    return change


def _notice(parameters: Any) -> MaintenanceNotice:
    """Return the notice for callers. Raises ValueError with a text that says what to write."""
    message = parameters.get("message", DEFAULT_MESSAGE)
    if not 0 < len(message) <= LONGEST_MESSAGE:
        raise ValueError(f"a message of 1 to {LONGEST_MESSAGE} characters is wanted")
    retry_after, until = parameters.get("retry_after"), parameters.get("until")
    return MaintenanceNotice(
        message,
        None if retry_after is None else max(1, round(positive_duration(retry_after))),
        None if until is None else instant(until).timestamp(),
    )


def _state(switch: MaintenanceSwitch) -> dict[str, Any]:
    notice = switch.notice()
    if notice is None:
        return {"maintenance": "off"}
    state: dict[str, Any] = {"maintenance": "on", "message": notice.message}
    if notice.retry_after_s is not None:
        state["retry_after_s"] = notice.retry_after_s
    if notice.until is not None:
        state["until"] = Timestamp()(notice.until)
    return state
