"""cli/admin_client.py: requests to the admin listener, and what goes wrong with them."""

import json

import click
import pytest

from gateway.cli.admin_client import exit_with_errors, request, with_fleet
from tests.canned_admin import admin


def test_a_request_goes_to_the_path_with_the_token() -> None:
    with admin(200, b"{}") as (address, requests):
        assert request(address, "GET", "/readyz", 5.0, option="--admin", token="sesame") == (200, b"{}")
        assert request(f"http://{address}/other", "GET", "/readyz", 5.0, option="--admin") == (200, b"{}")
    assert requests == [("/readyz", "Bearer sesame"), ("/other", None)]


@pytest.mark.parametrize("address", ["https://127.0.0.1:1", "http://", "127.0.0.1:port"])
def test_a_malformed_address_is_a_usage_error(address: str) -> None:
    with pytest.raises(click.BadParameter, match="host:port"):
        request(address, "GET", "/readyz", 5.0, option="--admin")


def test_an_address_without_a_gateway_is_reported() -> None:
    with pytest.raises(click.ClickException, match=r"no gateway answers at 127\.0\.0\.1:1: .*--admin"):
        request("127.0.0.1:1", "GET", "/readyz", 5.0, option="--admin")


@pytest.mark.parametrize(
    ("status", "body", "printed"),
    [
        (422, b'{"problems": ["a", "b"]}', "a\nb\n"),
        (403, b'{"error": "no"}', "no\n"),
        (401, b'{"error": "no"}', "no\nsay it with --token, or in GATEWAY_ADMIN_TOKEN\n"),
        (500, b"<html>", "the gateway at a:1 answers 500\n"),
        (500, b"[]", "the gateway at a:1 answers 500\n"),
    ],
)
def test_errors_are_printed_and_exit_with_1(
    status: int, body: bytes, printed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        exit_with_errors("a:1", status, body)
    assert (ended.value.code, capsys.readouterr().err) == (1, printed)


def test_a_fleet_is_as_its_gateways_know_it(capsys: pytest.CaptureFixture[str]) -> None:
    page = {
        "gateways": [
            {"id": "a", "host": "gw-1", "admin": "10.0.0.1:9901", "is_self": True},
            {"id": "b", "host": "gw-2", "admin": "10.0.0.2:9901", "is_self": False},
            {"id": "c", "host": "gw-3", "admin": "", "is_self": False},
        ]
    }
    with admin(200, json.dumps(page).encode()) as (address, asked):
        assert with_fleet([address, "127.0.0.1:1"], fleet=True) == (address, "10.0.0.2:9901")
        assert with_fleet([address, "x:1"], fleet=False) == (address, "x:1")
    assert asked == [("/fleet", None)]
    printed = capsys.readouterr().err
    assert printed.startswith("not asked: gw-3 has announced no address\nnot asked: 127.0.0.1:1: no gateway answers")
