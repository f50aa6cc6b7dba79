"""cli/keys/commands.py: what one sees and does of the keys in Redis."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.key_management import secret
from gateway.keystore.records import KeyNames
from tests.redis_server import RedisProcess
from tests.unit.cli.stored import configuration, done, keys, secret_in

NAMES = KeyNames.of("gw")


@pytest.fixture
def file(tmp_path: Path, redis_server: RedisProcess) -> Path:
    return configuration(tmp_path, redis_server)


def proofs(redis_server: RedisProcess) -> dict[str, dict[str, object]]:
    return {proof.decode(): json.loads(entry) for proof, entry in redis_server.ask("HGETALL", NAMES.proofs).items()}


def shown(file: Path, key_id: str) -> dict[str, Any]:
    return dict(json.loads(done(keys(file, "show", key_id, "--output", "json"))))


def test_keys_are_listed_without_secrets(file: Path, redis_server: RedisProcess) -> None:
    made = secret_in(done(keys(file, "create", "--id", "b", "--organization", "acme", "--plan", "gold")))
    done(keys(file, "create", "--id", "a", "--expires", "2020-01-01T00:00:00Z"))
    redis_server.ask("HSET", NAMES.used, "b", "1700000000")
    listed = done(keys(file, "list"))
    header, first, second = [line.split() for line in listed.splitlines()]
    assert header == ["ID", "STATE", "ORGANIZATIONS", "PLAN", "CREATED", "LAST", "USED"]
    assert (first[:4], first[-1]) == (["a", "expired", "-", "standard"], "-")
    assert (second[:4], second[-1]) == (["b", "valid", "acme", "gold"], "2023-11-14T22:13:20Z")
    assert made not in listed
    for_programs = json.loads(done(keys(file, "list", "--output", "json")))["keys"]
    assert [(key["id"], key["state"], key["last_used"]) for key in for_programs] == [
        ("a", "expired", None),
        ("b", "valid", "2023-11-14T22:13:20Z"),
    ]


def test_one_key_is_shown(file: Path) -> None:
    made = secret_in(
        done(keys(file, "create", "--id", "a", "--route", "orders.*", "--method", "GET", "--method", "POST"))
    )
    lines = dict(line.split(": ", 1) for line in done(keys(file, "show", "a")).splitlines())
    assert (lines["routes"], lines["methods"], lines["rotated"], lines["last used"]) == (
        "orders.*",
        "GET, POST",
        "-",
        "-",
    )
    assert lines["secrets"] == f"sha256 {secret.digest(made)}"
    assert shown(file, "a")["secrets"] == [{"sha256": secret.digest(made), "until": None}]


def test_limits_of_its_own_are_shown(file: Path) -> None:
    entry = {
        "id": "a",
        "secret_sha256": "a" * 64,
        "limits": [{"id": "minute", "max": 7, "per": "1m"}, {"id": "day", "max": 9, "per": "1d"}],
    }
    done(keys(file, "import", "-", typed=json.dumps(entry)))
    assert "limits: id minute max 7 per 1m, id day max 9 per 1d" in done(keys(file, "show", "a"))


def test_where_nobody_answers_nothing_is_changed(file: Path) -> None:
    done(keys(file, "create", "--id", "a"))
    refused = keys(file, "delete", "a")
    assert (refused.exit_code, refused.stderr.endswith("Error: nothing was changed; with --yes nobody is asked\n")) == (
        1,
        True,
    )
    assert shown(file, "a")["state"] == "valid"


def test_a_disabled_key_is_shown_as_disabled_until_it_is_enabled(file: Path, redis_server: RedisProcess) -> None:
    done(keys(file, "create", "--id", "a"))
    done(keys(file, "disable", "a", "--yes"))
    assert (shown(file, "a")["state"], [entry["disabled"] for entry in proofs(redis_server).values()]) == (
        "disabled",
        [True],
    )
    done(keys(file, "enable", "a"))
    assert (shown(file, "a")["state"], [entry["disabled"] for entry in proofs(redis_server).values()]) == (
        "valid",
        [False],
    )


def test_a_rotated_key_has_two_secrets_for_a_while(file: Path, redis_server: RedisProcess) -> None:
    old = secret.digest(secret_in(done(keys(file, "create", "--id", "a"))))
    printed = done(keys(file, "rotate", "a", "--overlap", "2h"))
    new = secret.digest(secret_in(printed))
    first, second = shown(file, "a")["secrets"]
    assert (first, second["sha256"]) == ({"sha256": new, "until": None}, old)
    assert f"valid until {second['until']}." in printed
    assert {proof: entry.get("expires") for proof, entry in proofs(redis_server).items()} == {
        new: None,
        old: second["until"],
    }
    newest = secret.digest(secret_in(done(keys(file, "rotate", "a", "--overlap", "3h"))))
    until = {each["sha256"]: each["until"] for each in shown(file, "a")["secrets"]}
    assert (list(until), until[old]) == ([newest, new, old], second["until"])  # nobody's time grows
    assert until[new] > until[old]
    last = secret.digest(secret_in(done(keys(file, "rotate", "a", "--overlap", "0s", "--yes"))))
    assert list(proofs(redis_server)) == [last]


def test_an_overlap_is_never_shorter_than_requested(file: Path, redis_server: RedisProcess) -> None:
    done(keys(file, "create", "--id", "a"))
    for _ in range(3):
        seconds, micros = redis_server.ask("TIME")
        done(keys(file, "rotate", "a", "--overlap", "2s"))
        until = datetime.fromisoformat(shown(file, "a")["secrets"][1]["until"]).timestamp()
        assert until >= int(seconds) + int(micros) / 1e6 + 2


def test_a_deleted_key_is_gone(file: Path, redis_server: RedisProcess) -> None:
    done(keys(file, "create", "--id", "a"))
    done(keys(file, "delete", "a", "--yes"))
    assert (proofs(redis_server), redis_server.ask("EXISTS", NAMES.ids)) == ({}, 0)


def test_changes_are_reported_to_programs_and_may_be_quiet(file: Path) -> None:
    done(keys(file, "create", "--id", "a"))
    for command, reported in (
        (("disable", "a", "--yes"), {"id": "a", "disabled": True}),
        (("enable", "a"), {"id": "a", "disabled": False}),
        (("delete", "a", "--yes"), {"id": "a", "deleted": True}),
    ):
        assert json.loads(done(keys(file, *command, "--output", "json"))) == reported
    done(keys(file, "create", "--id", "a"))
    assert done(keys(file, "disable", "a", "--yes", "--quiet")) == ""


@pytest.mark.parametrize("arguments", [("delete", "a"), ("disable", "a"), ("rotate", "a", "--overlap", "0s")])
def test_irreversible_commands_ask_for_confirmation(
    file: Path, redis_server: RedisProcess, arguments: tuple[str, ...]
) -> None:
    done(keys(file, "create", "--id", "a"))
    before = proofs(redis_server)
    asked = keys(file, *arguments, typed="n\n")
    assert (asked.exit_code, asked.stdout) == (1, "")
    assert "`a`" in asked.stderr
    assert proofs(redis_server) == before
    done(keys(file, *arguments, typed="y\n"))
    assert proofs(redis_server) != before


@pytest.mark.parametrize("command", ["show", "rotate", "disable", "enable", "delete"])
def test_a_key_that_there_is_not_is_1(file: Path, command: str) -> None:
    refused = keys(file, command, "nobody", *(["--yes"] if command in ("disable", "delete") else []))
    assert (refused.exit_code, refused.stderr) == (1, "Error: there is no key `nobody`\n")


def test_a_duration_that_is_none_is_a_usage_error(file: Path) -> None:
    refused = keys(file, "rotate", "a", "--overlap", "soon")
    assert refused.exit_code == 2
    assert "--overlap" in refused.stderr


def test_a_new_secret_is_for_programs(file: Path) -> None:
    done(keys(file, "create", "--id", "a"))
    found = json.loads(done(keys(file, "rotate", "a", "--output", "json")))
    assert (found["id"], found["secret"][:3]) == ("a", "gw_")
    assert found["old_valid_until"] == shown(file, "a")["secrets"][1]["until"]
