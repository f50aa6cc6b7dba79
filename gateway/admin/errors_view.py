"""The page of the admin listener with the exchanges that ended in an error."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec
from aiohttp import web

from gateway.admin.connection import json_reply
from gateway.admin.listener import View
from gateway.admin.record_filter import RecordFilter
from gateway.admin.request_input import BadRequestError, limit_in
from gateway.kernel.timestamp import Timestamp
from gateway.observe.recent_errors import ErrorRecord

MOST = 10_000


def errors_view(records: Callable[[], Sequence[ErrorRecord]]) -> View:
    """Show the last errors, the newest first, as the parameters choose them: see `RecordFilter`, and `limit`."""

    async def errors(request: web.BaseRequest) -> web.Response:
        try:
            wanted = RecordFilter.parse(request.query, ("limit",))
            limit = limit_in(request, MOST, MOST)
        except (ValueError, BadRequestError) as error:
            return json_reply(400, {"error": str(error)})
        found = [each for each in records() if wanted.passes(partial(getattr, each))]
        return json_reply(200, {"errors": [error_fields(record) for record in found[:limit]]})

    return errors


def error_fields(record: ErrorRecord) -> dict[str, Any]:
    """Return the fields of `record` that are not None, with the time in the format of the log."""
    plain = {name: value for name, value in msgspec.structs.asdict(record).items() if value is not None}
    return {"timestamp": Timestamp()(plain.pop("at")), **plain}
