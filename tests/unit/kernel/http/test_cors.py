"""kernel/http/cors.py: which origins fit, and the fields that inform a browser."""

import re

import pytest

from gateway.kernel.http.cors import ORIGIN_PATTERN, CorsPolicy, cors_policy, without_cors


def policy(*origins: str, credentials: bool = False) -> CorsPolicy:
    return cors_policy(
        origins,
        methods=("GET", "POST"),
        headers=("X-Api-Key", "Content-Type", "x-api-key"),
        expose=("X-Request-Id", "Retry-After", "retry-after"),
        credentials=credentials,
        max_age_s=600,
    )


PAGES = policy("https://app.example.com", "https://*.example.org:8443", "http://localhost:3000")


@pytest.mark.parametrize(
    "origin",
    [
        "https://app.example.com",
        "http://localhost:3000",
        "https://a.example.org:8443",
        "https://a.b-c.example.org:8443",
        "https://xn--bcher-kva.example.org:8443",
    ],
)
def test_pages_that_may_call(origin: str) -> None:
    assert PAGES.allows(origin)
    assert PAGES.fields(origin, preflight=False) == (
        ("Access-Control-Allow-Origin", origin),
        ("Vary", "Origin"),
        ("Access-Control-Expose-Headers", "X-Request-Id, Retry-After"),
    )


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "",
        "null",
        "*",
        "https://example.org:8443",
        "https://.example.org:8443",
        "https://example.org:8443.example.org:8443",
        "https://evil.com/.example.org:8443",
        "https://evil.com?.example.org:8443",
        "https://evil.com#.example.org:8443",
        "https://user@a.example.org:8443",
        "https://A.example.org:8443",
        "https://a.example.org",
        "http://a.example.org:8443",
        "https://a.example.org:8443\n",
        "https://app.example.com.evil.com",
        "https://app.example.com:443",
        "http://app.example.com",
    ],
)
def test_pages_that_may_not(origin: str | None) -> None:
    assert not PAGES.allows(origin)
    assert PAGES.fields(origin, preflight=False) == PAGES.fields(origin, preflight=True) == (("Vary", "Origin"),)


def test_every_page_may_call_without_a_look_at_it() -> None:
    anybody = policy("*")
    assert anybody.allows(None)
    assert anybody.fields("https://x.example", preflight=False) == (
        ("Access-Control-Allow-Origin", "*"),
        ("Access-Control-Expose-Headers", "X-Request-Id, Retry-After"),
    )


def test_a_preflight_learns_what_it_may_send_and_for_how_long_that_holds() -> None:
    assert policy("https://a.example", credentials=True).fields("https://a.example", preflight=True) == (
        ("Access-Control-Allow-Origin", "https://a.example"),
        ("Vary", "Origin"),
        ("Access-Control-Allow-Credentials", "true"),
        ("Access-Control-Allow-Methods", "GET, POST"),
        ("Access-Control-Allow-Headers", "X-Api-Key, Content-Type"),
        ("Access-Control-Max-Age", "600"),
    )


def test_the_fields_of_a_service_are_taken_away() -> None:
    lines = [("Content-Type", "a/b"), ("access-control-allow-origin", "*"), ("Access-Control-Anything", "1")]
    assert without_cors(lines) == [("Content-Type", "a/b")]


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("*", True),
        ("https://app.example.com", True),
        ("https://*.example.com", True),
        ("http://[::1]:3000", True),
        ("capacitor://localhost", True),
        ("app.example.com", False),
        ("https://app.example.com/", False),
        ("https://a.*.example.com", False),
        ("https://*example.com", False),
        ("https://*", False),
        ("https://a.example:0", False),
        ("https://u@a.example", False),
        ("null", False),
    ],
)
def test_what_an_origin_looks_like(text: str, *, fits: bool) -> None:
    assert (re.fullmatch(ORIGIN_PATTERN, text) is not None) == fits
