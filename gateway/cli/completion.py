"""The command `gateway completion`."""

import click
from click.shell_completion import get_completion_class

from gateway.cli import main


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of a shell.

    For bash: eval "$(gateway completion bash)"
    """
    script = get_completion_class(shell)
    assert script is not None
    click.echo(script(main, {}, "gateway", "_GATEWAY_COMPLETE").source())
