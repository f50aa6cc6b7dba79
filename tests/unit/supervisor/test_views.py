from pathlib import Path

from gateway.settings import parse
from gateway.supervisor.views import masked

TEXT = """
version: 1
admin: {token: open-sesame}
redis: {url: "redis://user:hunter2@cache:6379/0"}
organizations: [{id: acme}]
keys: [{id: k, secret_sha256: 5139e9b7609476d6aeb37b840f9d44160ea0a1d7b1fedf6c3ccf860a530bb828, organizations: [acme]}]
upstreams: [{id: u, targets: [{url: "http://a:1"}]}]
routes:
  - {id: r, match: {prefix: /}, upstream: u, headers: {request: {set: {Authorization: Basic Zm9v, X-Service: api}}}}
"""


def test_the_effective_configuration_shows_defaults_and_no_secret() -> None:
    shown = masked(parse(TEXT, directory=Path("/")))
    for secret in ("open-sesame", "hunter2", "5139e9b7", "Zm9v"):
        assert secret not in str(shown)
    assert shown["redis"]["url"] == "redis://***@cache:6379/0"
    assert shown["routes"][0]["headers"]["request"]["set"] == {"Authorization": "***", "X-Service": "api"}
    assert (shown["server"]["drain_timeout"], shown["plans"][0]["id"]) == (30.0, "standard")


def test_keys_are_shown_where_the_file_has_them() -> None:
    assert "key_store" not in masked(parse(TEXT))
    elsewhere = TEXT[: TEXT.index("keys:")] + "keys: {store: redis}\n" + TEXT[TEXT.index("upstreams:") :]
    assert masked(parse(elsewhere))["keys"] == {"store": "redis"}
