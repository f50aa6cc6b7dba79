"""cli/errors/catalogue.py: the catalogue of errors."""

import json

import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.kernel.faults import CATALOGUE


def test_every_fault_is_listed() -> None:
    shown = CliRunner().invoke(main, ["errors"]).stdout.splitlines()
    assert [line.split()[0] for line in shown[1:]] == list(CATALOGUE)


@pytest.mark.parametrize("output", ["text", "markdown", "json"])
def test_every_output_says_what_to_do(output: str) -> None:
    shown = CliRunner().invoke(main, ["errors", "--output", output]).stdout
    assert "Send your API key in the X-Api-Key header field." in shown


def test_json_is_for_programs() -> None:
    (row,) = (
        row
        for row in json.loads(CliRunner().invoke(main, ["errors", "--output", "json"]).stdout)
        if row["name"] == "rate_limited"
    )
    assert (row["status"], row["code"]) == (429, 8000)


def test_numbers_are_numbers_for_programs() -> None:
    found = json.loads(CliRunner().invoke(main, ["errors", "--output", "json"]).stdout)
    assert found[0] == {
        "name": "malformed_request",
        "status": 400,
        "code": 1001,
        "source": "client",
        "message": "Parameter not valid",
        "developer_message": CATALOGUE["malformed_request"].developer_message,
    }
    assert len(found) == len(CATALOGUE)
