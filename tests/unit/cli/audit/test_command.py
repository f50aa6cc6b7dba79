import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.audit.records import record_of
from gateway.audit.redis_stream import write_records
from gateway.cli import main
from tests.audited import AT_S, entry
from tests.canned_admin import admin
from tests.redis_server import RedisProcess, free_port
from tests.unit.cli.stored import PREAMBLE, configuration

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


def test_the_redis_of_a_file_is_read(tmp_path: Path, module_redis: RedisProcess) -> None:
    file = configuration(tmp_path, module_redis)
    write_records(module_redis.url, "gw", [record_of(entry(), "7", AT_S, None)])
    page = json.loads(audit("-c", str(file), "--action", "keys.*", "--output", "json").stdout)
    assert (page["scope"], [record["id"] for record in page["records"]]) == ("fleet", ["7"])
    assert "keys.disable" in audit("-c", str(file)).stdout
    refused = audit("-c", str(file), "--limit", "x")
    assert (refused.exit_code, "limit: write a number" in refused.stderr) == (2, True)


def test_a_file_without_redis_or_with_one_that_is_away(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(PREAMBLE)
    assert "has no Redis" in audit("-c", str(file)).stderr
    file.write_text(PREAMBLE + f'redis: {{url: "redis://127.0.0.1:{free_port()}"}}\n')
    refused = audit("-c", str(file))
    assert (refused.exit_code, refused.stderr.startswith("Error: Redis: refused")) == (1, True)
