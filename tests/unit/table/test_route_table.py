"""table/route_table.py: the most specific route wins, and no spelling gets around one."""

import pytest
from multidict import CIMultiDict

from gateway.kernel.faults import MALFORMED_PATH, METHOD_NOT_ALLOWED, NO_ROUTE, ROUTE_FORBIDDEN
from gateway.kernel.http.request_fields import RequestLine
from gateway.table import RouteTable
from tests.refusals import accepted, refusal
from tests.samples import route

TABLE = RouteTable(
    [
        route("/v1/encodings", id="collection", methods=("GET", "POST")),
        route("/v1/encodings/{id}", id="item", methods=("GET", "DELETE")),
        route("/v1/encodings/special", id="special", methods=("POST",)),
        route("/v1/encodings/{id}/streams", id="streams", methods=("GET",)),
        route("/v1/downloads/{rest*}", id="downloads", methods=("GET",)),
        route("/v1/analytics", id="analytics", prefix=True),
        route("/v1/analytics/admin", id="admin", methods=("GET",)),
        route("/café", id="cafe"),
        route("/v1/a!b", id="odd"),
    ]
)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/v1/encodings", "collection"),
        ("HEAD", "/v1/encodings", "collection"),
        ("GET", "/v1/encodings/7", "item"),
        ("GET", "/v1/encodings/special", "item"),
        ("POST", "/v1/encodings/special", "special"),
        ("GET", "/v1/encodings/a%2Fb", "item"),
        ("GET", "/v1/encodings/a%20b", "item"),
        ("GET", "/v1/%65ncodings", "collection"),
        ("GET", "/v1/encodings/7/streams", "streams"),
        ("GET", "/v1/downloads/a/b/c", "downloads"),
        ("GET", "/v1/downloads/", "downloads"),
        ("GET", "/v1/analytics", "analytics"),
        ("PUT", "/v1/analytics/x/y", "analytics"),
        ("GET", "/v1/analytics/admin", "admin"),
        ("PUT", "/v1/analytics/admin", "analytics"),
        ("GET", "/caf%C3%A9", "cafe"),
        ("GET", "/caf%c3%a9", "cafe"),
        ("GET", "/v1/a!b", "odd"),
    ],
)
def test_the_most_specific_route_with_the_method_wins(method: str, path: str, expected: str) -> None:
    assert accepted(TABLE.match(method, path)).id == expected


@pytest.mark.parametrize(
    ("method", "path", "fault"),
    [
        ("GET", "/", NO_ROUTE),
        ("GET", "/v1/Encodings", NO_ROUTE),
        ("GET", "/v1/encodings/", NO_ROUTE),
        ("GET", "/v1/encodings/7/", NO_ROUTE),
        ("GET", "/v1/downloads", NO_ROUTE),
        ("GET", "/v1/analyticsx", NO_ROUTE),
        ("GET", "/v1/a%21b", MALFORMED_PATH),
        ("PATCH", "/v1/encodings", METHOD_NOT_ALLOWED),
        ("TRACE", "/v1/encodings/7", METHOD_NOT_ALLOWED),
        ("GET", "/v1/../v1/encodings", MALFORMED_PATH),
        ("GET", "/v1/analytics/admin;x", MALFORMED_PATH),
        ("GET", "/v1/analytics/%2fadmin", MALFORMED_PATH),
        ("GET", "/v1/encodings/7%2Fstreams", MALFORMED_PATH),
        ("DELETE", "/v1/encodings/7%2Fstreams", MALFORMED_PATH),
    ],
)
def test_what_has_no_route_states_why(method: str, path: str, fault: object) -> None:
    raised = refusal(TABLE.match(method, path))
    assert raised.fault is fault


def test_allow_lists_every_method_that_the_path_has() -> None:
    raised = refusal(TABLE.match("PATCH", "/v1/encodings/special"))
    assert raised.allow == "DELETE, GET, HEAD, POST"


def test_a_prefix_of_everything() -> None:
    table = RouteTable([route("/", id="all", prefix=True), route("/x", id="x")])
    assert [accepted(table.match("GET", path)).id for path in ("/", "/y", "/y/z/", "/x")] == ["all", "all", "all", "x"]


