import click
import pytest
from click.testing import CliRunner

from gateway import __version__
from gateway.cli import SUMMARIES, Commands, main


def test_the_version_is_that_of_the_package() -> None:
    assert CliRunner().invoke(main, ["--version"]).stdout == f"gateway {__version__}\n"


def test_help_lists_every_command_in_order() -> None:
    shown = CliRunner().invoke(main, ["--help"]).stdout
    positions = [shown.index(f"  {name} ") for name in SUMMARIES]
    assert positions == sorted(positions)


@pytest.mark.parametrize("name", SUMMARIES)
def test_the_help_of_a_command_matches_the_list(name: str) -> None:
    done = CliRunner().invoke(main, [name, "--help"])
    assert done.exit_code == 0
    assert SUMMARIES[name] in " ".join(done.stdout.split())


def test_a_misspelt_command_is_a_usage_error_with_a_suggestion() -> None:
    done = CliRunner().invoke(main, ["chekc"])
    assert done.exit_code == 2
    assert "Did you mean 'check'?" in done.stderr


def test_an_unknown_command_is_a_usage_error() -> None:
    done = CliRunner().invoke(main, ["xyz"])
    assert done.exit_code == 2
    assert "No such command 'xyz'" in done.stderr


def test_commands_are_listed_and_completed_without_their_import() -> None:
    context = click.Context(main)
    assert isinstance(main, Commands)
    assert main.list_commands(context) == list(SUMMARIES)
    assert [item.value for item in main.shell_complete(context, "ch")] == ["check"]
