"""cli/explain/ask.py: what a running gateway is asked, and what becomes of its answer."""

import asyncio

import click
import msgspec
import pytest

from gateway.cli.explain.ask import ask_gateway
from gateway.dry_run.explanation import explain
from gateway.dry_run.request import DryRequest
from tests.canned_admin import admin
from tests.dry_runs import dry_run

REQUEST = DryRequest(method="GET", target="/v1/pets", key_id="acme-ci", headers=(("A", "b c"),), client="10.0.0.1")


def test_the_explanation_is_that_of_the_gateway() -> None:
    async def made() -> bytes:
        return msgspec.json.encode(await explain(dry_run(), REQUEST))

    body = asyncio.run(made())
    with admin(200, body) as (address, asked):
        found = ask_gateway(address, REQUEST)
    assert msgspec.json.encode(found) == body
    assert asked == [("/explain?method=GET&target=%2Fv1%2Fpets&key=acme-ci&client=10.0.0.1&header=A%3A+b+c", None)]


def test_a_key_that_there_is_not() -> None:
    with admin(404, b'{"error": "there is no key of this id"}') as (address, _):
        assert ask_gateway(address, REQUEST) is None


def test_what_the_gateway_refuses_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with admin(503, b'{"error": "no worker answers"}') as (address, _), pytest.raises(SystemExit) as ended:
        ask_gateway(address, REQUEST)
    assert ended.value.code == 1
    assert "no worker answers" in capsys.readouterr().err


def test_what_answers_may_be_no_gateway() -> None:
    with admin(200, b"{}") as (address, _), pytest.raises(click.ClickException, match="no gateway, or one of another"):
        ask_gateway(address, REQUEST)
