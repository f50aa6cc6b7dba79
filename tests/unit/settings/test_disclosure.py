"""settings/disclosure.py: which keys may be shown with their values."""

import pytest

from gateway.settings.disclosure import ROOT, is_plain_key, kind_of, opens


@pytest.mark.parametrize(
    ("key", "parent", "kind"),
    [
        ("version", ROOT, "plain"),
        ("server", ROOT, "section"),
        ("url", "redis", "url"),
        ("password", "redis", "secret"),
        ("token", "admin", "secret"),
        ("secret_sha256", "keys", "secret"),
        ("id", None, "plain"),
        ("nobody", None, "secret"),
        ("nobody", ROOT, "secret"),
        ("id", "nobody", "secret"),
        ("malformed_request", "errors", "section"),
    ],
)
def test_the_kind_of_a_value(key: str, parent: str | None, kind: str) -> None:
    assert kind_of(key, parent) == kind


def test_what_stands_below_a_key_may_be_shown_unless_it_is_a_secret() -> None:
    assert opens("server")
    assert opens("version", ROOT)
    assert not opens("password")
    assert not opens("nobody")


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("routes", True),
        ("misspelt_key", True),
        ("secret_sha256", True),
        ("a b", False),
        ("x7k2", False),
        ("gw_0123456789", False),
    ],
)
def test_names_that_can_be_keys(name: str, *, plain: bool) -> None:
    assert is_plain_key(name) is plain
