"""stages/redirect.py: where to, and what does not go there."""

import json

import pytest

from gateway.kernel.faults import MALFORMED_REQUEST, GatewayError
from gateway.stages.redirect import redirect
from tests.samples import REQUEST_ID, exchange


@pytest.mark.parametrize(
    ("host", "port", "query", "location"),
    [
        ("api.example.com", 443, "", "https://api.example.com/v1/orders"),
        ("api.example.com:8080", 443, "a=%2F&b", "https://api.example.com/v1/orders?a=%2F&b"),
        ("api.example.com:8080", 8443, "", "https://api.example.com:8443/v1/orders"),
        ("[2001:db8::1]", 443, "", "https://[2001:db8::1]/v1/orders"),
        ("[2001:db8::1]:8080", 8443, "", "https://[2001:db8::1]:8443/v1/orders"),
    ],
)
def test_the_same_url_with_https(host: str, port: int, query: str, location: str) -> None:
    reply = redirect(exchange(host=host, query=query), port)
    assert (reply.status, reply.code) == (308, 0)
    assert ("Location", location) in reply.fields
    assert json.loads(reply.body) == {"requestId": REQUEST_ID, "status": "SUCCESS", "data": {"result": {}}}


def test_without_a_host_there_is_nowhere_to_go() -> None:
    with pytest.raises(GatewayError) as caught:
        redirect(exchange(host=""), 443)
    assert caught.value.fault is MALFORMED_REQUEST
