"""Formats tables as text and as Markdown, and has the options of commands that print text, JSON or nothing."""

import json
from collections.abc import Sequence
from typing import Any

import click

output_option = click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="For people, or for programs.",
)

quiet_option = click.option("-q", "--quiet", is_flag=True, help="Print nothing when it has been done.")


def say(text: str, data: Any, output: str, *, quiet: bool) -> None:
    """Print what was done: as `data` for programs, as `text` for people, or not at all with `quiet`."""
    if output == "json":
        click.echo(json.dumps(data, indent=2))
    elif not quiet:
        click.echo(text)


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a text table: each column is as wide as its widest cell, and two spaces separate columns."""
    lines = [[cell.upper() for cell in header], *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [list(header), ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
