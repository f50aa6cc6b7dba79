"""other_answers.py: requests of pages in browsers, their preflights first."""

from typing import Any

import pytest

from gateway.kernel.http.cors import cors_policy
from gateway.kernel.limits.token_bucket import Window
from gateway.pipeline import Gateway
from gateway.table import RouteTable
from gateway.table.cors import CrossOrigin
from tests.in_memory_gateway import GOOD, Client, answered, gateway
from tests.samples import exchange, route


def _with_pages(limit: int = 300) -> Gateway:
    """A gateway whose route and whose other paths pages of https://a.example may call."""
    pages = cors_policy(("https://a.example",), methods=("GET",), headers=(), expose=(), credentials=False, max_age_s=1)
    windows = (Window("minute", limit, 60_000_000, "Minute"),)
    one = gateway()
    one.table = RouteTable([route(cors=pages)], cross_origin=CrossOrigin(pages, windows, None))
    return one


PREFLIGHT = [("Origin", "https://a.example"), ("Access-Control-Request-Method", "GET")]


async def test_a_preflight_needs_no_key_and_reaches_no_service() -> None:
    client, x = Client(), exchange(PREFLIGHT, method="OPTIONS")
    await _with_pages().handle(x, client.send)
    (reply,) = client.replies
    assert (reply.status, x.call, dict(reply.fields)["Access-Control-Allow-Origin"]) == (204, None, "https://a.example")


async def test_preflights_of_an_address_are_limited_apart_from_its_calls() -> None:
    one = _with_pages(limit=1)
    await one.handle(exchange(PREFLIGHT, method="OPTIONS"), Client().send)
    status, body, fields = await answered(one, exchange(PREFLIGHT, method="OPTIONS"))
    assert (status, body["data"]["code"], fields["Access-Control-Allow-Origin"]) == (429, 8000, "https://a.example")
    status, _, fields = await answered(one, exchange([*GOOD, *PREFLIGHT]))
    assert (status, fields["X-RateLimit-Remaining-Minute"]) == (200, "299")


@pytest.mark.parametrize(
    ("key", "changes", "status"),
    [(GOOD, {}, 200), ([], {}, 401), (GOOD, {"path": "/nowhere"}, 404), (GOOD, {"method": "BREW"}, 405)],
)
async def test_pages_can_read_every_reply(key: list[tuple[str, str]], changes: dict[str, Any], status: int) -> None:
    one = _with_pages()
    got, _, fields = await answered(one, exchange([*key, ("Origin", "https://a.example")], **changes))
    assert (got, fields["Access-Control-Allow-Origin"]) == (status, "https://a.example")


async def test_an_options_request_that_is_no_preflight_is_an_ordinary_one() -> None:
    status, body, _ = await answered(_with_pages(), exchange([("Origin", "https://a.example")], method="OPTIONS"))
    assert (status, body["data"]["code"]) == (405, 1006)


@pytest.mark.parametrize(
    ("key", "changes", "status"), [([], {}, 401), (GOOD, {"path": "/nowhere"}, 404), (GOOD, {"method": "BREW"}, 405)]
)
async def test_what_a_route_sets_stands_once_on_an_error_that_pages_can_read(
    key: list[tuple[str, str]], changes: dict[str, Any], status: int
) -> None:
    one, client = _with_pages(), Client()
    pages, own = one.table.cross_origin, (("X-Own", "set"),)
    one.table = RouteTable([route(own_set=own)], own, cross_origin=pages)
    await one.handle(exchange(key, **changes), client.send)
    (reply,) = client.replies
    assert (reply.status, [value for name, value in reply.all_fields() if name == "X-Own"]) == (status, ["set"])
