"""settings/schema/addresses.py: addresses, networks, URLs of targets, subjects and host names."""

import re
from collections.abc import Callable
from ipaddress import ip_network

import pytest

from gateway.net.address import Address, TargetUrl, UnixAddress
from gateway.settings.schema import addresses
from gateway.settings.schema.values import RefusedError


@pytest.mark.parametrize(
    ("rule", "text", "value"),
    [
        (addresses.address, "127.0.0.1:80", Address("127.0.0.1", 80)),
        (addresses.address, "[::1]:0", Address("::1", 0)),
        (addresses.listen_address, "localhost:80", Address("localhost", 80)),
        (addresses.listen_address, "unix:/run/a.sock", UnixAddress("/run/a.sock")),
        (addresses.network, "10.0.0.0/8", ip_network("10.0.0.0/8")),
        (addresses.trusted_proxy, "unix", "unix"),
        (addresses.trusted_proxy, "::1", ip_network("::1/128")),
        (addresses.target_url, "https://[::1]/a/", TargetUrl("https", "::1", 443, "/a")),
        (addresses.target_url, "HTTP://host:81", TargetUrl("http", "host", 81, "")),
        (addresses.subject, "CN=billing,O=ACME", "CN=billing,O=ACME"),
        (addresses.server_name, "api.example.com", "api.example.com"),
        (addresses.host_pattern, "*.Example.com", "*.example.com"),
        (addresses.origin, "https://App.example.com", "https://app.example.com"),
        (addresses.origin, "*", "*"),
    ],
)
def test_what_is_accepted(rule: Callable[[object], object], text: str, value: object) -> None:
    assert rule(text) == value


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        *(
            (addresses.address, text)
            for text in ("unix:/a", "8080", ":80", "host", "host:x", "host:70000", "::1:80", "[x]:80", "a b:80")
        ),
        *((addresses.host_pattern, text) for text in ("a:80", "a.*.b", "", "x" * 300)),
        *((addresses.origin, text) for text in ("a.example", "https://a.example/", "http://a:80", "https://a:443")),
        *((addresses.listen_address, text) for text in ("unix:a", "unix:/a/", f"unix:/{'a' * 107}")),
        *((addresses.network, text) for text in ("nobody", "10.0.0.1/8")),
        *(
            (addresses.target_url, text)
            for text in (
                "http://é",
                "http://h:x",
                "ftp://h",
                "http://u@h",
                "http://h?q",
                "http://h#f",
                "http://h:0",
                "http://h:",
                "http://h/a//b",
                "http:///a",
            )
        ),
        *((addresses.subject, text) for text in ("billing", "CN=a, O=b")),
        *((addresses.server_name, text) for text in ("-", "a" * 64)),
    ],
)
def test_what_is_refused(rule: Callable[[object], object], text: str) -> None:
    with pytest.raises(RefusedError):
        rule(text)


@pytest.mark.parametrize(
    ("rule", "text", "value"),
    [
        (addresses.host_pattern, "API.example.com", "api.example.com"),
        (addresses.host_pattern, "*.example.com", "*.example.com"),
        (addresses.origin, "https://App.example.com", "https://app.example.com"),
        (addresses.origin, "http://localhost:3000", "http://localhost:3000"),
        (addresses.origin, "*", "*"),
    ],
)
def test_hosts_and_origins_are_in_lower_case(rule: Callable[[object], object], text: str, value: str) -> None:
    assert rule(text) == value


@pytest.mark.parametrize(
    ("rule", "text", "message"),
    [
        (addresses.host_pattern, "api.example.com:80", "`api.example.com:80` is not a host name"),
        (addresses.host_pattern, f"{'a.' * 127}", "is not a host name"),
        (addresses.origin, "app.example.com", "`app.example.com` is not an origin"),
        (addresses.origin, "https://a.example:443", "`https://a.example:443`: browsers leave the usual port out"),
    ],
)
def test_refused_hosts_and_origins(rule: Callable[[object], object], text: str, message: str) -> None:
    with pytest.raises(RefusedError, match=re.escape(message)):
        rule(text)
