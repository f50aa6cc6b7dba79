import json

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from tests.canned_admin import admin


def reload(*arguments: str, **environment: str) -> Result:
    return CliRunner(env={"GATEWAY_ADMIN": None, "GATEWAY_ADMIN_TOKEN": None, **environment}).invoke(
        main, ["reload", *arguments]
    )


def test_it_requests_a_reload_and_waits_only_with_wait() -> None:
    with admin(202, b'{"reload": "begun"}') as (address, asked):
        done = reload("--admin", address, "--token", "sesame")
    assert (done.exit_code, done.stdout) == (0, "reloading\n")
    assert asked == [("/reload", "Bearer sesame")]


def test_it_waits_and_the_environment_knows_the_rest() -> None:
    with admin(200, b'{"reload": "done"}') as (address, asked):
        done = reload("--wait", GATEWAY_ADMIN=address, GATEWAY_ADMIN_TOKEN="sesame")
    assert (done.exit_code, done.stdout) == (0, "reloaded\n")
    assert asked == [("/reload?wait", "Bearer sesame")]


def test_programs_get_json_and_others_nothing_if_they_like() -> None:
    with admin(200, b'{"reload": "done"}') as (address, _):
        done = reload("--wait", "--admin", address, "--output", "json")
        begun = reload("--admin", address, "--output", "json")
        quiet = reload("--wait", "--admin", address, "--quiet")
    assert json.loads(done.stdout) == {"reload": "done"}
    assert json.loads(begun.stdout) == {"reload": "begun"}
    assert (quiet.exit_code, quiet.output) == (0, "")


@pytest.mark.parametrize(
    ("status", "body", "printed"),
    [
        (
            422,
            b'{"reload": "refused", "problems": ["a.yaml:1:1: error: no", "a.yaml:2:1: error: no"]}',
            "a.yaml:1:1: error: no\na.yaml:2:1: error: no\n",
        ),
        (
            401,
            b'{"error": "this asks for the token"}',
            "this asks for the token\nsay it with --token, or in GATEWAY_ADMIN_TOKEN\n",
        ),
        (500, b"<html>", "answers 500\n"),
    ],
)
def test_a_refusal_is_printed_and_exits_with_1(status: int, body: bytes, printed: str) -> None:
    with admin(status, body) as (address, _):
        done = reload("--wait", "--admin", address)
    assert done.exit_code == 1
    assert done.stderr.endswith(printed)


def test_nobody_there_is_1() -> None:
    with admin(200, b"") as (address, _):
        pass
    done = reload("--admin", address)
    assert done.exit_code == 1
    assert (
        f"no gateway answers at {address}: Connection refused; say with --admin where its admin listener is"
        in done.stderr
    )
