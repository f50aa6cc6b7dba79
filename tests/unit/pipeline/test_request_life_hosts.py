"""request_life.py: requests for several hosts."""

from gateway.settings import parse
from gateway.table.compile import build_routes
from tests.in_memory_gateway import GOOD, answered, gateway
from tests.samples import Echo, exchange

TEXT = """
version: 1
upstreams: [{id: orders, targets: [{url: "http://127.0.0.1:1"}]}]
routes:
- {id: any, upstream: orders, match: {path: /v1/orders}}
- {id: own, upstream: orders, match: {path: /v1/orders, host: own.example, methods: [GET]}}
"""


async def test_a_request_takes_the_route_of_its_host() -> None:
    one = gateway()
    one.table = build_routes(parse(TEXT), {"orders": Echo()}, {})
    for host, expected in (("own.example:80", "own"), ("other.example", "any")):
        x = exchange(GOOD, host=host)
        assert (await answered(one, x))[0] == 200
        assert x.route is not None
        assert x.route.id == expected
    x = exchange(GOOD, host="own.example", method="BREW")
    assert (await answered(one, x))[0] == 405
    assert x.near is not None
    assert x.near.id == "own"
