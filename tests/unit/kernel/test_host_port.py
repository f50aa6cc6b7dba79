"""kernel/host_port.py: hosts and ports in one text."""

import pytest

from gateway.kernel.host_port import host_port


@pytest.mark.parametrize(
    ("host", "text"),
    [("127.0.0.1", "127.0.0.1:80"), ("orders.internal", "orders.internal:80"), ("::1", "[::1]:80"), ("", ":80")],
)
def test_an_ipv6_address_stands_in_brackets(host: str, text: str) -> None:
    assert host_port(host, 80) == text
