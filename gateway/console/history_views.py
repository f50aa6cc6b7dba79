"""The pages of the admin listener about the last hour."""

from typing import Any, cast, get_args

import msgspec
from aiohttp import web

from gateway.admin.connection import json_reply
from gateway.admin.listener import View
from gateway.history.node_history import NodeHistory
from gateway.history.report import report
from gateway.history.timeline import HistorySpan
from gateway.kernel.clock import Clock
from gateway.kernel.timestamp import Timestamp
from gateway.kernel.units import parse_count

ROWS, MOST_ROWS = 25, 200


def history_view(history: NodeHistory, clock: Clock) -> View:
    """Show the series of the last hour, and what a `span` of it brought: at most `rows` rows of each kind."""

    async def show(request: web.BaseRequest) -> web.Response:
        span, rows = request.query.get("span", "10m"), request.query.get("rows", str(ROWS))
        if span not in get_args(HistorySpan):
            return json_reply(400, {"error": f"span is one of {', '.join(get_args(HistorySpan))}"})
        try:
            most = parse_count(rows, MOST_ROWS)
        except ValueError:
            return json_reply(400, {"error": f"rows is a number from 1 to {MOST_ROWS}"})
        return json_reply(200, report(history.counts, cast(HistorySpan, span), most, clock.wall(), Timestamp()))

    return show


def reloads_view(history: NodeHistory) -> View:
    """Show the last reloads with what each has changed, the newest first."""

    async def show(_: web.BaseRequest) -> web.Response:
        timestamp = Timestamp()
        shown: list[dict[str, Any]] = []
        for event in reversed(history.reloads.events):
            fields = {"at": timestamp(event.at), "result": event.result}
            if event.result == "failure":
                shown.append(fields | {"problems": list(event.problems)})
            elif event.result == "success":
                found = [msgspec.to_builtins(change) for change in event.changes]
                shown.append(fields | {"changed": event.changed, "changes": found})
            else:
                shown.append(fields)
        return json_reply(200, {"reloads": shown})

    return show
