"""openapi/publish/visibility.py: what is reached from which host, listener and address."""

import pytest

from gateway.openapi.publish.visibility import Visibility
from gateway.settings import parse

VISIBILITY = Visibility(
    parse("""
version: 1
server: {listeners: [{id: public, address: "127.0.0.1:1"}, {id: inner, address: "127.0.0.1:2"}]}
upstreams: [{id: u, targets: [{url: "http://127.0.0.1:1"}]}]
routes:
- {id: any, upstream: u, match: {path: /a}}
- {id: exact, upstream: u, match: {path: /a, host: api.example.com}}
- {id: wide, upstream: u, match: {path: /b, host: "*.example.com"}, allow: [10.0.0.0/8]}
- {id: inner, upstream: u, match: {path: /c, listener: inner}, deny: [10.1.0.0/16]}
""")
)


@pytest.mark.parametrize(
    ("host", "fits"),
    [
        ("api.example.com:8080", {"api.example.com", "*.example.com"}),
        ("API.example.com.", {"api.example.com", "*.example.com"}),
        ("x.example.com", {"*.example.com"}),
        (".example.com", set()),
        ("example.com", set()),
    ],
)
def test_hosts(host: str, fits: set[str]) -> None:
    assert VISIBILITY.of(host, "", "10.0.0.1").hosts == VISIBILITY.hosts_of(host) == fits


@pytest.mark.parametrize(
    ("listener", "client", "hidden"),
    [
        ("", "10.0.0.1", set()),
        ("", "10.1.0.1", {"inner"}),
        ("", "192.0.2.1", {"wide"}),
        ("inner", "10.0.0.1", set()),
        ("public", "10.0.0.1", {"inner"}),
    ],
)
def test_listeners_and_addresses(listener: str, client: str, hidden: set[str]) -> None:
    assert VISIBILITY.of("localhost", listener, client).hidden == hidden
