"""kernel/addresses.py: addresses and pages that may call."""

from ipaddress import ip_network

import pytest

from gateway.kernel.addresses import address_rules, referrers


def nets(*texts: str) -> tuple[object, ...]:
    return tuple(map(ip_network, texts))


@pytest.mark.parametrize(
    ("allow", "deny", "address", "permitted"),
    [
        (["10.0.0.0/8"], [], "10.1.2.3", True),
        (["10.0.0.0/8"], [], "11.1.2.3", False),
        (["10.0.0.0/8"], ["10.1.0.0/16"], "10.1.2.3", False),
        (["10.0.0.0/8"], ["10.1.0.0/16"], "10.2.2.3", True),
        ([], ["10.0.0.0/8"], "10.1.2.3", False),
        ([], ["10.0.0.0/8"], "192.0.2.1", True),
        (["10.0.0.0/8"], [], "::ffff:10.1.2.3", True),
        (["2001:db8::/32"], [], "2001:db8:1::2", True),
        (["2001:db8::/32"], [], "2001:db9::2", False),
        (["2001:db8::/32"], [], "10.0.0.1", False),
        (["192.0.2.1"], [], "192.0.2.1", True),
        (["10.0.0.0/8"], [], "unix", False),
        ([], ["10.0.0.0/8"], "unix", True),
        (["10.0.0.0/8"], [], "not an address", False),
    ],
)
def test_who_may_come(allow: list[str], deny: list[str], address: str, *, permitted: bool) -> None:
    rules = address_rules(nets(*allow), nets(*deny))  # type: ignore[arg-type]
    assert rules is not None
    assert rules.permits(address) == permitted


def test_without_rules_there_is_nothing_to_check() -> None:
    assert address_rules((), ()) is None
    assert referrers(()) is None


@pytest.mark.parametrize(
    ("origin", "referer", "permitted"),
    [
        ("https://app.example.com", None, True),
        ("https://x.example.org", None, True),
        ("https://evil.example", "https://app.example.com/page", False),
        (None, "https://app.example.com/page?q=1", True),
        (None, "https://X.example.org/", True),
        (None, "https://app.example.com.evil.example/", False),
        (None, "https://app.example.com@evil.example/", False),
        (None, "app.example.com", False),
        (None, "https://[", False),
        (None, None, False),
        ("null", None, False),
    ],
)
def test_the_pages_of_a_key(origin: str | None, referer: str | None, *, permitted: bool) -> None:
    pages = referrers(("https://app.example.com", "https://*.example.org"))
    assert pages is not None
    assert pages.permits(origin, referer) == permitted
