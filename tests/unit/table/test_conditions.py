"""table/conditions.py: which route a request takes by its host, its header fields and its listener."""

import pytest

from gateway.kernel.faults import MALFORMED_PATH, METHOD_NOT_ALLOWED, NO_ROUTE, Fault, GatewayError
from gateway.settings import parse
from gateway.table import RouteTable
from gateway.table.compile import build_routes
from tests.refusals import accepted
from tests.samples import Echo

TEXT = """
version: 1
server:
  limits_path: /limits
  listeners: [{id: public, address: "127.0.0.1:0"}, {id: internal, address: "127.0.0.1:0"}]
upstreams: [{id: orders, targets: [{url: "http://127.0.0.1:1"}]}]
routes:
"""


def table(*routes: str) -> RouteTable:
    lines = "".join([f"- {{{each}, upstream: orders}}\n" for each in routes])
    return build_routes(parse(TEXT + lines), {"orders": Echo()}, {})


def taken(of: RouteTable, host: str, path: str, method: str = "GET", **headers: str) -> str | Fault:
    found = of.view(host, {name.lower(): value for name, value in headers.items()}).match(method, path)
    return found.fault if isinstance(found, GatewayError) else found.id


HOSTS = (
    "id: any, match: {prefix: /}",
    "id: any.deep, match: {path: /v1/orders}",
    "id: wide, match: {host: '*.example.com', prefix: /v1}",
    "id: wider, match: {host: '*.com', path: /com}",
    "id: exact, match: {host: API.example.com, path: /v1/a}",
    "id: exact.get, match: {host: api.example.com, path: /v1/b, methods: [GET]}",
)


@pytest.mark.parametrize(
    ("host", "path", "expected"),
    [
        ("api.example.com", "/v1/a", "exact"),
        ("API.EXAMPLE.COM:8443", "/v1/a", "exact"),
        ("api.example.com.", "/v1/a", "exact"),
        ("api.example.com", "/v1/c", "wide"),
        ("api.example.com", "/v1/orders", "wide"),
        ("api.example.com", "/com", "wider"),
        ("api.example.com", "/other", "any"),
        ("b.c.example.com", "/v1/a", "wide"),
        ("example.com", "/v1/a", "any"),
        ("example.com", "/com", "wider"),
        ("example.com", "/v1/orders", "any.deep"),
        ("badexample.com", "/v1/a", "any"),
        ("com", "/com", "any"),
        ("", "/v1/orders", "any.deep"),
        ("x" * 300, "/v1/orders", "any.deep"),
        ("api.example.com", "/limits", "gateway.limits"),
    ],
)
def test_the_most_specific_host_comes_first(host: str, path: str, expected: str) -> None:
    routes = table(*HOSTS)
    for _ in range(2):
        assert taken(routes, host, path) == expected


def test_the_law_of_readings_holds_for_each_host() -> None:
    routes = table(
        "id: open, auth: none, match: {prefix: /}",
        "id: keyed, match: {host: a.example, path: /admin, methods: [GET]}",
        "id: other, auth: none, match: {host: b.example, prefix: /}",
        "id: deep, match: {path: /deep}",
    )
    assert taken(routes, "a.example", "/admin") == "keyed"
    assert taken(routes, "a.example", "/ADMIN") is MALFORMED_PATH
    assert taken(routes, "a.example", "/admin", "POST") is METHOD_NOT_ALLOWED
    assert taken(routes, "c.example", "/ADMIN") == taken(routes, "c.example", "/admin") == "open"
    assert taken(routes, "c.example", "/DEEP") is MALFORMED_PATH
    assert taken(routes, "b.example", "/deep") == taken(routes, "b.example", "/DEEP") == "other"


VERSIONS = (
    "id: one, match: {path: /v1}",
    "id: two, auth: none, match: {path: /v1, methods: [GET], headers: {X-Version: '2'}}",
    "id: three, match: {path: /v1, methods: [GET], headers: {X-Version: '3'}}",
    "id: both, match: {path: /v1, methods: [GET], headers: {X-Version: '2', X-Beta: 'on'}}",
    "id: beta, match: {path: /beta, headers: {X-Beta: 'on'}}",
)


