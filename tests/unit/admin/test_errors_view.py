"""admin/errors_view.py: the last errors, as they are asked for."""

import json
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from gateway.admin.errors_view import error_fields, errors_view
from gateway.observe.recent_errors import ErrorRecord

ABOUT = (None, None, None, None, 0.5, 0.0)
RECORD = ErrorRecord(
    1_800_000_000.25, "the-id", "the-trace", 404, 1005, "GET", None, None, "gateway", "answered", "no_route", *ABOUT
)
OTHER = ErrorRecord(
    1_800_000_000.0, "other", "trace", 503, 1004, "GET", "r", None, "upstream", "answered", None, *ABOUT
)


async def shown(query: str) -> tuple[int, Any]:
    reply = await errors_view(lambda: [RECORD, OTHER])(make_mocked_request("GET", f"/errors{query}"))
    assert isinstance(reply, web.Response)
    assert isinstance(reply.body, bytes)
    return reply.status, json.loads(reply.body)


def test_an_error_is_shown_with_its_known_fields() -> None:
    assert error_fields(RECORD) == {
        "timestamp": "2027-01-15T08:00:00.250Z",
        "request_id": "the-id",
        "trace_id": "the-trace",
        "status": 404,
        "code": 1005,
        "method": "GET",
        "source": "gateway",
        "outcome": "answered",
        "reason": "no_route",
        "total_ms": 0.5,
        "upstream_ms": 0.0,
    }


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [404, 503]),
        ("?limit=1", [404]),
        ("?status=5xx", [503]),
        ("?source=gateway&code=1005", [404]),
        ("?route=q", []),
    ],
)
async def test_errors_are_chosen_by_filters(query: str, found: list[int]) -> None:
    status, page = await shown(query)
    assert (status, [each["status"] for each in page["errors"]]) == (200, found)


@pytest.mark.parametrize(
    ("query", "error"),
    [
        (
            "?cod=8000",
            "there is no filter `cod`; there are code, key, limit, organization, reason, request_id, route, source, status",
        ),
        ("?limit=many", "limit: write a number from 1 to 10000"),
    ],
)
async def test_filters_that_are_not_known_are_refused(query: str, error: str) -> None:
    assert await shown(query) == (400, {"error": error})
