"""settings/secret_patterns.py: the forms of secrets."""

import pytest

from gateway.settings.secret_patterns import MASK, holds_key, is_server, looks_secret, shown_url


@pytest.mark.parametrize(
    "text", ["gw_abcdefgh", "x abcdefghijklmnopqrst1 y", "user:password@host", "redis://u:p@h:1/0", "http://h/?q=1"]
)
def test_forms_of_secrets(text: str) -> None:
    assert looks_secret(text)


@pytest.mark.parametrize(
    "text",
    [
        "orders.item",
        "redis://host:port/database",
        "abcdefghijklmnopqrstuvwxyz",
        "12345678901234567890",
        "gw_",
        "http://h:1/p",
    ],
)
def test_harmless_texts(text: str) -> None:
    assert not looks_secret(text)
    assert not holds_key(text)


def test_a_host_with_its_port_is_a_server() -> None:
    assert is_server("127.0.0.1:6379")
    assert not is_server("password")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("no url", "no url"),
        ("http://", "http://"),
        ("http://host:1/path", "http://host:1/path"),
        ("http://host/path?q=1", f"http://host/path?{MASK}"),
        ("redis://user:password@host:6379/0", f"redis://{MASK}@host:6379/0"),
        ("redis://user:@host:6379", f"redis://{MASK}"),
        ("redis://a:b?c@host:1", f"redis://{MASK}"),
        ("redis://user:pass@word", f"redis://{MASK}@{MASK}"),
        ("http://host/a b", f"http://{MASK}"),
        ("?://x", MASK),
    ],
)
def test_urls_are_shown_without_login_and_query(url: str, shown: str) -> None:
    assert shown_url(url) == shown
