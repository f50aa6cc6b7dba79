"""settings/schema/replies.py: what is done with whole replies."""

import pytest

from gateway.settings import Config, parse
from gateway.settings.problems import ConfigError
from tests.yaml_files import DIGEST

TEXT = f"""
version: 1
keys: [{{id: k, secret_sha256: {DIGEST}}}]
upstreams: [{{id: u, targets: [{{url: "http://a:1"}}]}}]
"""


def read(more: str) -> Config:
    return parse(TEXT + more)


def test_nothing_is_compressed_unless_it_is_asked_for() -> None:
    config = read("routes: [{id: r, match: {prefix: /v1}, upstream: u}]")
    found = config.compression_of(config.routes[0])
    assert (found.codings, found.min_size) == ((), 1024)


def test_a_route_overrides_field_by_field() -> None:
    config = read("""
defaults: {compression: {codings: [br, gzip], min_size: 2KiB}}
routes:
  - {id: r, match: {prefix: /r}, upstream: u}
  - {id: s, match: {prefix: /s}, upstream: u, compression: {min_size: 0B}}
  - {id: t, match: {prefix: /t}, upstream: u, compression: {codings: []}}
""")
    found = [config.compression_of(route) for route in config.routes]
    assert [(each.codings, each.min_size) for each in found] == [
        (("br", "gzip"), 2048),
        (("br", "gzip"), 0),
        ((), 2048),
    ]


@pytest.mark.parametrize(
    "where",
    [
        "defaults: {compression: {codings: [br, br]}}\nroutes: [{id: r, match: {prefix: /r}, upstream: u}]",
        "routes: [{id: r, match: {prefix: /r}, upstream: u, compression: {codings: [br, br]}}]",
    ],
)
def test_a_coding_stands_once(where: str) -> None:
    with pytest.raises(ConfigError, match="`br` stands here twice"):
        read(where)


def test_a_cache_is_there_when_a_route_has_one() -> None:
    config = read("""
routes:
  - {id: r, match: {prefix: /r}, upstream: u}
  - {id: s, match: {prefix: /s}, upstream: u, cache: {}}
  - {id: t, match: {prefix: /t}, upstream: u, cache: {ttl: 30s, vary: [X-Lang], stale_if_error: 1h}}
""")
    none, plain, own = [route.cache for route in config.routes]
    assert none is None
    assert plain is not None
    assert (plain.ttl, plain.max_bytes, plain.share) == (None, 64 << 20, None)
    assert plain.model_dump(mode="json")["ttl"] == "from-service"
    assert own is not None
    assert (own.ttl, own.vary, own.stale_if_error) == (30.0, ("X-Lang",), 3600.0)
    assert own.model_dump(mode="json")["ttl"] == "30s"


@pytest.mark.parametrize("cache", ["{ttl: 0s}", "{ttl: often}", "{vary: [X-A, x-a]}", "{share: everybody}"])
def test_caches_that_make_no_sense(cache: str) -> None:
    with pytest.raises(ConfigError):
        read(f"routes: [{{id: r, match: {{prefix: /r}}, upstream: u, cache: {cache}}}]")


def test_calls_with_idempotency_keys() -> None:
    config = read("""
routes:
  - {id: r, match: {prefix: /r}, upstream: u}
  - {id: s, match: {prefix: /s}, upstream: u, idempotency: {ttl: 1h}}
""")
    none, own = [route.idempotency for route in config.routes]
    assert none is None
    assert own is not None
    assert (own.header, own.ttl) == ("Idempotency-Key", 3600.0)
