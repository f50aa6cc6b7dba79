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


OPEN_AROUND = FINE.replace("match: {prefix: /}", "auth: none, match: {prefix: /}")


def test_strictly_a_warning_is_1_unless_its_rule_is_ignored(file: Path) -> None:
    done = check(file, OPEN_AROUND, "--strict")
    assert (done.exit_code, "[W014 route.open-around-keyed]" in done.stdout) == (1, True)
    for ignored in ("w014", "W001,route.open-around-keyed"):
        done = check(file, OPEN_AROUND, "--strict", "--ignore", ignored)
        assert (done.exit_code, done.stdout) == (0, f"{file}: fine: 2 routes, 1 upstream, 0 keys\n")
    done = check(file, OPEN_AROUND, "--ignore", "W14")
    assert (done.exit_code, "there is no rule `W14`; did you mean `W014`?" in done.stderr) == (2, True)


def test_information_alone_is_0_strictly(file: Path) -> None:
    server = 'server: {listeners: [{id: l, address: "127.0.0.1:1", trusted_proxies: [10.0.0.0/8]}]}\n'
    done = check(file, FINE + server, "--strict", "--output", "json")
    (warning,) = json.loads(done.stdout)["warnings"]
    assert (done.exit_code, warning["rule"], warning["name"], warning["severity"]) == (
        0,
        "W012",
        "redis.missing",
        "info",
    )


def test_sarif_is_for_code_review(file: Path) -> None:
    document = json.loads(check(file, OPEN_AROUND, "--output", "sarif").stdout)
    assert [each["ruleId"] for each in document["runs"][0]["results"]] == ["W014"]
    document = json.loads(check(file, BROKEN, "--output", "sarif").stdout)
    assert {each["ruleId"] for each in document["runs"][0]["results"]} == {"E001"}


def test_spellings_are_corrected_in_the_file(file: Path) -> None:
    done = check(file, FINE + "defaults: {envelope: {maxBuffer: 1MiB}}\n", "--fix")
    assert (done.exit_code, done.stderr) == (0, f"{file}:4:23: fixed: `maxBuffer` is `max_buffer` now\n")
    assert done.stdout == f"{file}: fine: 2 routes, 1 upstream, 0 keys\n"
    assert "max_buffer" in file.read_text()
    done = check(file, BROKEN, "--fix")
    assert (done.exit_code, done.stderr, file.read_text()) == (1, "", BROKEN)


def test_quietly_nothing_is_printed_where_nothing_is_wrong(file: Path) -> None:
    assert check(file, FINE, "-q").stdout == ""
    assert check(file, OPEN_AROUND, "-q").stdout.count("\n") == 3


def test_the_file_may_be_an_argument(file: Path) -> None:
    file.write_text(FINE)
    assert CliRunner().invoke(main, ["check", str(file)]).exit_code == 0
    for arguments in ((), (str(file), "-c", str(file))):
        assert CliRunner().invoke(main, ["check", *arguments]).exit_code == 2
    done = CliRunner().invoke(main, ["check", "-", "--fix"], input=BROKEN)
    assert (done.exit_code, "did you mean `upstream`?" in done.stdout) == (1, True)
