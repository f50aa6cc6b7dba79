import json

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from tests.canned_admin import admin


def maintenance(*arguments: str) -> Result:
    environment = {"GATEWAY_ADMIN": None, "GATEWAY_ADMIN_TOKEN": None}
    return CliRunner(env=environment).invoke(main, ["maintenance", *arguments])


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        ((), ("/maintenance", None)),
        (("show",), ("/maintenance", None)),
        (("off", "--token", "sesame"), ("/maintenance/switch?off=", "Bearer sesame")),
        (("on", "--token", "sesame"), ("/maintenance/switch?", "Bearer sesame")),
        (
            ("on", "--token", "sesame", "--message", "Back at 9", "--retry-after", "5m"),
            ("/maintenance/switch?message=Back+at+9&retry_after=5m", "Bearer sesame"),
        ),
    ],
)
def test_it_is_shown_and_switched(arguments: tuple[str, ...], asked: tuple[str, str | None]) -> None:
    with admin(200, b'{"maintenance": "on", "message": "Back at 9"}') as (address, found):
        done = maintenance(*arguments, "--admin", address)
    assert (done.exit_code, done.stdout) == (0, "maintenance: on\nmessage: Back at 9\n")
    assert found == [asked]


def test_what_the_gateway_refuses_is_printed() -> None:
    with admin(403, b'{"error": "no change is allowed"}') as (address, _):
        done = maintenance("on", "--admin", address)
    assert (done.exit_code, done.stderr) == (1, "no change is allowed\n")


def test_programs_get_json_and_switching_may_be_quiet() -> None:
    with admin(200, b'{"maintenance": "on", "message": "Back at 9"}') as (address, _):
        data = maintenance("on", "--admin", address, "--output", "json")
        quiet = maintenance("on", "--admin", address, "--quiet")
        shown = maintenance("show", "--admin", address, "--quiet")
    assert json.loads(data.stdout) == {"maintenance": "on", "message": "Back at 9"}
    assert (quiet.exit_code, quiet.output) == (0, "")
    assert shown.stdout == "maintenance: on\nmessage: Back at 9\n"


def test_options_go_with_on() -> None:
    assert maintenance("off", "--message", "x").exit_code == 2
