import json

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from tests.canned_admin import admin

RECORD = {
    "id": "1",
    "at": "2027-01-15T08:00:00.000Z",
    "who": "alice",
    "from": "laptop",
    "action": "reload",
    "object": "configuration",
    "outcome": "refused",
    "after": {"problems": ["x" * 100], "number": 1},
}


def audit(*arguments: str) -> Result:
    return CliRunner(env={"GATEWAY_ADMIN": None, "GATEWAY_ADMIN_TOKEN": None}).invoke(main, ["audit", *arguments])


def test_changes_are_a_table() -> None:
    body = {"scope": "fleet", "records": [RECORD, {**RECORD, "outcome": "done", "before": "x"}]}
    with admin(200, json.dumps(body).encode()) as (address, asked):
        done = audit("--admin", address)
    assert asked == [("/audit", None)]
    header, first, second = done.stdout.splitlines()
    assert header.split() == ["TIME", "WHO", "FROM", "ACTION", "OBJECT", "BEFORE", "AFTER"]
    assert first.startswith("2027-01-15T08:00:00.000Z  alice  laptop  reload (refused)  configuration  -")
    assert first.endswith("x…")
    assert "reload            configuration  x" in second


def test_filters_are_passed_on_and_programs_get_json() -> None:
    body = {"scope": "gateway", "problem": "Redis: refused", "records": []}
    with admin(200, json.dumps(body).encode()) as (address, asked):
        arguments = ("--since", "24h", "--object", "acme-*", "--action", "keys.*", "--limit", "5")
        done = audit("--admin", address, *arguments, "--output", "json")
        shown = audit("--admin", address)
    assert asked[0] == ("/audit?since=24h&object=acme-%2A&action=keys.%2A&limit=5", None)
    assert json.loads(done.stdout) == body
    assert (shown.stdout, shown.stderr) == ("no changes\n", "only the changes of this gateway: Redis: refused\n")


def test_what_the_gateway_refuses_is_printed() -> None:
    with admin(400, b'{"error": "limit: no"}') as (address, _):
        done = audit("--admin", address, "--limit", "x")
    assert (done.exit_code, done.stderr) == (1, "limit: no\n")


@pytest.mark.parametrize("arguments", [("--limit",), ("--nonsense", "x")])
def test_usage(arguments: tuple[str, ...]) -> None:
    assert audit(*arguments).exit_code == 2
