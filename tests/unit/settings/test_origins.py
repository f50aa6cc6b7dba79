from pathlib import Path
from typing import Any

import pytest

from gateway.settings.document.includes import read_file
from gateway.settings.origins import Origins, paths
from gateway.settings.problem_list import ProblemList

MAIN = """\
version: 1
include: [more.yaml]
admin:
  address: "${HOST}:${PORT:-a-secret}"
  token: ${file:token}  # ${NOT_THIS}
redis: {url: "${URL:?is missing}", key_prefix: 'it''s ${PREFIX}', timeout: 50ms}
server:
  listeners: [{id: a, trusted_proxies: ["10.0.0.0/8", "${PROXY}"]}]
upstreams: [{id: u, targets: [{url: &url "http://${HOST}:1"}, {url: *url}], tls: {}}]
routes:
- {id: r, match: {path: "/$$r", methods: [GET]}, upstream: u, cost: 5}
keys:
- {id: k}
- {id: l}
"""
MORE = """\
routes: [{id: s, match: {prefix: /s}, upstream: u}]
keys:
- {id: m}
errors:
  no_route:
    message: >-
      from ${ELSEWHERE}
"""
ENVIRON = {
    "HOST": "127.0.0.1",
    "URL": "redis://u:hunter2@a",
    "PREFIX": "p",
    "PROXY": "10.1.1.1/32",
    "ELSEWHERE": "elsewhere",
}


@pytest.fixture
def origins(tmp_path: Path) -> Origins:
    (tmp_path / "gateway.yaml").write_text(MAIN)
    (tmp_path / "more.yaml").write_text(MORE)
    (tmp_path / "token").write_text("sesame")
    problem_list = ProblemList()
    root, whole = read_file(str(tmp_path / "gateway.yaml"), ENVIRON, problem_list)
    problem_list.raise_if_any()
    assert whole
    return Origins(root)


@pytest.mark.parametrize(
    ("path", "value", "origin"),
    [
        ("version", 1, "gateway.yaml:1:10"),
        ("include", ["more.yaml"], "gateway.yaml:2:10"),
        ("admin.address", "127.0.0.1:99", "gateway.yaml:4:12 ${HOST} ${PORT}"),
        ("admin.token", "***", "gateway.yaml:5:10 ${file:token}"),
        ("redis.url", "***", "gateway.yaml:6:14 ${URL}"),
        ("redis.key_prefix", "it's p", "gateway.yaml:6:48 ${PREFIX}"),
        ("redis.timeout", 0.05, "gateway.yaml:6:76"),
        ("redis.on_failure", "local", "default"),
        ("server.listeners[0].id", "a", "gateway.yaml:8:20"),
        ("server.listeners[0].trusted_proxies", ["10.0.0.0/8", "10.1.1.1/32"], "gateway.yaml:8:40 ${PROXY}"),
        ("server.listeners[0].mode", "0660", "default"),
        ("upstreams[0].targets[0].url", "http://127.0.0.1:1", "gateway.yaml:9:37 ${HOST}"),
        # The variable stands elsewhere.
        ("upstreams[0].targets[1].url", "http://127.0.0.1:1", "gateway.yaml:9:69 ${…}"),
        ("upstreams[0].tls.verify", True, "gateway.yaml:9:82"),
        # What is not written as it is in force.
        ("routes[0].cost.default", 5, "gateway.yaml:11:69"),
        # A dollar sign is no variable.
        ("routes[0].match.path", "/$r", "gateway.yaml:11:25"),
        ("routes[1].match.prefix", "/s", "more.yaml:1:34"),
        ("errors.no_route.message", "from elsewhere", "more.yaml:6:14 ${…}"),
        ("plans", [], "default"),
    ],
)
def test_where_a_value_comes_from(origins: Origins, tmp_path: Path, path: str, value: Any, origin: str) -> None:
    written = _nested(path, value)
    assert path in paths(written)
    assert origins.of(written)[path].replace(f"{tmp_path}/", "") == origin


def _nested(path: str, value: Any) -> Any:
    for step in reversed(path.replace("[", ".[").split(".")):
        value = [*[{}] * int(step[1:-1]), value] if step.startswith("[") else {step: value}
    return value


def test_keys_have_the_position_where_those_of_a_file_begin(origins: Origins, tmp_path: Path) -> None:
    reported = {path: origin.replace(f"{tmp_path}/", "") for path, origin in origins.of({"keys": []}).items()}
    assert reported == {"keys": "gateway.yaml:13:3, more.yaml:3:3"}


def test_nothing_from_outside_is_kept(origins: Origins) -> None:
    reported = str(origins.of({"admin": {"address": "", "token": ""}, "redis": {"url": ""}}))
    assert [secret for secret in ("hunter2", "sesame", "a-secret", "is missing") if secret in reported] == []
    assert repr(origins).startswith("<Origins, ")
