from pathlib import Path

from gateway.settings import parse
from gateway.supervisor.views import masked

TEXT = """
version: 1
admin: {token: open-sesame}
redis: {url: "redis+sentinel://user:hunter2@cache:6379/main?sentinel_password=hunter3"}
organizations: [{id: acme}]
keys: [{id: k, secret_sha256: 5139e9b7609476d6aeb37b840f9d44160ea0a1d7b1fedf6c3ccf860a530bb828, organizations: [acme]}]
upstreams: [{id: u, targets: [{url: "http://a:1"}]}]
routes:
  - {id: r, match: {prefix: /}, upstream: u, headers: {request: {set: {Authorization: Basic Zm9v, X-Service: api}}}}
"""


def test_the_effective_configuration_shows_defaults_and_no_secret() -> None:
    shown = masked(parse(TEXT, directory=Path("/")))
    for secret in ("open-sesame", "hunter2", "hunter3", "5139e9b7", "Zm9v"):
        assert secret not in str(shown)
    assert shown["redis"]["url"] == "redis+sentinel://***@cache:6379/main?sentinel_password=***"
    assert shown["routes"][0]["headers"]["request"]["set"] == {"Authorization": "***", "X-Service": "api"}
    assert (shown["server"]["drain_timeout"], shown["plans"][0]["id"]) == (30.0, "standard")
