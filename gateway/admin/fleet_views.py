"""The pages of the admin listener about the fleet: its gateways, and what happened to a request at any of them."""

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import msgspec
from aiohttp import web

from gateway.admin.connection import json_reply
from gateway.admin.listener import View
from gateway.fleet.membership import FleetMembership
from gateway.fleet.peers import ask_all
from gateway.fleet.record import GatewayRecord
from gateway.kernel.timestamp import Timestamp

_REQUEST_ID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_MOST_RECORDS = 64
"""Of one gateway for one request: a request has one record, unless it was repeated by hand."""

RecordsOf: TypeAlias = Callable[[str], Sequence[dict[str, Any]]]
"""Returns what this gateway has kept of a request, by its id."""


def fleet_views(fleet: FleetMembership, records: RecordsOf) -> dict[str, View]:
    """Return the pages by path; one that ends with a slash is for all paths below it."""

    async def gateways(_: web.BaseRequest) -> web.Response:
        members = await fleet.members()
        mine = fleet.own.id
        shown = [{**_shown(each), "is_self": each.id == mine} for each in members.gateways]
        return json_reply(200, {"gateways": shown, **({"stale": members.stale} if members.stale else {})})

    async def what_happened(request: web.BaseRequest) -> web.Response:
        request_id = request.path.rpartition("/")[2].lower()
        if _REQUEST_ID.fullmatch(request_id) is None:
            return json_reply(400, {"error": "that is not a requestId: write /requests/ and the 36 characters of one"})
        unknown = sorted({*request.query} - {"local"})
        if unknown:
            return json_reply(400, {"error": f"there is no parameter `{unknown[0]}` here; there is `local`"})
        here, me = [*records(request_id)], fleet.own
        if request.query.get("local") == "true":
            return json_reply(200, {"request_id": request_id, "gateway": me.id, "records": here[:_MOST_RECORDS]})
        members = await fleet.members()
        others = [each for each in members.gateways if each.id != me.id]
        answers = await ask_all(others, f"/requests/{request_id}?local=true", me.host)
        found = [{**record, "gateway": _named(me)} for record in here]
        for answer in answers:
            if answer.body is not None:
                found += [{**each, "gateway": _named(answer.gateway)} for each in _records(answer.body)]
        missed = [{**_named(each.gateway), "reason": each.reason} for each in answers if each.body is None]
        reply = {
            "request_id": request_id,
            "found": bool(found),
            "records": sorted(found, key=lambda record: str(record.get("timestamp"))),
            "gateways_asked": 1 + len(others),
            "not_answered": missed,
        }
        return json_reply(200, {**reply, **({"stale": members.stale} if members.stale else {})})

    return {"/fleet": gateways, "/requests/": what_happened}


def _shown(record: GatewayRecord) -> dict[str, Any]:
    plain = msgspec.structs.asdict(record)
    return {**plain, "started_at": Timestamp()(record.started_at)}


def _named(record: GatewayRecord) -> dict[str, str]:
    return {"id": record.id, "host": record.host, "admin": record.admin}


def _records(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the records in the answer of another gateway, which may be of another release."""
    found = body.get("records")
    return [each for each in found if isinstance(each, dict)][:_MOST_RECORDS] if isinstance(found, list) else []
