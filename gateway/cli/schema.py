"""The command `gateway schema`."""

import click

from gateway.settings import json_schema_text


@click.command()
def command() -> None:
    """Print the JSON Schema of the configuration.

    For editors: the first line of a file says where it is, as in
    `# yaml-language-server: $schema=./gateway.schema.json`.
    """
    click.echo(json_schema_text(), nl=False)
