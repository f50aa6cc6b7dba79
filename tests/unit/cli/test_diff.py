import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from gateway import __version__
from gateway.cli import main
from gateway.config_diff.inventory import Preface, Redactor, items_of
from gateway.settings import load
from tests.canned_admin import admin

OLD = """\
version: 1
admin: {token: open-sesame}
upstreams: [{id: u, targets: [{url: "http://127.0.0.1:1"}]}]
routes:
  - {id: r, match: {path: /r, methods: [GET]}, upstream: u, limits: [{id: second, max: 9, per: 1s}]}
  - {id: s, match: {path: /s, methods: [GET, PUT]}, upstream: u}
  - {id: t, match: {path: /t, methods: [GET, PUT]}, upstream: u}
"""
SALT = b"a salt of its own"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    file = tmp_path / "old.yaml"
    file.write_text(OLD)
    return file


def diff(old: Path, text: str, *arguments: str) -> Result:
    file = old.with_name("new.yaml")
    file.write_text(text)
    where = arguments if "--admin" in arguments else ("--against", str(old), *arguments)
    return CliRunner(env={"GATEWAY_ADMIN": None}).invoke(main, ["diff", "-c", str(file), *where])


def inventory(file: Path, release: str = __version__) -> bytes:
    lines = [Preface(release, SALT.hex()), *items_of(load(file), Redactor(SALT, local=False))]
    return b"\n".join(map(msgspec.json.encode, lines))


def test_nothing_is_0(old: Path) -> None:
    done = diff(old, OLD)
    assert (done.exit_code, done.stdout) == (0, "nothing changes\n")


def test_a_change_that_breaks_nothing_is_3(old: Path) -> None:
    done = diff(old, OLD.replace("max: 9", "max: 10") + "observability: {log: {level: debug}}\n")
    assert done.exit_code == 3
    assert done.stdout == (
        "widening\n  limit second of route r: max 9 -> 10\n"
        "other\n  section observability: log.level info -> debug\n"
        "0 breaking, 1 widening, 1 other\n"
    )


def test_a_breaking_change_exits_with_4_and_equal_changes_share_a_line(old: Path) -> None:
    done = diff(old, OLD.replace("[GET, PUT]", "[GET]"))
    assert done.exit_code == 4
    assert done.stdout == "breaking\n  route s, t: match.methods -PUT\n2 breaking, 0 widening, 0 other\n"


def test_a_few_names_stand_for_many(old: Path) -> None:
    many = OLD + "".join(
        f"  - {{id: n{number}, match: {{path: /{number}x, methods: [GET]}}, upstream: u}}\n" for number in range(7)
    )
    new = many.replace("x, methods: [GET]", "x, methods: [GET, PUT]")
    old.write_text(many)
    assert "  route n0, n1, n2, n3, n4 and 2 more: match.methods +PUT\n" in diff(old, new).stdout


def test_json_is_for_programs(old: Path) -> None:
    printed = json.loads(diff(old, OLD.replace("max: 9", "max: 8"), "--output", "json").stdout)
    change = {
        "effect": "breaking",
        "kind": "limit",
        "name": "second of route r",
        "aspect": "max",
        "before": 9,
        "after": 8,
    }
    assert printed == {
        "changes": [change | {"text": "max 9 -> 8", "concerned": []}],
        "breaking": 1,
        "widening": 0,
        "other": 0,
    }


def test_all_problems_of_a_file_are_printed_with_exit_code_1(old: Path) -> None:
    done = diff(old, OLD.replace("upstream: u}", "upstraem: u}") + "nonsense: 1\n")
    assert done.exit_code == 1
    assert "new.yaml:6:" in done.stderr
    assert "new.yaml:8:1: error: nonsense" in done.stderr


def test_a_running_gateway_is_asked_and_keeps_its_secrets(old: Path) -> None:
    with admin(200, inventory(old)) as (address, asked):
        assert diff(old, OLD, "--admin", address).exit_code == 0
        assert diff(old, OLD.replace("open-sesame", "open-barley"), "--admin", address).exit_code == 0
        done = diff(old, OLD.replace("max: 9", "max: 8"), "--admin", address)
    assert (done.exit_code, done.stderr) == (4, "")
    assert {path for path, _ in asked} == {"/config/outline"}
    assert b"open-sesame" not in inventory(old)


def test_a_gateway_of_another_release_causes_a_warning(old: Path) -> None:
    with admin(200, inventory(old, "0.0.1")) as (address, _):
        done = diff(old, OLD, "--admin", address)
    assert (done.exit_code, done.stderr.startswith("the gateway is release 0.0.1, and this is")) == (0, True)


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [(b"", 404, "answers 404"), (b"", 200, "no gateway"), (b"<html>\n", 200, "no gateway")],
)
def test_an_address_without_a_gateway_exits_with_1(old: Path, body: bytes, status: int, message: str) -> None:
    with admin(status, body) as (address, _):
        done = diff(old, OLD, "--admin", address)
    assert done.exit_code == 1
    assert message in done.stderr


def test_no_file_is_a_usage_error() -> None:
    assert CliRunner().invoke(main, ["diff"]).exit_code == 2
