import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli import main

CONFIGURATION = """\
version: 1
defaults: {timeouts: {total: 20s}}
upstreams: [{id: u, targets: [{url: "http://127.0.0.1:1"}]}]
routes:
  - {id: orders.item, match: {path: "/orders/{id}", methods: [GET, DELETE]}, upstream: u}
  - {id: open, match: {prefix: /open}, upstream: u, auth: none, envelope: {mode: passthrough}, timeouts: {total: 10m}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "gateway.yaml"


def test_a_route_is_shown_with_its_effective_settings(file: Path) -> None:
    file.write_text(CONFIGURATION)
    shown = CliRunner().invoke(main, ["routes", "-c", str(file)])
    assert shown.exit_code == 0
    assert [line.split() for line in shown.stdout.splitlines()[1:]] == [
        [
            "GET,POST,PUT,PATCH,DELETE",
            "/open/**",
            "open",
            "http://127.0.0.1:1",
            "none",
            "anonymous",
            "passthrough",
            "600s",
        ],
        ["GET,DELETE", "/orders/{id}", "orders.item", "http://127.0.0.1:1", "key", "-", "auto", "20s"],
    ]


def test_the_limits_endpoint_of_the_gateway_is_shown_too(file: Path) -> None:
    file.write_text(CONFIGURATION + "server: {limits_path: /_gateway/limits}\n")
    shown = CliRunner().invoke(main, ["routes", "-c", str(file)])
    assert shown.stdout.splitlines()[1].split() == [
        "GET",
        "/_gateway/limits",
        "gateway.limits",
        "-",
        "key",
        "-",
        "wrap",
        "-",
    ]


def test_the_document_of_the_gateway_is_shown_too(file: Path) -> None:
    file.write_text(CONFIGURATION + "server: {openapi_path: /openapi.json, docs_path: /docs}\n")
    shown = CliRunner().invoke(main, ["routes", "-c", str(file)])
    rest = ["gateway.openapi", "-", "none", "anonymous", "passthrough", "-"]
    assert [line.split() for line in shown.stdout.splitlines()[1:3]] == [
        ["GET", "/openapi.json", *rest],
        ["GET", "/openapi.yaml", *rest],
    ]
    assert shown.stdout.splitlines()[3].split() == ["GET", "/docs", "gateway.docs", *rest[1:]]


def test_a_broken_file_is_1_and_explained(file: Path) -> None:
    file.write_text(CONFIGURATION.replace("upstream: u", "upstream: other", 1))
    shown = CliRunner().invoke(main, ["routes", "-c", str(file)])
    assert shown.exit_code == 1
    assert f"{file}:5:" in shown.stderr


def test_json_is_for_programs(file: Path) -> None:
    file.write_text(CONFIGURATION)
    shown = CliRunner().invoke(main, ["routes", "-c", str(file), "--output", "json"])
    first, second = json.loads(shown.stdout)["routes"]
    assert first == {
        "id": "orders.item",
        "methods": ["GET", "DELETE"],
        "path": "/orders/{id}",
        "prefix": None,
        "host": None,
        "headers": {},
        "listener": None,
        "upstream": "u",
        "targets": ["http://127.0.0.1:1"],
        "auth": "key",
        "plan": None,
        "envelope": "auto",
        "total_timeout_s": 20.0,
    }
    assert (second["path"], second["prefix"], second["plan"], second["total_timeout_s"]) == (
        None,
        "/open",
        "anonymous",
        600.0,
    )


def test_conditions_are_shown_beside_the_path(file: Path) -> None:
    match = "host: '*.example.com', path: /a, headers: {X-A: '1'}, listener: public"
    file.write_text(CONFIGURATION + f"  - {{id: hosted, match: {{{match}}}, upstream: u}}\n")
    shown = CliRunner().invoke(main, ["routes", "-c", str(file)])
    assert "*.example.com/a (X-A: 1, listener public)" in shown.stdout
