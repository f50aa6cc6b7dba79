"""cli/keys/update.py: what a key in Redis may do is changed, and nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.redis_server import RedisProcess
from tests.unit.cli.stored import configuration, done, keys


@pytest.fixture
def file(tmp_path: Path, redis_server: RedisProcess) -> Path:
    found = configuration(tmp_path, redis_server)
    done(keys(found, "create", "--id", "a", "--organization", "acme", "--route", "orders.*", "--method", "GET"))
    return found


def shown(file: Path) -> dict[str, Any]:
    return dict(json.loads(done(keys(file, "show", "a", "--output", "json"))))


def test_what_is_not_named_stays(file: Path) -> None:
    before = shown(file)
    printed = done(
        keys(
            file, "update", "a", "--plan", "gold", "--add-method", "POST", "--expires", "2099-01-01T00:00:00Z", "--yes"
        )
    )
    assert printed.endswith("That is so for `a` at every gateway within a second.\n")
    assert shown(file) == before | {"plan": "gold", "methods": ["GET", "POST"], "expires": "2099-01-01T00:00:00Z"}
    done(keys(file, "update", "a", "--expires", "never", "--remove-method", "GET", "--yes"))
    assert shown(file) == before | {"plan": "gold", "methods": ["POST"]}


def test_a_key_is_bound_to_addresses_and_pages(file: Path) -> None:
    before = shown(file)
    added = ("--add-allow", "10.0.0.0/8", "--add-deny", "10.1.0.0/16", "--add-referrer", "https://shop.example.com")
    assert keys(file, "update", "a", *added).exit_code == 1  # calls from elsewhere may be refused
    done(keys(file, "update", "a", *added, "--yes"))
    bound = {"allow": ["10.0.0.0/8"], "deny": ["10.1.0.0/16"], "referrers": ["https://shop.example.com"]}
    assert shown(file) == before | bound
    removed = (argument.replace("--add", "--remove") for argument in added)
    assert "widening" in done(keys(file, "update", "a", *removed))
    assert shown(file) == before


def test_what_changes_is_said_in_the_words_of_diff(file: Path) -> None:
    printed = done(keys(file, "update", "a", "--add-method", "POST"))
    assert printed.splitlines()[0] == "widening"
    assert "POST" in printed


def test_nobody_who_loses_something_is_surprised(file: Path) -> None:
    before = shown(file)
    refused = keys(file, "update", "a", "--expires", "2020-01-01T00:00:00Z")
    assert refused.exit_code == 1
    assert "breaking" in refused.stdout
    assert "nothing was changed; with --yes nobody is asked" in refused.stderr
    assert shown(file) == before
    done(keys(file, "update", "a", "--expires", "2020-01-01T00:00:00Z", typed="y\n"))
    assert shown(file)["state"] == "expired"


def test_a_dry_run_changes_nothing(file: Path) -> None:
    before = shown(file)
    printed = done(keys(file, "update", "a", "--plan", "gold", "--dry-run"))
    assert "gold" in printed
    assert shown(file) == before


def test_for_programs(file: Path) -> None:
    content = json.loads(done(keys(file, "update", "a", "--add-method", "POST", "--output", "json")))
    assert (content["id"], content["changed"]) == ("a", True)
    assert {change["effect"] for change in content["changes"]} == {"widening"}
    again = json.loads(done(keys(file, "update", "a", "--add-method", "POST", "--output", "json")))
    assert again == {"id": "a", "changed": False, "changes": []}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to change"),
        (["--plan", "silver"], "silver"),
        (["--expires", "soon"], "expires"),
        (["--add-allow", "ten"], "allow[0]"),
        (["--remove-deny", "10.0.0.0/8"], "the key has none"),
        (["--remove-route", "users"], "the key has orders.*"),
        (["--remove-route", "orders.*"], "would be left without any"),
        (["--remove-organization", "other"], "the key has acme"),
        (["--add-organization", "other"], "other"),
    ],
)
def test_what_makes_no_sense_is_refused(file: Path, arguments: list[str], message: str) -> None:
    before = shown(file)
    refused = keys(file, "update", "a", *arguments)
    assert refused.exit_code == 2
    assert message in refused.stderr
    assert shown(file) == before


def test_a_key_that_may_use_everything_gains_nothing(file: Path) -> None:
    done(keys(file, "create", "--id", "b"))
    refused = keys(file, "update", "b", "--add-route", "orders.all")
    assert (refused.exit_code, "may use every route already" in refused.stderr) == (2, True)
    assert "the key has all, which is no list" in keys(file, "update", "b", "--remove-route", "orders.all").stderr
    assert "the key has none" in keys(file, "update", "b", "--remove-organization", "acme").stderr


def test_there_has_to_be_such_a_key(file: Path) -> None:
    refused = keys(file, "update", "nobody", "--plan", "gold")
    assert (refused.exit_code, "there is no key `nobody`" in refused.stderr) == (1, True)
