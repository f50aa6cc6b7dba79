"""cli/requests/show.py: what happened to a request, at any gateway."""

import json
from typing import Any

from click.testing import CliRunner, Result

from gateway.cli import main
from tests.canned_admin import admin

ID = "6d84e126-d10c-4e52-bbfb-bd4c92bc8333"
RECORD = {
    "timestamp": "2026-11-30T02:00:00.000Z",
    "request_id": ID,
    "target": "10.0.0.1:80",
    "status": 503,
    "reason": "upstream_refused",
    "gateway": {"id": "g2", "host": "gw-2", "admin": "10.0.0.8:9901"},
}
LOST = {"id": "g3", "host": "gw-3", "admin": "", "reason": "it has announced no address"}


def page(*records: dict[str, Any], lost: tuple[dict[str, str], ...] = ()) -> bytes:
    return json.dumps({"request_id": ID, "records": records, "not_answered": lost}).encode()


def show(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["requests", "show", *arguments])


def test_a_request_is_shown_with_its_gateway() -> None:
    with admin(200, page(RECORD)) as (address, asked):
        done = show(ID.upper(), "--admin", address)
    assert done.exit_code == 0
    assert done.stdout == (
        "timestamp  2026-11-30T02:00:00.000Z\n"
        "status     503\n"
        "reason     upstream_refused\n"
        "target     10.0.0.1:80\n"
        "gateway    gw-2 (10.0.0.8:9901)\n"
    )
    assert [path for path, _ in asked] == [f"/requests/{ID}"]


def test_what_several_gateways_say_of_one_request_is_said_once() -> None:
    other = {**RECORD, "gateway": {"id": "g4", "host": "gw-4", "admin": ""}}
    seen = {**RECORD, "gateway": {"id": "g2", "host": "gw-2", "admin": "10.0.0.9:9901"}}
    with admin(200, page(RECORD, lost=(LOST,))) as (one, _), admin(200, page(seen, other, lost=(LOST,))) as (two, _):
        done = show(ID, "--admin", one, "--admin", two, "--output", "json")
        text = show(ID, "--admin", one, "--admin", two)
    found = json.loads(done.stdout)
    assert [each["gateway"]["id"] for each in found["records"]] == ["g2", "g4"]
    assert found["not_answered"] == ["gw-3 (no address): it has announced no address"]
    assert text.stderr == "not asked: gw-3 (no address): it has announced no address\n"
    assert "gateway    gw-4 (g4)" in text.stdout


def test_a_request_that_nobody_knows_exits_with_1() -> None:
    with admin(200, page()) as (address, _):
        done = show(ID, "--admin", address)
    assert done.exit_code == 1
    assert done.stdout.startswith("nobody knows this requestId")


def test_something_else_than_a_request_id_is_a_usage_error() -> None:
    done = show("gw_live_secret")
    assert done.exit_code == 2
    assert "a requestId is 36 characters" in done.stderr
