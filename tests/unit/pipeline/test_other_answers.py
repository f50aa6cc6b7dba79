"""other_answers.py: errors, and what the gateway answers itself."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from gateway.kernel.faults import MALFORMED_REQUEST, UPSTREAM_REFUSED, GatewayError
from gateway.kernel.limits.quota import MeterState, Posting
from gateway.kernel.limits.token_bucket import Claim, Decision
from gateway.net.static_files import static_file
from gateway.openapi.publish.exporting import PublishedDocument
from gateway.settings import parse
from gateway.table import RouteTable
from gateway.table.limits import Tariff
from tests.in_memory_gateway import GOOD, Client, answered, gateway
from tests.samples import Echo, exchange, route

DOCUMENT = """
version: 1
upstreams: [{id: orders, targets: [{url: "http://127.0.0.1:1"}]}]
routes: [{id: orders, upstream: orders, match: {path: /v1/orders, methods: [GET]}, auth: none}]
"""


@pytest.mark.parametrize(
    ("fields", "changes", "status", "code"),
    [
        ([], {}, 401, 1002),
        ([("X-Api-Key", "bad")], {}, 401, 1002),
        ([], {"path": "/nowhere"}, 404, 1005),
        ([("X-Api-Key", "bad")], {"path": "/nowhere"}, 404, 1005),
        (GOOD, {"head_error": GatewayError(MALFORMED_REQUEST)}, 400, 1001),
    ],
)
async def test_an_unknown_caller_gets_no_limits(
    fields: list[tuple[str, str]], changes: dict[str, Any], status: int, code: int
) -> None:
    got, body, limits = await answered(gateway(), exchange(fields, **changes))
    assert (got, body["data"]["code"]) == (status, code)
    assert not [name for name in limits if "RateLimit" in name]


@pytest.mark.parametrize(("changes", "status"), [({"path": "/nowhere"}, 404), ({"method": "BREW"}, 405)])
async def test_a_refused_caller_sees_its_limits_and_pays_nothing(changes: dict[str, Any], status: int) -> None:
    one = gateway()
    for _ in range(2):
        got, _, fields = await answered(one, exchange(GOOD, **changes))
        assert (got, fields["X-RateLimit-Remaining-Minute"]) == (status, "300")


async def test_what_a_route_sets_is_on_its_errors_and_on_a_405_for_its_path() -> None:
    one = gateway()
    one.table = RouteTable([route(own_set=(("X-Own", "route"),))], (("X-Own", "none"),))
    for x, wanted in ((exchange(), "route"), (exchange(method="BREW"), "route"), (exchange(path="/nowhere"), "none")):
        status, _, fields = await answered(one, x)
        assert (status >= 400, fields["X-Own"]) == (True, wanted)


async def test_a_route_without_upstream_reports_the_limits_at_no_cost() -> None:
    free = Tariff({"GET": 0, "HEAD": 0}, {"GET": (), "HEAD": ()})
    one = gateway(
        route(),
        route("/limits", id="gateway.limits", methods=("GET",), upstream=None, tariff=free),
        allowed=frozenset(),
    )
    for _ in range(2):
        x = exchange(GOOD, path="/limits")
        status, body, fields = await answered(one, x)
        assert (status, fields["X-RateLimit-Remaining-Minute"], x.peeked) == (200, "300", True)
        assert [limit["remaining"] for limit in body["data"]["result"]["limits"]] == [300]
    assert (await answered(one, exchange(path="/limits")))[0] == 401


class Broken:
    """A Limiter with a bug."""

    async def decide(self, claim: Claim) -> Decision:
        raise ZeroDivisionError

    async def read(self, postings: Sequence[Posting]) -> list[MeterState]:
        raise ZeroDivisionError


async def test_a_bug_while_limits_are_peeked_at_costs_no_reply() -> None:
    status, body, _ = await answered(gateway(limiter=Broken()), exchange(GOOD, path="/nowhere"))
    assert (status, body["data"]["code"]) == (404, 1005)


async def test_a_failed_upstream_is_answered_in_the_routes_family_and_the_operators_words() -> None:
    own = msgspec.structs.replace(UPSTREAM_REFUSED, status=504, developer_message="Call us.")
    one = gateway(route(upstream=Echo(GatewayError(UPSTREAM_REFUSED)), family="analytics"), upstream_refused=own)
    x = exchange(GOOD)
    status, body, fields = await answered(one, x)
    assert (status, body["data"]["code"], body["data"]["developerMessage"]) == (504, 5001, "Call us.")
    assert "X-RateLimit-Limit-Minute" in fields


async def test_a_bug_is_answered_too() -> None:
    status, body, _ = await answered(gateway(route(upstream=Echo(ZeroDivisionError()))), exchange(GOOD))
    assert (status, body["data"]["code"]) == (500, 1004)


async def test_a_route_may_answer_with_the_document_of_the_interface() -> None:
    one, client = gateway(route(upstream=None, document=PublishedDocument(parse(DOCUMENT), {}))), Client()
    await one.handle(exchange(GOOD), client.send)
    assert "/v1/orders" in json.loads(client.replies[0].body)["paths"]


async def test_a_route_may_answer_with_a_file() -> None:
    file = static_file("page.html", b"<p>")
    one, client = gateway(route(upstream=None, file=file)), Client()
    await one.handle(exchange(GOOD), client.send)
    assert (client.replies[0].status, client.replies[0].body) == (200, b"<p>")


async def test_a_route_may_show_a_caller_its_own_key_at_the_usual_cost() -> None:
    class OwnKey:
        async def show(self, key_id: str) -> dict[str, str]:
            return {"id": key_id}

    one, client = gateway(route(upstream=None, tariff=None, self_service=OwnKey())), Client()
    x = exchange(GOOD)
    await one.handle(x, client.send)
    assert json.loads(client.replies[0].body)["data"]["result"] == {"id": "acme-ci"}
    assert x.decision is not None
    assert (x.peeked, x.decision.states[0].used) == (False, 1)
