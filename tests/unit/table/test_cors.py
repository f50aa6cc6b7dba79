"""table/cors.py: the policies of routes and of paths that no route has."""

from gateway.settings import parse
from gateway.table import RouteTable
from gateway.table.compile import build_routes
from tests.refusals import accepted
from tests.samples import Echo

TEXT = """
version: 1
server: {limits_path: /limits}
plans: [{id: anonymous, limits: [{id: m, max: 5, per: 1m}]}]
upstreams: [{id: orders, targets: [{url: "http://127.0.0.1:1"}]}]
"""


def table(more: str) -> RouteTable:
    return build_routes(parse(TEXT + more), {"orders": Echo()}, {})


def test_routes_inherit_field_by_field() -> None:
    found = table("""
defaults: {cors: {origins: ["https://a.example"], expose: [X-Count], max_age: 1h}}
routes:
- {id: a, match: {path: /a, methods: [GET]}, upstream: orders}
- {id: b, match: {path: /b}, upstream: orders, cors: {origins: ["*"], methods: [POST], headers: [X-B]}}
- {id: c, match: {path: /c}, upstream: orders, cors: {origins: []}}
""")
    a, b, c, limits = (accepted(found.match("GET", path)).cors for path in ("/a", "/b", "/c", "/limits"))
    assert c is None
    assert found.cross_origin is not None
    assert limits is found.cross_origin.unrouted is not None
    assert [window.max for window in found.cross_origin.windows] == [5]
    assert a is not None
    assert dict(a.fields("https://a.example", preflight=True)) == {
        "Access-Control-Allow-Origin": "https://a.example",
        "Vary": "Origin",
        "Access-Control-Allow-Methods": "GET, HEAD",
        "Access-Control-Allow-Headers": "X-Api-Key, X-Tenant-Org-Id, Content-Type, If-Match, If-None-Match, Idempotency-Key, Last-Event-ID",
        "Access-Control-Max-Age": "3600",
    }
    assert b is not None
    sent, read = (dict(b.fields("https://x.example", preflight=each)) for each in (True, False))
    assert (sent["Access-Control-Allow-Origin"], sent["Access-Control-Allow-Methods"]) == ("*", "POST")
    assert sent["Access-Control-Allow-Headers"] == "X-Api-Key, X-Tenant-Org-Id, X-B"
    exposed = read["Access-Control-Expose-Headers"].split(", ")
    assert exposed[0] == "X-Request-Id"
    assert {"X-RateLimit-Remaining-Minute", "Retry-After", "RateLimit", "X-Count"} <= set(exposed)


def test_where_no_route_has_a_policy_nothing_is_kept() -> None:
    assert table("routes: [{id: a, match: {path: /a}, upstream: orders}]").cross_origin is None


def test_one_route_may_have_a_policy_alone() -> None:
    found = table('routes: [{id: a, match: {path: /a}, upstream: orders, cors: {origins: ["*"]}}]')
    assert found.cross_origin is not None
    assert found.cross_origin.unrouted is None
