"""The command `gateway errors`: the catalogue."""

import json

import click

from gateway.cli.tables import aligned, markdown
from gateway.kernel.faults import CATALOGUE

HEADER = ("name", "status", "code", "who has to act", "developerMessage")


def rows() -> list[tuple[str, ...]]:
    """Return the rows of the catalogue, with the columns of `HEADER`."""
    return [
        (fault.name, str(fault.status), str(fault.code), fault.source, fault.developer_message)
        for fault in CATALOGUE.values()
    ]


def described() -> list[dict[str, str | int]]:
    """Return the rows of the catalogue for programs. `source` is who has to act."""
    return [
        {
            "name": fault.name,
            "status": fault.status,
            "code": fault.code,
            "source": fault.source,
            "message": fault.message,
            "developer_message": fault.developer_message,
        }
        for fault in CATALOGUE.values()
    ]


@click.group(invoke_without_command=True)
@click.option("--output", type=click.Choice(["text", "markdown", "json"]), default="text", show_default=True)
@click.pass_context
def command(context: click.Context, output: str) -> None:
    """List every error that the gateway itself answers, and the last ones that happened.

    Each can be given another status, code or text, and links, in the configuration: `errors: {NAME: {...}}`.
    """
    if context.invoked_subcommand is not None:
        return
    if output == "json":
        click.echo(json.dumps(described(), indent=2))
    else:
        click.echo((markdown if output == "markdown" else aligned)(HEADER, rows()))
