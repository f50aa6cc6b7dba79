import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main

FINE = """\
version: 1
upstreams: [{id: u, targets: [{url: "http://127.0.0.1:1"}]}]
routes: [{id: r, match: {prefix: /}, upstream: u}, {id: s, match: {path: /s}, upstream: u}]
"""
BROKEN = FINE.replace("upstream: u}", "upstraem: u}", 1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "gateway.yaml"


def check(file: Path, text: str | None, *arguments: str) -> Result:
    if text is not None:
        file.write_text(text)
    return CliRunner().invoke(main, ["check", "-c", str(file), *arguments])


def test_a_file_that_is_fine_is_0(file: Path) -> None:
    done = check(file, FINE)
    assert (done.exit_code, done.stdout) == (0, f"{file}: fine: 2 routes, 1 upstream, 0 keys\n")


def test_keys_that_are_elsewhere_are_not_counted(file: Path) -> None:
    done = check(file, FINE + 'redis: {url: "redis://127.0.0.1:1"}\nkeys: {store: redis}\n')
    assert done.stdout == f"{file}: fine: 2 routes, 1 upstream, keys in redis\n"


def test_problems_exit_with_1_and_show_their_positions(file: Path) -> None:
    done = check(file, BROKEN)
    assert done.exit_code == 1
    assert f"{file}:3:" in done.stdout
    assert "did you mean `upstream`?" in done.stdout


def test_json_is_for_programs(file: Path) -> None:
    assert json.loads(check(file, FINE, "--output", "json").stdout) == {"problems": []}
    problems = json.loads(check(file, BROKEN, "--output", "json").stdout)["problems"]
    assert {problem["line"] for problem in problems} == {3}


def test_github_shows_problems_beside_their_lines(file: Path) -> None:
    assert check(file, FINE, "--output", "github").stdout == ""
    assert check(file, BROKEN, "--output", "github").stdout.startswith("::error file=")


def test_warnings_are_printed_and_exit_with_0(file: Path) -> None:
    open_around = FINE.replace("match: {prefix: /}", "auth: none, match: {prefix: /}")
    done = check(file, open_around)
    lines = done.stdout.splitlines()
    assert done.exit_code == 0
    assert lines[0].startswith(
        f"{file}:3:24: warning: routes[0].auth: no key is asked for around routes that ask for one: `s`; "
    )
    assert lines[-1] == f"{file}: fine: 2 routes, 1 upstream, 0 keys"
    found = json.loads(check(file, open_around, "--output", "json").stdout)
    assert (found["problems"], [warning["line"] for warning in found["warnings"]]) == ([], [3])
    assert check(file, open_around, "--output", "github").stdout.startswith("::warning file=")


def test_a_file_with_problems_shows_no_warnings(file: Path) -> None:
    done = check(file, BROKEN.replace("match: {prefix: /}", "auth: none, match: {prefix: /}"))
    assert (done.exit_code, "warning" in done.stdout) == (1, False)


def test_a_file_that_is_not_there_is_1(file: Path) -> None:
    done = check(file, None)
    assert done.exit_code == 1
    assert str(file) in done.stdout


def test_no_file_is_a_usage_error() -> None:
    assert CliRunner().invoke(main, ["check"]).exit_code == 2


def test_standard_input_may_be_checked(tmp_path: Path) -> None:
    (tmp_path / "more.yaml").write_text("organizations: [{id: acme}]\n")
    text = FINE + f"include: ['{tmp_path}/more.yaml']\n"
    done = CliRunner().invoke(main, ["check", "-c", "-"], input=text)
    assert (done.exit_code, done.stdout) == (0, "-: fine: 2 routes, 1 upstream, 0 keys\n")
    done = CliRunner().invoke(main, ["check", "-c", "-"], input=BROKEN)
    assert (done.exit_code, done.stdout.partition(" error")[0]) == (1, "-:3:38:")


def test_keys_that_begin_with_x_are_a_home_for_anchors(file: Path) -> None:
    text = "x-u: &u {upstream: u, auth: none}\n" + FINE.replace("path: /s}, upstream: u", "path: /s}, <<: *u")
    assert check(file, text).exit_code == 0
