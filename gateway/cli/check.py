"""The command `gateway check`."""

import json
import sys
from pathlib import Path

import click

from gateway.settings import ConfigError, as_commands, as_data, as_text, load_with_warnings
from gateway.settings.document.includes import STANDARD_INPUT


@click.command()
@click.option(
    "-c",
    "--config",
    "file",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="The configuration; - for standard input.",
)
@click.option(
    "--output",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="For people, for programs, or as annotations of a pull request.",
)
def command(file: Path, output: str) -> None:
    """Say everything that is wrong with a configuration file.

    Reads it as `gateway run` does, environment and included files too, and starts nothing. Warnings are told, and leave
    the exit code 0.
    """
    try:
        config, warnings = load_with_warnings(
            file, content=sys.stdin.buffer.read() if str(file) == STANDARD_INPUT else None
        )
    except ConfigError as error:
        if output == "json":
            click.echo(error.json())
        elif output == "github":
            click.echo(error.github())
        else:
            click.echo(error.text(color=sys.stdout.isatty()))
        sys.exit(1)
    if output == "json":
        click.echo(json.dumps({"problems": [], "warnings": as_data(warnings)} if warnings else {"problems": []}))
    elif output == "github":
        click.echo(as_commands(warnings), nl=bool(warnings))
    else:
        if warnings:
            click.echo(as_text(warnings, color=sys.stdout.isatty()))
        counted = {"route": len(config.routes), "upstream": len(config.upstreams), "key": len(config.keys)}
        counts = [f"{number} {noun}{'' if number == 1 else 's'}" for noun, number in counted.items()]
        if config.key_store is not None:
            counts[-1] = f"keys in {config.key_store.store}"
        click.echo(f"{file}: fine: {', '.join(counts)}")
