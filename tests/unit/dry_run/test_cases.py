"""dry_run/cases.py: a file of cases is read whole, or all that is wrong with it is said."""

from pathlib import Path

import pytest

from gateway.dry_run.cases import ReadCases, read_cases
from gateway.settings import ConfigError

GOOD = """\
cases:
- name: one
  request: {method: POST, target: /v1/pets, key: acme-ci, headers: {A: b}, body: {a: [1]}, client: 192.0.2.1}
  service: {status: 404, headers: {X: "y"}, body: plain}
  expect: {status: 404, upstream: {path: /v1/pets}}
- request: {target: /status, body: text}
  expect: {route: open}
"""


def read(tmp_path: Path, text: str) -> ReadCases:
    file = tmp_path / "tests.yaml"
    file.write_text(text)
    return read_cases(file)


def test_cases_are_read_with_their_positions(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD)
    first, second = found.cases
    request = first.request.dry_request()
    assert (request.method, request.target, request.key_id, request.client) == (
        "POST",
        "/v1/pets",
        "acme-ci",
        "192.0.2.1",
    )
    assert (request.headers, request.body, second.request.dry_request().body) == ((("A", "b"),), '{"a": [1]}', "text")
    answer = first.service.answer()
    assert (answer.status, answer.body, answer.length) == (404, b"plain", 5)
    assert answer.fields == [(b"x", b"y"), (b"content-type", b"application/json")]
    assert second.service.answer().body == b"{}"
    name = str(tmp_path / "tests.yaml")
    assert found.where(("cases", 0, "expect", "upstream", "path")) == f"{name}:5:42"
    assert found.where(("cases", 1, "expect", "status")) == f"{name}:7:11"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", ["tests.yaml:1:1: error: nothing is written here"]),
        ("a: [", ["tests.yaml:2:1: error: not YAML"]),
        ("cases: []\n", ["tests.yaml:1:8: error:"]),
        (
            GOOD.replace("key:", "kez:")
            .replace("status: 404, headers", "status: 99, headers")
            .replace("{route: open}", "{}"),
            [
                "tests.yaml:3:45: error: unknown key; did you mean `key`?",
                "tests.yaml:4:21: error:",
                "tests.yaml:7:11: error: nothing is expected; write `route`",
            ],
        ),
    ],
)
def test_all_that_is_wrong_is_said(tmp_path: Path, text: str, lines: list[str]) -> None:
    with pytest.raises(ConfigError) as raised:
        read(tmp_path, text)
    found = str(raised.value).replace(f"{tmp_path}/", "").split("\n")
    assert len(found) == len(lines)
    for line, begins in zip(found, lines, strict=True):
        assert line.startswith(begins)
