"""table/reading_law.py: no reading of a path, and no other method of it, gets around a route."""

import pytest

from gateway.kernel.faults import MALFORMED_PATH, METHOD_NOT_ALLOWED, ROUTE_FORBIDDEN, Fault, GatewayError
from gateway.kernel.limits.token_bucket import Window
from gateway.table import Route, RouteTable
from gateway.table.limits import Tariff
from gateway.table.reading_law import Law
from tests.refusals import refusal
from tests.samples import MINUTE, Echo, route


def opened(pattern: str = "/", id: str = "open", **changes: object) -> Route:  # noqa: A002 - as in a file
    return route(
        pattern,
        **({"id": id, "prefix": True, "open": True, "open_plan": "anonymous", "open_windows": (MINUTE,)} | changes),
    )


LIMITED = Tariff({"GET": 1}, {"GET": (Window("route/dl/day", 1, 86_400_000_000, "Day"),)})
TABLE = RouteTable(
    [
        opened(),
        route("/v1", id="api", prefix=True),
        route("/v1/admin", id="admin"),
        route("/v1/dl", id="dl", methods=("GET",), tariff=LIMITED),
        route("/v1/orders/{id}", id="order", methods=("GET", "DELETE")),
        opened("/health", id="health", prefix=False),
        opened("/v1/docs", id="docs"),
        route("/limits", id="own", methods=("GET",), upstream=None),
    ]
)


def answer(table: RouteTable, method: str, path: str, allowed: frozenset[str] | None = None) -> str | Fault:
    """The id of the route, or why not."""
    found = table.match(method, path)
    if isinstance(found, GatewayError):
        return found.fault
    refused = None if allowed is None or found.open else table.permit(allowed, found, method, path)
    return found.id if refused is None else refused.fault


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/x", "open"),
        ("GET", "/V2/Orders/", "open"),
        ("GET", "/v10", "open"),
        ("GET", "/health", "health"),
        ("GET", "/health/", "open"),
        ("GET", "/Health", "open"),
        ("GET", "/v1/docs/a", "docs"),
        ("GET", "/v1/Docs/a", "api"),
        ("GET", "/x/a%2Fb", "open"),
        ("GET", "/x/a%5Cb", "open"),
        ("GET", "/v1/admin/", "api"),
        ("GET", "//v1///admin", "admin"),
        ("PUT", "/v1/orders/7", "api"),
        ("GET", "/V1/admin", MALFORMED_PATH),
        ("GET", "/V1", MALFORMED_PATH),
        ("GET", "/V1/docs", "open"),
        ("GET", "/v%C2%B9/x", MALFORMED_PATH),
        ("GET", "/v1%2Fx", MALFORMED_PATH),
        ("GET", "/v1%5Cx", MALFORMED_PATH),
        ("GET", "/%2576%2531", MALFORMED_PATH),
        ("GET", "/LIMITS", MALFORMED_PATH),
        ("GET", "/x" + "/%2F" * 3000, MALFORMED_PATH),
        ("GET", "/v1/dl/", MALFORMED_PATH),
        ("GET", "/v1/DL", MALFORMED_PATH),
        ("POST", "/v1/dl", METHOD_NOT_ALLOWED),
        ("POST", "/v1/DL", METHOD_NOT_ALLOWED),
        ("PUT", "/V1/orders/7", MALFORMED_PATH),
    ],
)
def test_whoever_asks_for_more_wins(method: str, path: str, expected: str | Fault) -> None:
    assert answer(TABLE, method, path) == expected
    assert answer(TABLE, method, path) == expected  # remembered


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/v1/x", "api"),
        ("GET", "/v1/Docs", "api"),
        ("GET", "/limits", "own"),
        ("GET", "/v1/admin/", ROUTE_FORBIDDEN),
        ("GET", "/v1/ADMIN", ROUTE_FORBIDDEN),
        ("GET", "/v1/%2561dmin", ROUTE_FORBIDDEN),
        ("GET", "/v1/orders%5C7", ROUTE_FORBIDDEN),
        ("PUT", "/v1/orders/7", METHOD_NOT_ALLOWED),
        ("GET", "/v1/x" + "/a%2Fb" * 1000, MALFORMED_PATH),
    ],
)
def test_a_key_for_some_routes_does_not_get_to_others(method: str, path: str, expected: str | Fault) -> None:
    for _ in range(2):
        assert answer(TABLE, method, path, frozenset({"api", "own"})) == expected


def test_allow_names_the_methods_of_the_stricter_route() -> None:
    raised = refusal(TABLE.match("POST", "/v1/dl"))
    assert raised.allow == "GET, HEAD"
    table = RouteTable(
        [opened(), opened("/a", id="read", prefix=False, methods=("GET",)), route("/a", id="write", methods=("POST",))]
    )
    assert [answer(table, method, "/a") for method in ("GET", "POST")] == ["read", "write"]
    raised = refusal(table.match("DELETE", "/a"))
    assert raised.allow == "GET, HEAD, POST"


