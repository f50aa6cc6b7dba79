"""table/routes.py: the path of a request at the service, and what follows from what a route has."""

from typing import Any

import msgspec
import pytest

from tests.samples import route


@pytest.mark.parametrize(
    ("base", "stripped", "path", "expected"),
    [
        ("", 0, "/v1/orders", "/v1/orders"),
        ("/api", 0, "/v1/orders", "/api/v1/orders"),
        ("", 1, "/v1/orders", "/orders"),
        ("/api", 2, "/v1/orders/a%2Fb/", "/api/a%2Fb/"),
        ("", 1, "/v1", ""),
        ("/api", 2, "/v1/orders", "/api"),
        ("", 1, "/v1/", "/"),
    ],
)
def test_segments_are_cut_off_and_the_base_is_put_in_front(base: str, stripped: int, path: str, expected: str) -> None:
    assert route(base=base, strip_segments=stripped).upstream_path(path) == expected


def test_a_listener_counts_more_than_header_fields() -> None:
    plain, versioned = route(), route(match_headers=(("a", "1"), ("b", "2")))
    assert plain.specificity < versioned.specificity < route(match_listener="internal").specificity


@pytest.mark.parametrize(
    "rare",
    ["maintenance", "addresses", "tariff", "request", "caching", "steering", "idempotency"],
)
def test_a_plain_route_has_none_of_the_stages_that_only_some_have(rare: str) -> None:
    rule: Any = object()
    assert route().plain
    assert not route(**{rare: rule}).plain
    assert not msgspec.structs.replace(route(), **{rare: rule}).plain


def test_a_route_without_a_service_or_without_keys_is_not_plain() -> None:
    assert not route(upstream=None).plain
    assert not route(open=True).plain
