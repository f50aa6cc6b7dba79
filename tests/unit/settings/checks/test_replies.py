"""settings/checks/replies.py: caches that nobody could use."""

import pytest

from gateway.settings import parse
from gateway.settings.problems import ConfigError

TEXT = 'version: 1\nupstreams: [{id: u, targets: [{url: "http://a:1"}]}]\nroutes: [{id: r, upstream: u, %s}]\n'


@pytest.mark.parametrize(
    ("route", "text"),
    [
        ("match: {path: /a, methods: [POST]}, cache: {}", "routes[0].cache: of no use: only replies to GET and HEAD"),
        (
            "match: {path: /a}, auth: none, cache: {share: key}",
            "routes[0].cache.share: `key` needs a caller with a key",
        ),
        ("match: {path: /a}, auth: none, cache: {share: organization}", "`organization` needs a caller"),
    ],
)
def test_what_is_of_no_use(route: str, text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(TEXT % route)
    assert text in str(refused.value)


@pytest.mark.parametrize(
    "route",
    [
        "match: {path: /a}, cache: {share: key}",
        "match: {path: /a, methods: [HEAD]}, cache: {}",
        "match: {path: /a}, auth: none, cache: {share: public}",
        "match: {path: /a}, auth: none, cache: {}",
    ],
)
def test_what_is_of_use(route: str) -> None:
    assert parse(TEXT % route).routes[0].cache is not None
