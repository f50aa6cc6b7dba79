"""net/address.py: how logs and metrics spell addresses."""

from gateway.net.address import Address, TargetUrl, UnixAddress, is_ip_address, is_loopback, is_unspecified


def test_an_address_is_spelled_with_its_port() -> None:
    assert str(Address("127.0.0.1", 8080)) == "127.0.0.1:8080"
    assert str(Address("::1", 8080)) == "[::1]:8080"


def test_a_unix_address_has_its_scheme() -> None:
    assert str(UnixAddress("/run/gateway.sock")) == "unix:/run/gateway.sock"


def test_the_label_of_a_target_is_its_url_without_the_scheme() -> None:
    url = TargetUrl("https", "::1", 8443, "/api")
    assert (url.label, str(url)) == ("[::1]:8443/api", "https://[::1]:8443/api")


def test_addresses_of_all_interfaces_and_of_this_machine_alone_are_known() -> None:
    assert [is_unspecified(host) for host in ("0.0.0.0", "::", "127.0.0.1", "localhost")] == [True, True, False, False]
    assert [is_loopback(host) for host in ("127.0.0.9", "::1", "10.0.0.7", "localhost")] == [True, True, False, False]


def test_a_name_is_no_address() -> None:
    assert [is_ip_address(host) for host in ("10.0.0.7", "::1", "localhost", "", "fe80::1%eth0")] == [
        True,
        True,
        False,
        False,
        False,
    ]