@pytest.mark.parametrize(
    ("strip", "base", "path", "expected"),
    [
        (0, "", "/v1/orders", "/v1/orders"),
        (0, "/api", "/v1/orders", "/api/v1/orders"),
        (1, "", "/v1/orders/a%2Fb", "/orders/a%2Fb"),
        (1, "/api", "/v1/orders/", "/api/orders/"),
        (1, "", "/v1", ""),
        (2, "/api", "/v1/orders", "/api"),
        (1, "", "/%761/orders", "/orders"),
    ],
)
def test_upstream_path(strip: int, base: str, path: str, expected: str) -> None:
    assert route(strip_segments=strip, base=base).upstream_path(path) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/encodings/special", "special"),
        ("/v1/encodings/7", "item"),
        ("/v1/downloads/a", "downloads"),
        ("/nowhere", None),
        ("/v1/../x", None),
    ],
)
def test_the_route_of_a_path_whatever_the_method(path: str, expected: str | None) -> None:
    found = TABLE.near(path)
    assert (None if found is None else found.id) == expected


def test_all_routes_of_a_path_are_ranked() -> None:
    assert [each.id for each in TABLE.ranked("/v1/encodings/special")] == ["special", "item"]
    assert TABLE.ranked("/v1/%2e%2e/encodings") == []


def test_the_routes_of_other_readings_are_known() -> None:
    table = RouteTable(
        [route("/a/{x}", id="open", open=True), route("/a/B", id="keyed"), route("/l", id="own", upstream=None)]
    )
    assert table.read_otherwise(table.routes[0], "GET", "/a/b") == [table.routes[1]]
    assert table.read_otherwise(table.routes[2], "GET", "/l") == []


def test_a_table_without_conditions_is_the_one_of_every_host_and_listener() -> None:
    assert TABLE.at("public") is TABLE
    assert TABLE.view("a.example", CIMultiDict()) is TABLE
    with_listeners = RouteTable([route("/a")])
    with_listeners.listeners = {"public": TABLE}
    assert with_listeners.at("public") is TABLE


def test_no_method_falls_through_an_own_route_of_the_gateway() -> None:
    table = RouteTable([route("/", id="all", prefix=True), route("/limits", methods=("GET",), upstream=None)])
    refused = refusal(table.match("PUT", "/limits"))
    assert refused.fault is METHOD_NOT_ALLOWED
    assert accepted(table.match("PUT", "/limit")).id == "all"


def test_what_a_key_may_not_use_is_refused_in_any_reading() -> None:
    item = accepted(TABLE.match("GET", "/v1/encodings/7"))
    TABLE.permit(frozenset({"item"}), item, "GET", "/v1/encodings/7")
    analytics = accepted(TABLE.match("PUT", "/v1/analytics/admin"))
    refused = refusal(TABLE.permit(frozenset({"analytics"}), analytics, "PUT", "/v1/analytics/admin"))
    assert refused.fault in {METHOD_NOT_ALLOWED, ROUTE_FORBIDDEN}


def test_a_request_line_that_is_remembered_keeps_its_route_of_the_last_table() -> None:
    line = RequestLine("GET", "/v1/encodings/7", "", remembered=True)
    other = RouteTable([route("/", id="all", prefix=True)])
    for _ in range(2):
        for table, expected in ((TABLE, "item"), (other, "all")):
            line.target = b"/elsewhere"
            found = accepted(table.match(line.method, line.path, line))
            assert (found.id, found, line.target) == (expected, line.route, b"")
            assert table.match(line.method, line.path, line) is found
    nowhere = RequestLine("GET", "/v2", "", remembered=True)
    assert refusal(TABLE.match("GET", "/v2", nowhere)).fault is NO_ROUTE
    assert TABLE.match("GET", "/v2", nowhere) is nowhere.route


def test_why_a_request_has_no_route_is_remembered_beside_the_routes() -> None:
    table = RouteTable([route("/v1/orders", methods=("GET",))])
    for method, path, fault in (("GET", "/v1/x", NO_ROUTE), ("PUT", "/v1/orders", METHOD_NOT_ALLOWED)):
        first = refusal(table.match(method, path))
        assert (first.fault, table.match(method, path)) == (fault, first)
    assert refusal(table.match("PUT", "/v1/x")).fault is NO_ROUTE
    assert accepted(table.match("GET", "/v1/orders")).id == "orders"
    for number in range(3 * RouteTable.MOST_REFUSED):
        assert refusal(table.match("GET", f"/{number}%20")).fault is NO_ROUTE
    for method, path in (("GET", "/" + "a" * RouteTable.LONGEST_KNOWN), ("A" * RouteTable.LONGEST_KNOWN, "/b")):
        assert refusal(table.match(method, path)).fault is NO_ROUTE
        assert (method, path) not in table._refused
    assert len(table._refused) <= RouteTable.MOST_REFUSED
