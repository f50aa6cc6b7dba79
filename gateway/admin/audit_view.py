"""The page of the audit trail."""

from typing import Any

import msgspec
from aiohttp import web

from gateway.admin.connection import json_reply
from gateway.admin.listener import View
from gateway.audit.query import LIMIT, MOST, AuditQuery
from gateway.audit.shared_trail import SharedAuditTrail
from gateway.kernel.clock import Clock
from gateway.kernel.units import parse_duration
from gateway.settings.schema.values import instant

PARAMETERS = ("since", "object", "action", "limit")


def audit_view(shared: SharedAuditTrail, clock: Clock) -> View:
    """Show the last changes, the newest first, with the parameters `since`, `object`, `action` and `limit`."""

    async def audit(request: web.BaseRequest) -> web.Response:
        try:
            query = _query(request.query, clock.wall())
        except ValueError as error:
            return json_reply(400, {"error": str(error)})
        page = await shared.read(query)
        body: dict[str, object] = {"scope": "fleet" if page.shared else "gateway"}
        if page.problem is not None:
            body["problem"] = f"Redis: {page.problem}"
        return json_reply(200, {**body, "records": [msgspec.to_builtins(record) for record in page.records]})

    return audit


def _query(parameters: Any, now_s: float) -> AuditQuery:
    """Return what is asked for. Raises ValueError with a text that says what to write."""
    unknown = sorted(set(parameters) - {*PARAMETERS})
    if unknown:
        raise ValueError(f"there is no parameter `{unknown[0]}`; there are {', '.join(PARAMETERS)}")
    limit = parameters.get("limit", str(LIMIT))
    if not (limit.isascii() and limit.isdecimal() and len(limit) <= len(str(MOST)) and 0 < int(limit) <= MOST):
        raise ValueError(f"limit: write a number from 1 to {MOST}")
    since = parameters.get("since")
    return AuditQuery(
        None if since is None else _since(since, now_s),
        parameters.get("object", ""),
        parameters.get("action", ""),
        int(limit),
    )


def _since(written: str, now_s: float) -> float:
    """Return Unix time for a duration before now, or for an instant."""
    if "T" in written.upper():
        return instant(written).timestamp()
    return now_s - parse_duration(written)
