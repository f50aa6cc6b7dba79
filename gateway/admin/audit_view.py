"""The page of the audit trail."""

import msgspec
from aiohttp import web

from gateway.admin.connection import json_reply
from gateway.admin.listener import View
from gateway.admin.request_input import BadRequestError, check_parameters, limit_in
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
            check_parameters(request, PARAMETERS)
            since = request.query.get("since")
            query = AuditQuery(
                None if since is None else _since(since, clock.wall()),
                request.query.get("object", ""),
                request.query.get("action", ""),
                limit_in(request, LIMIT, MOST),
            )
        except BadRequestError as error:
            return json_reply(error.status, {"error": str(error)})
        except ValueError as error:
            return json_reply(400, {"error": str(error)})
        page = await shared.read(query)
        body: dict[str, object] = {"scope": "fleet" if page.shared else "gateway"}
        if page.problem is not None:
            body["problem"] = f"Redis: {page.problem}"
        return json_reply(200, {**body, "records": [msgspec.to_builtins(record) for record in page.records]})

    return audit


def _since(written: str, now_s: float) -> float:
    """Return Unix time for a duration before now, or for an instant."""
    if "T" in written.upper():
        return instant(written).timestamp()
    return now_s - parse_duration(written)
