"""cli/errors/recent.py: the last errors of one gateway, or of several."""

import json

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from tests.canned_admin import admin


def page(*records: tuple[str, int, str]) -> bytes:
    return json.dumps(
        {
            "errors": [
                {"timestamp": at, "status": status, "reason": reason, "code": 8000} for at, status, reason in records
            ]
        }
    ).encode()


def recent(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["errors", "recent", *arguments])


def test_errors_are_listed_as_they_are_asked_for() -> None:
    with admin(200, page(("2026-11-30T02:00:00.000Z", 429, "rate_limited\x1b"))) as (address, asked):
        shown = recent("--admin", address, "--code", "8000", "--key", "acme-ci", "--limit", "5")
        head, row = shown.stdout.splitlines()
        assert recent("--admin", address, "--source", "gateway", "--status", "5xx", "--route", "a b").exit_code == 0
    assert head.split() == ["TIME", "STATUS", "CODE", "REASON", "SOURCE", "ROUTE", "KEY", "REQUEST", "ID"]
    assert row.split() == ["2026-11-30T02:00:00.000Z", "429", "8000", "rate_limited\\x1b", "-", "-", "-", "-"]
    assert [path for path, _ in asked] == [
        "/errors?code=8000&key=acme-ci&limit=5",
        "/errors?source=gateway&status=5xx&route=a+b&limit=50",
    ]


def test_errors_of_several_gateways_are_one_list() -> None:
    first = page(("2026-11-30T02:00:03.000Z", 429, "c"), ("2026-11-30T02:00:01.000Z", 429, "a"))
    with admin(200, first) as (one, _), admin(200, page(("2026-11-30T02:00:02.000Z", 503, "b"))) as (two, _):
        done = recent("--admin", one, "--admin", two, "--admin", "127.0.0.1:1", "--output", "json", "--limit", "2")
        text = recent("--admin", one, "--admin", two, "--admin", "127.0.0.1:1")
    found = json.loads(done.stdout)
    assert [(each["reason"], each["gateway"], each["status"]) for each in found["errors"]] == [
        ("c", one, 429),
        ("b", two, 503),
    ]
    assert found["not_answered"][0].startswith("127.0.0.1:1: no gateway answers at 127.0.0.1:1")
    assert [line.split()[-1] for line in text.stdout.splitlines()] == ["GATEWAY", one, two, one]
    assert text.stderr.startswith("not asked: 127.0.0.1:1: ")


def test_no_errors_are_no_errors() -> None:
    with admin(200, page()) as (address, _):
        assert recent("--admin", address).stdout == "no errors\n"


@pytest.mark.parametrize(
    ("status", "body", "printed"),
    [
        (400, b'{"error": "`code` is a number such as 8000"}', "`code` is a number such as 8000\n"),
        (200, b"{}", "what answers there is no gateway of this release\n"),
        (200, b"<html>", "what answers there is no gateway of this release\n"),
        (500, b"{}", "500\n"),
    ],
)
def test_a_refusal_is_printed(status: int, body: bytes, printed: str) -> None:
    with admin(status, body) as (address, _):
        done = recent("--admin", address)
    assert (done.exit_code, done.stdout, done.stderr) == (1, "", printed)


def test_a_malformed_address_is_a_usage_error() -> None:
    done = recent("--admin", "https://h:1")
    assert done.exit_code == 2
    assert "write host:port" in done.stderr