@pytest.mark.parametrize(
    ("path", "method", "headers", "expected"),
    [
        ("/v1", "GET", {}, "one"),
        ("/v1", "GET", {"x-version": "2"}, "two"),
        ("/v1", "HEAD", {"x-version": "2"}, "two"),
        ("/v1", "POST", {"x-version": "2"}, "one"),
        ("/v1", "GET", {"x-version": "3"}, "three"),
        ("/v1", "GET", {"x-version": "4"}, "one"),
        ("/v1", "GET", {"x-version": "2", "x-beta": "on"}, "both"),
        ("/v1", "GET", {"x-version": "3", "x-beta": "on"}, "three"),
        ("/beta", "GET", {"x-beta": "on"}, "beta"),
        ("/beta", "GET", {"x-beta": "off"}, NO_ROUTE),
    ],
)
def test_of_the_same_path_the_route_with_more_conditions_wins(
    path: str, method: str, headers: dict[str, str], expected: str | Fault
) -> None:
    assert taken(table(*VERSIONS), "h", path, method, **headers) == expected


def test_a_route_may_be_for_one_listener() -> None:
    routes = table(
        "id: any, match: {prefix: /}",
        "id: inside, match: {prefix: /, listener: internal, methods: [GET]}",
        "id: jobs, match: {path: /jobs, listener: internal}",
    )
    public, internal = routes.at("public"), routes.at("internal")
    assert (taken(public, "h", "/"), taken(public, "h", "/jobs")) == ("any", "any")
    assert (taken(internal, "h", "/"), taken(internal, "h", "/jobs")) == ("inside", "jobs")
    assert taken(internal, "h", "/", "POST") == "any"
    assert {route.id for route in routes.routes} >= {"any", "inside", "jobs"}


def test_without_conditions_there_is_one_table() -> None:
    plain = table("id: any, match: {prefix: /}")
    assert plain.views is None
    assert plain.view("h", {}) is plain.at("public") is plain


SELECTED = (
    "id: new, match: {path: /v1/a, headers: {X-Version: '2'}}",
    "id: v1, match: {prefix: /v1}",
    "id: b, match: {path: /v1/b}",
    "id: beta, match: {path: '/v1/{any}', headers: {x-beta: '1', X-VERSION: '3'}}",
    "id: hosts, match: {host: beta.example.com, prefix: /other, headers: {X-Host: '1'}}",
    "id: other, match: {host: api.example.com, prefix: /other}",
    "id: rest, match: {path: '/rest/{all*}'}",
    "id: rest.x, match: {prefix: /rest/x, headers: {X-Rest: '1'}}",
)


@pytest.mark.parametrize(
    ("path", "headers", "route", "names"),
    [
        ("/v1/a", {"X-Version": "2"}, "new", {"x-version", "x-beta"}),
        ("/v1/c", {"X-Version": "3", "X-Beta": "1"}, "beta", {"x-version", "x-beta"}),
        ("/v1/c", {}, "v1", {"x-version", "x-beta"}),
        ("/v1/b", {}, "b", {"x-version", "x-beta"}),
        ("/other", {}, "other", set()),
        ("/rest/x/y", {}, "rest", {"x-rest"}),
    ],
)
def test_replies_vary_by_the_fields_that_choose_their_route(
    path: str, headers: dict[str, str], route: str, names: set[str]
) -> None:
    sent = {name.lower(): value for name, value in headers.items()}
    routes = table(*SELECTED)
    found = accepted(routes.view("api.example.com", sent).match("GET", path))
    assert found.id == route
    assert {*dict(found.privacy)["Vary"].lower().split(", ")} == {"x-api-key", *names}


def test_a_reply_without_a_route_varies_by_all_of_them() -> None:
    names = {*dict(table(*SELECTED).unrouted)["Vary"].lower().split(", ")}
    assert names == {"x-api-key", "x-version", "x-beta", "x-host", "x-rest"}
