"""kernel/http/caching.py: what caches are told of replies to keys."""

import time

import pytest

from gateway.kernel.http.caching import PRIVATE, VARY, kept_apart, private, varying

OWN_LINES = ((VARY, "X-Api-Key"), PRIVATE)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("", "X-Api-Key"),
        ("Accept", "Accept, X-Api-Key"),
        ("x-api-key, Accept", "x-api-key, Accept"),
        ("*", "*"),
        ("Accept, *", "*"),
        (" , Accept ,", "Accept, X-Api-Key"),
    ],
)
def test_vary(value: str, wanted: str) -> None:
    assert varying(value, "X-Api-Key") == wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("", "private"),
        ("max-age=60", "private, max-age=60"),
        ("public", "private"),
        ("Public, Max-Age=60", "private, Max-Age=60"),
        ("s-maxage=60, must-revalidate", "private, must-revalidate"),
        ("public, s-maxage=60", None),
        ("S-MaxAge=60, PUBLIC, max-age=1", None),
        ("no-store", "no-store"),
        ("public, s-maxage=1, no-store", "public, s-maxage=1, no-store"),
        ("public, s-maxage=60, private", "public, s-maxage=60, private"),
        ("no-cache", "private, no-cache"),
        ("private, max-age=60", "private, max-age=60"),
        ('private="Set-Cookie", max-age=60', 'private, private="Set-Cookie", max-age=60'),
        ('no-cache="public, s-maxage=1"', 'private, no-cache="public, s-maxage=1"'),
        ("immutable,, max-age=1", "private, immutable, max-age=1"),
    ],
)
def test_cache_control(value: str, wanted: str | None) -> None:
    assert private(value) == wanted


def test_a_reply_is_kept_apart() -> None:
    lines = [
        ("Vary", "Accept"),
        ("X-A", "1"),
        ("vary", "Origin"),
        ("Cache-Control", "public"),
        ("Cache-Control", "max-age=5"),
        ("CDN-Cache-Control", "max-age=9"),
    ]
    assert kept_apart(lines, OWN_LINES, "X-Tenant-Org-Id") == [
        ("X-A", "1"),
        ("Vary", "Accept, Origin, X-Api-Key, X-Tenant-Org-Id"),
        ("Cache-Control", "private, max-age=5"),
    ]


def test_a_service_that_shares_is_believed() -> None:
    lines = [("Cache-Control", "public, s-maxage=5"), ("CDN-Cache-Control", "max-age=9")]
    assert kept_apart(lines, OWN_LINES, "") == [
        ("Vary", "X-Api-Key"),
        ("CDN-Cache-Control", "max-age=9"),
        ("Cache-Control", "public, s-maxage=5"),
    ]


def test_what_an_operator_has_decided_stands() -> None:
    lines = [("Cache-Control", "public, max-age=5"), ("Surrogate-Control", "max-age=9")]
    assert kept_apart(lines, OWN_LINES[:1], "") == [
        ("Vary", "X-Api-Key"),
        ("Surrogate-Control", "max-age=9"),
        ("Cache-Control", "public, max-age=5"),
    ]
    assert kept_apart([], OWN_LINES[:1], "") == [("Vary", "X-Api-Key")]


def test_values_of_any_length_are_read_in_time() -> None:
    began = time.process_time()
    for value in ('a="' + "x" * 60_000, 'a="\\"' * 10_000, "a=," * 20_000, "public," * 8_000, " " * 60_000):
        (_, (_, control)) = kept_apart([("Vary", "Accept," * 8_000), ("Cache-Control", value)], OWN_LINES, "")
        assert control.startswith("private")
    assert time.process_time() - began < 1