def test_a_route_without_a_key_beside_others_with_limits_of_their_own() -> None:
    table = RouteTable(
        [opened(), opened("/a", id="a", open_plan="strict"), opened("/b", id="b", open_plan="none", open_windows=())]
    )
    assert answer(table, "GET", "/A/x") is MALFORMED_PATH
    assert answer(table, "GET", "/B/x") == "open"


def test_two_routes_that_only_case_or_a_slash_distinguishes_are_as_strict_as_the_stricter() -> None:
    table = RouteTable(
        [
            opened("/A", id="a", prefix=False),
            route("/a", id="key"),
            opened("/b/", id="slash", prefix=False),
            route("/b", id="b"),
        ]
    )
    expected = {"/A": MALFORMED_PATH, "/a": "key", "/b/": MALFORMED_PATH, "/b": "b"}
    assert {path: answer(table, "GET", path) for path in expected} == expected


def test_a_prefix_is_less_specific_than_the_same_path_however_it_is_spelled() -> None:
    for routes in ([route("/v1", id="exact"), opened("/v1")], [opened("/v1"), route("/v1", id="exact")]):
        table = RouteTable(routes)
        assert [answer(table, "GET", path) for path in ("/v1", "/%761", "/v%31")] == ["exact"] * 3


def test_slashes_in_a_row_may_be_refused() -> None:
    routes = [route("/v1", id="api", prefix=True), opened("/v1/status", id="status", prefix=False)]
    assert answer(RouteTable(routes), "GET", "/v1//orders") == "api"
    assert answer(RouteTable(routes), "GET", "/v1//status") is MALFORMED_PATH  # unmerged it is one of `api`
    assert answer(RouteTable(routes, merges=False), "GET", "/v1//orders") is MALFORMED_PATH


def test_what_is_remembered_is_bounded() -> None:
    table = RouteTable([opened(), route("/v1", id="api", prefix=True)])
    for number in range(3 * RouteTable.MOST_KNOWN):
        assert answer(table, "GET", f"/v1/{number}", frozenset({"api"})) == "api"
    assert answer(table, "GET", "/v1/" + "a" * RouteTable.LONGEST_KNOWN, frozenset({"api"})) == "api"
    assert len(table._known) <= RouteTable.MOST_KNOWN + len(table._literal)
    assert len(table._law._permitted) <= RouteTable.MOST_KNOWN


# Where paths are rewritten


def rewritten(**services: tuple[tuple[str, str], ...]) -> RouteTable:
    return RouteTable(
        [
            opened("/public", id="public", strip_segments=1),
            route("/v1", id="api", prefix=True, methods=("GET",)),
            route("/v1/admin", id="admin", methods=("GET",)),
            route("/alias", id="alias", prefix=True, strip_segments=1),
            opened("/elsewhere", id="elsewhere", strip_segments=1, upstream=Echo()),
        ],
        services=services,
    )


def test_nothing_leads_to_what_another_route_of_the_service_guards() -> None:
    table = rewritten()
    assert answer(table, "GET", "/public/x") == "public"
    for path in ("/public/v1/admin", "/public/V1/x", "/public/v1%2Fadmin", "/public//v1/x"):
        assert answer(table, "GET", path) is ROUTE_FORBIDDEN
    assert answer(table, "POST", "/public/v1/admin") is METHOD_NOT_ALLOWED
    assert answer(table, "GET", "/alias/v1/admin") == "alias"
    assert answer(table, "GET", "/alias/v1/admin", frozenset({"alias"})) is ROUTE_FORBIDDEN
    assert answer(table, "GET", "/alias/v1/x", frozenset({"alias", "api"})) == "alias"
    assert answer(table, "GET", "/public" + "/%2F" * 1500) is MALFORMED_PATH


def test_services_are_distinguished_by_where_they_are() -> None:
    other = Echo()
    other.id = "other"
    routes = [opened(upstream=other), route("/api", id="api", prefix=True, strip_segments=1)]
    for at, base, expected in (("h:80", "/v1", ROUTE_FORBIDDEN), ("g:80", "/v1", "open"), ("h:80", "", "open")):
        table = RouteTable(routes, services={"other": (("h:80", ""),), "orders": ((at, base),)})
        assert answer(table, "GET", "/v1/x") == expected


def test_rivals_of_a_path_for_explanations() -> None:
    (open_route, *_), own = TABLE.routes, TABLE.routes[-1]
    law = Law([TABLE.routes], {})
    rivals = law.rivals(open_route, "GET", "/V1/Admin")
    assert rivals is not None
    assert [each.id for each in rivals] == ["admin"]
    assert law.rivals(own, "GET", "/limits") == []
