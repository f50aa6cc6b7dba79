"""The page of the audit trail."""

import msgspec
from aiohttp import web

from gateway.admin.connection import json_reply
from gateway.admin.listener import View
from gateway.audit.query import audit_query
from gateway.audit.shared_trail import SharedAuditTrail
from gateway.kernel.clock import Clock


def audit_view(shared: SharedAuditTrail, clock: Clock) -> View:
    """Show the last changes, the newest first, with the parameters `since`, `object`, `action` and `limit`."""

    async def audit(request: web.BaseRequest) -> web.Response:
        try:
            query = audit_query(request.query, clock.wall())
        except ValueError as error:
            return json_reply(400, {"error": str(error)})
        page = await shared.read(query)
        body: dict[str, object] = {"scope": "fleet" if page.shared else "gateway"}
        if page.problem is not None:
            body["problem"] = f"Redis: {page.problem}"
        return json_reply(200, {**body, "records": [msgspec.to_builtins(record) for record in page.records]})

    return audit
