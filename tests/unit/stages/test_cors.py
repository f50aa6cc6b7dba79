"""stages/cors.py: preflights are answered by the gateway, and every reply of a route has the fields of CORS."""

from typing import Any

import pytest

from gateway.exchange import Exchange, Reply
from gateway.kernel.faults import MALFORMED_PATH, ORIGIN_FORBIDDEN
from gateway.kernel.http.cors import CorsPolicy, cors_policy
from gateway.stages.cors import add_cors, preflight, preflight_policy
from gateway.table import Route, RouteTable
from gateway.table.cors import CrossOrigin
from tests.refusals import accepted, refusal
from tests.samples import exchange, route

PAGE, OTHER = "https://app.example", "https://other.example"


def policy(name: str = "") -> CorsPolicy:
    return cors_policy((PAGE,), methods=("GET",), headers=(), expose=(f"X-{name}",), credentials=False, max_age_s=1)


def table(*routes: Route, unrouted: CorsPolicy | None = None, used: bool = True) -> RouteTable:
    return RouteTable(routes, cross_origin=CrossOrigin(unrouted, (), None) if used else None)


def asks(method: str = "GET", origin: str = PAGE, **changes: Any) -> Exchange:
    fields = [("Origin", origin), ("Access-Control-Request-Method", method)]
    return exchange(fields, method="OPTIONS", **changes)


READ = route(id="read", methods=("GET",), cors=policy("read"))
WRITE = route(id="write", methods=("POST",))


def test_a_preflight_is_for_the_route_that_it_announces() -> None:
    x = asks("GET")
    assert (preflight_policy(x, table(READ, WRITE)), x.route) == (READ.cors, READ)


def test_for_a_method_that_no_route_has_there_is_the_policy_of_the_path() -> None:
    x = asks("DELETE")
    assert (preflight_policy(x, table(READ)), x.route, x.near) == (READ.cors, None, READ)


def test_for_a_path_of_no_route_there_is_the_policy_of_defaults() -> None:
    x, unrouted = asks(path="/nowhere"), policy()
    assert (preflight_policy(x, table(READ, unrouted=unrouted)), x.route) == (unrouted, None)


@pytest.mark.parametrize(
    ("x", "routes"),
    [
        (exchange([("Origin", PAGE)], method="OPTIONS"), table(READ)),
        (exchange([("Access-Control-Request-Method", "GET")], method="OPTIONS"), table(READ)),
        (asks("POST"), table(READ, WRITE)),
        (asks(path="/nowhere"), table(READ)),
        (asks("DELETE"), table(WRITE)),
        (asks(), table(READ, used=False)),
        (asks("GET,", path="//"), table(READ)),
    ],
)
def test_anything_else_is_an_ordinary_request(x: Exchange, routes: RouteTable) -> None:
    assert preflight_policy(x, routes) is None
    assert x.route is None


def test_a_path_that_has_several_readings_is_refused() -> None:
    caught = refusal(preflight_policy(asks(path="/a/../b"), table(READ)))
    assert caught.fault is MALFORMED_PATH


def test_the_reply_to_a_preflight_has_no_body() -> None:
    reply = accepted(preflight(asks(), policy()))
    assert (reply.status, reply.body, reply.length) == (204, b"", 0)


def test_a_page_that_may_not_call_gets_an_error() -> None:
    caught = refusal(preflight(asks(origin=OTHER), policy()))
    assert caught.fault is ORIGIN_FORBIDDEN


def fields_of(x: Exchange, reply: Reply, unrouted: CorsPolicy | None = None) -> dict[str, str]:
    add_cors(reply, x, CrossOrigin(unrouted, (), None))
    return dict(reply.fields)


def test_every_reply_of_a_route_says_who_may_read_it() -> None:
    x = exchange([("Origin", PAGE)])
    x.route = READ
    service = [("Access-Control-Allow-Origin", "*"), ("Access-Control-Max-Age", "9"), ("X-Own", "1")]
    assert fields_of(x, Reply(200, service, b"", source="upstream")) == {
        "X-Own": "1",
        "Access-Control-Allow-Origin": PAGE,
        "Vary": "Origin",
        "Access-Control-Expose-Headers": "X-read",
    }


def test_replies_without_a_route_have_the_policy_of_the_path_or_of_defaults() -> None:
    x = exchange([("Origin", PAGE)])
    assert fields_of(x, Reply(404, [], b""), policy("all"))["Access-Control-Expose-Headers"] == "X-all"
    assert fields_of(x, Reply(404, [], b"")) == {}
    x.near = READ
    assert fields_of(x, Reply(405, [], b""), policy("all"))["Access-Control-Expose-Headers"] == "X-read"


def test_a_route_without_a_policy_keeps_the_fields_of_its_service() -> None:
    x = exchange([("Origin", PAGE)])
    x.route = WRITE
    fields = [("Access-Control-Allow-Origin", "*")]
    assert fields_of(x, Reply(200, fields, b"", source="upstream"), policy()) == dict(fields)


@pytest.mark.parametrize(
    ("method", "source", "announced"),
    [("OPTIONS", "gateway", True), ("OPTIONS", "upstream", False), ("DELETE", "gateway", False)],
)
def test_only_the_reply_to_a_preflight_says_what_may_be_sent(method: str, source: Any, *, announced: bool) -> None:
    x = exchange([("Origin", PAGE)], method=method)
    x.route = READ
    assert ("Access-Control-Allow-Methods" in fields_of(x, Reply(204, [], b"", source=source))) == announced
