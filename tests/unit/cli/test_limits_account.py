"""The commands `gateway limits show` and `gateway limits reset`."""

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from tests.canned_admin import admin


def limit(name: str, **more: Any) -> dict[str, Any]:
    about = {"id": name, "name": "Minute", "scope": "key", "max": 300, "per_seconds": 60.0, "guarantee": "burst"}
    return {**about, "burst": 300, "used": 5, "remaining": 295, "full_in_seconds": 0.98, **more}


ON_ROUTE = {
    "id": "orders",
    "cost": {"GET": 1, "DELETE": 5},
    "limits": [limit("route/orders/minute", methods=["DELETE"])],
}
WHO = {"store": "redis", "key": "acme-ci", "organization": "acme", "plan": "gold"}
ACCOUNT = {**WHO, "limits": [limit("minute")], "quotas": [], "routes": [ON_ROUTE]}


def quota(name: str, **more: Any) -> dict[str, Any]:
    about = {
        "id": name,
        "kind": "level",
        "code": 8004,
        "scope": "key",
        "max": 9,
        "used": 5,
        "remaining": 4,
        "opens_in_seconds": None,
    }
    return {**about, **more}


SECRET = "gw_0123456789abcdefghijklmnopqrstuvwxyzAB"


def limits(*arguments: str, **environment: str) -> Result:
    return CliRunner(env={"GATEWAY_ADMIN": None, "GATEWAY_ADMIN_TOKEN": None, **environment}).invoke(
        main, ["limits", *arguments]
    )


def test_what_a_key_has_is_a_table() -> None:
    with admin(200, json.dumps(ACCOUNT).encode()) as (address, asked):
        done = limits("show", "acme-ci", "--organization", "acme", "--admin", address)
    assert done.exit_code == 0
    who, header, own, on_route, cost = done.stdout.splitlines()
    assert who == "key acme-ci, organization acme, plan gold; counted by redis"
    assert header.split("  ")[0] == "LIMIT"
    assert own.split() == ["minute", "-", "key", "300", "1m", "burst", "5/300", "295", "1.0s"]
    assert on_route.split()[:2] == ["route/orders/minute", "DELETE"]
    assert cost == "a call costs on route orders: DELETE 5"
    assert asked == [("/limits?key=acme-ci&organization=acme", None)]


def test_quotas_are_another_table() -> None:
    month = quota("encodings", kind="count", per="month", opens_in_seconds=864_000.0, routes=["vod", "live"])
    quotas = [
        month,
        *(quota(f"q{opens_s}", opens_in_seconds=opens_s) for opens_s in (7200, 3600, 119)),
        quota("concurrency"),
    ]
    with admin(200, json.dumps({**ACCOUNT, "quotas": quotas}).encode()) as (address, _):
        header, *rows = limits("show", "acme-ci", "--admin", address).stdout.splitlines()[-6:]
    assert header.split() == ["QUOTA", "KIND", "SCOPE", "MAX", "PER", "USED", "LEFT", "OPENS", "IN", "ROUTES"]
    assert rows[0].split() == ["encodings", "count", "key", "9", "month", "5", "4", "10.0d", "vod,live"]
    assert [row.split()[4:] for row in rows[1:]] == [
        ["-", "5", "4", opens, "-"] for opens in ("2.0h", "60.0m", "119.0s", "-")
    ]


def test_a_key_may_have_no_limit_and_no_organisation() -> None:
    with admin(200, json.dumps({**ACCOUNT, "organization": None, "limits": [], "routes": []}).encode()) as (
        address,
        asked,
    ):
        done = limits("show", "a b", GATEWAY_ADMIN=address)
    assert done.stdout == "key acme-ci, plan gold; counted by redis\nno limits\n"
    assert asked == [("/limits?key=a+b", None)]


def test_json_output_is_the_reply_of_the_gateway() -> None:
    with admin(200, json.dumps(ACCOUNT).encode()) as (address, _):
        assert json.loads(limits("show", "acme-ci", "--admin", address, "--output", "json").stdout) == ACCOUNT


def test_a_reset_needs_the_token_and_lists_what_was_reset() -> None:
    printed = b'{"key": "acme-ci", "reset": ["minute", "day"]}'
    with admin(200, printed) as (address, asked):
        assert limits("reset", "acme-ci", "--admin", address, "--token", "sesame").stdout == "reset: minute, day\n"
        done = limits("reset", "acme-ci", "--admin", address, "--output", "json", GATEWAY_ADMIN_TOKEN="sesame")
    assert json.loads(done.stdout) == json.loads(printed)
    assert asked == [("/limits/reset?key=acme-ci", "Bearer sesame")] * 2


def test_a_quota_is_reset_when_it_is_named() -> None:
    with admin(200, b'{"key": "acme-ci", "reset": ["encodings"]}') as (address, asked):
        done = limits(
            "reset",
            "acme-ci",
            "--quota",
            "encodings",
            "--organization",
            "acme",
            "--admin",
            address,
            "--token",
            "sesame",
        )
    assert (done.exit_code, done.stdout) == (0, "reset: encodings\n")
    assert asked == [("/limits/reset?key=acme-ci&organization=acme&quota=encodings", "Bearer sesame")]


def test_a_reset_reports_a_key_without_its_own_limits() -> None:
    with admin(200, b'{"key": "acme-ci", "reset": []}') as (address, _):
        assert limits("reset", "acme-ci", "--admin", address).stdout == "reset: the key has no limits of its own\n"


@pytest.mark.parametrize("command", ["show", "reset"])
def test_a_refusal_is_printed_and_exits_with_1(command: str) -> None:
    with admin(404, b'{"error": "there is no key of this id"}') as (address, _):
        done = limits(command, "nobody", "--admin", address)
    assert (done.exit_code, done.stderr) == (1, "there is no key of this id\n")


@pytest.mark.parametrize("command", ["show", "reset"])
def test_a_secret_is_refused_sent_nowhere_and_not_repeated(command: str) -> None:
    with admin(200, b"{}") as (address, asked):
        done = limits(command, SECRET, "--admin", address)
    assert done.exit_code == 2
    assert "looks like the secret of a key" in done.stderr
    assert SECRET not in done.output
    assert asked == []


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"1", b'{"status": "ok"}'])
def test_an_address_without_a_gateway_is_reported(body: bytes) -> None:
    with admin(200, body) as (address, _):
        for command in ("show", "reset"):
            done = limits(command, "acme-ci", "--admin", address)
            assert (done.exit_code, done.stderr) == (1, f"Error: what answers at {address} is no gateway\n")
