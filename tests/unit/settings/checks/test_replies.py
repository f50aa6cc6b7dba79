"""settings/checks/replies.py: caches that nobody could use."""

from pathlib import Path

import pytest

from gateway.settings import load_with_warnings, parse
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
        ("match: {path: /a, methods: [PUT]}, idempotency: {}", "routes[0].idempotency: of no use: only POST and PATCH"),
        ("match: {path: /a}, auth: none, idempotency: {}", "routes[0].idempotency: needs callers with a key"),
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


@pytest.mark.parametrize(("redis", "count"), [("", 1), ('redis: {url: "redis://127.0.0.1:1"}\n', 0)])
def test_without_redis_there_is_a_warning(tmp_path: Path, redis: str, count: int) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(TEXT % "match: {path: /a}, idempotency: {}" + redis)
    warnings = [each.text for each in load_with_warnings(file)[1] if each.rule == "W020"]
    assert [text.partition(",")[0] for text in warnings] == [
        "without `redis` the replies are in the memory of one process"
    ] * count
