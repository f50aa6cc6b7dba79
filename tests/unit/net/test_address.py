"""net/address.py: how logs and metrics spell addresses."""

from gateway.net.address import Address, TargetUrl, UnixAddress


def test_an_address_is_spelled_with_its_port() -> None:
    assert str(Address("127.0.0.1", 8080)) == "127.0.0.1:8080"
    assert str(Address("::1", 8080)) == "[::1]:8080"


def test_a_unix_address_has_its_scheme() -> None:
    assert str(UnixAddress("/run/gateway.sock")) == "unix:/run/gateway.sock"


def test_the_label_of_a_target_is_its_url_without_the_scheme() -> None:
    url = TargetUrl("https", "::1", 8443, "/api")
    assert (url.label, str(url)) == ("[::1]:8443/api", "https://[::1]:8443/api")
