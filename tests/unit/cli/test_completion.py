import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from gateway.cli import SUMMARIES, main


@pytest.mark.parametrize(
    ("shell", "mark"), [("bash", "complete -o nosort -F"), ("zsh", "#compdef gateway"), ("fish", "complete --no-files")]
)
def test_each_shell_has_its_script(shell: str, mark: str) -> None:
    assert mark in CliRunner().invoke(main, ["completion", shell]).stdout


def completions(*arguments: str) -> list[str]:
    *before, incomplete = arguments
    return [
        item.value
        for item in ShellComplete(main, {}, "gateway", "_GATEWAY_COMPLETE").get_completions(list(before), incomplete)
    ]


def test_commands_are_completed() -> None:
    assert completions("ch") == ["check"]
    assert completions("") == list(SUMMARIES)


def test_options_are_completed() -> None:
    assert completions("errors", "--o") == ["--output"]
    assert completions("--ver") == ["--version"]
