"""net/node_names.py: addresses as sockets and proxies write them."""

from ipaddress import ip_network

import pytest

from gateway.net.node_names import chain, unmapped, unmapped_network, without_port


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:c000:201", "192.0.2.1"),
        ("::1", "::1"),
        ("::ffff", "::ffff"),
        ("::x", "::x"),
        ("2001:db8::1", "2001:db8::1"),
        ("unix", "unix"),
        ("", ""),
    ],
)
def test_an_address_has_one_spelling(written: str, meant: str) -> None:
    assert unmapped(written) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("192.0.2.1:5", "192.0.2.1"),
        (" 192.0.2.1 ", "192.0.2.1"),
        ("192.0.2.1:", "192.0.2.1"),
        ("192.0.2.1:x", "192.0.2.1:x"),
        ("[2001:db8::1]:5", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[fe80::1%eth0]:5", "fe80::1%eth0"),
        ('"[2001:db8::1]:5"', "2001:db8::1"),
        ("[::ffff:192.0.2.1]:5", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("unknown", "unknown"),
        ("_hidden:5", "_hidden:5"),
    ],
)
def test_an_element_loses_its_port(written: str, meant: str) -> None:
    assert without_port(written) == meant


def test_a_chain_is_of_all_fields_without_the_empty_elements() -> None:
    assert chain(["203.0.113.1:1, [2001:db8::1]:5,, ", "198.51.100.9"]) == [
        "203.0.113.1",
        "2001:db8::1",
        "198.51.100.9",
    ]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:10.0.0.1/128", "10.0.0.1/32"),
        ("::/0", "::/0"),
        ("10.0.0.0/8", "10.0.0.0/8"),
    ],
)
def test_a_range_is_spelled_like_its_addresses(written: str, meant: str) -> None:
    assert unmapped_network(ip_network(written)) == ip_network(meant)
