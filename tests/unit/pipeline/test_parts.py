"""parts.py: what the gateways of a process share, and what they do not."""

from gateway.kernel.faults import MALFORMED_REQUEST, GatewayError
from gateway.settings import parse
from gateway.table.compile import build_routes
from tests.in_memory_gateway import GOOD, answered, gateway
from tests.samples import Echo, exchange

TEXT = """
version: 1
server: {listeners: [{id: public, address: "127.0.0.1:0"}, {id: internal, address: "127.0.0.1:0"}]}
upstreams: [{id: orders, targets: [{url: "http://127.0.0.1:1"}]}]
routes:
- {id: any, upstream: orders, match: {path: /v1/orders}}
- {id: inside, upstream: orders, match: {path: /v1/jobs, listener: internal}}
"""


async def test_a_listener_has_routes_of_its_own() -> None:
    one = gateway()
    assert one.at_listener("public") is one
    one.table = build_routes(parse(TEXT), {"orders": Echo()}, {})
    for listener, expected in (("public", 404), ("internal", 200)):
        assert (await answered(one.at_listener(listener), exchange(GOOD, path="/v1/jobs")))[0] == expected


async def test_a_redirection_asks_nobody_and_repeats_no_key() -> None:
    one = gateway().redirecting(8443)
    status, body, fields = await answered(one, exchange(path="/nowhere", query="a=1&X-Api-Key=good"))
    assert (status, body["status"], body["requestId"]) == (308, "SUCCESS", fields["X-Request-Id"])
    assert fields["Location"] == "https://api.example.com:8443/nowhere?a=1"
    status, body, _ = await answered(one, exchange(head_error=GatewayError(MALFORMED_REQUEST)))
    assert (status, body["data"]["code"]) == (400, 1001)
