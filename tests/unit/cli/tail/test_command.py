"""cli/tail/command.py: access lines of one gateway or of several, for people and for programs."""

import json

from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.observe.access_log import AccessRecord
from gateway.observe.json_line import encoded
from tests.canned_admin import admin

RECORD = AccessRecord(
    "2026-11-30T02:00:00.123Z", "info", "the-id", "GET", "orders", 503, total_ms=12.3, path="/v1/\x1b", key_id="acme-ci"
)
LINES = b'{"event":"following","all_workers":true}\n' + encoded(RECORD) + b'\n{"event":"lost","lines":3}\n'


def tail(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["tail", *arguments])


def test_lines_are_printed_for_people() -> None:
    with admin(200, LINES) as (address, asked):
        done = tail("--admin", address, "--limit", "2", "--status", "5xx", "--route", "orders", "--token", "sesame")
    assert (done.exit_code, done.stdout.splitlines()) == (
        0,
        [
            "02:00:00.123 503 GET /v1/\\x1b 12.3 ms route=orders key=acme-ci id=the-id",
            "… 3 lines were left out: they came faster than they were read",
        ],
    )
    assert asked[0] == ("/tail?status=5xx&route=orders", "Bearer sesame")


def test_lines_are_printed_for_programs() -> None:
    with admin(200, LINES) as (address, _):
        done = tail("--admin", address, "--limit", "2", "--output", "json")
    first, second = map(json.loads, done.stdout.splitlines())
    assert (first["http.route"], first["gateway.duration.total_ms"], "gateway" in first) == ("orders", 12.3, False)
    assert second == {"event": "lost", "lines": 3}


def test_lines_of_several_gateways_have_their_address() -> None:
    with admin(200, LINES) as (one, _), admin(200, LINES) as (two, _):
        text = tail("--admin", one, "--admin", two, "--limit", "4")
        data = tail("--admin", one, "--admin", two, "--limit", "4", "--output", "json")
    assert {line.split()[0] for line in text.stdout.splitlines()} == {one, two}
    assert {json.loads(line)["gateway"] for line in data.stdout.splitlines()} == {one, two}


def test_a_refusal_ends_it() -> None:
    with admin(401, b'{"error": "this asks for the token"}') as (address, _):
        done = tail("--admin", address)
    assert done.exit_code == 1
    assert done.stderr == f"{address}: this asks for the token\nsay it with --token, or in GATEWAY_ADMIN_TOKEN\n"


def test_where_no_gateway_is_it_ends() -> None:
    done = tail("--admin", "127.0.0.1:1", "--admin", "127.0.0.1:2")
    assert done.exit_code == 1
    assert sorted(line.partition(": no gateway answers: ")[0] for line in done.stderr.splitlines()) == [
        "127.0.0.1:1",
        "127.0.0.1:2",
    ]
