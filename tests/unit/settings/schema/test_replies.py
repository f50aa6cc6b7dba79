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
