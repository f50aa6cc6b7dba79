"""gateway keys list, show, rotate, disable, enable, delete: the commands for keys that are kept in Redis."""

import json
from pathlib import Path
from typing import Any

import click

from gateway.cli.keys.redis_registry import author_of, registry_of
from gateway.cli.tables import aligned, output_option, quiet_option, say
from gateway.kernel.units import parse_duration
from gateway.key_management.description import described
from gateway.key_management.edits import delete_key, disable_key, existing, rotate_key

HEADER = ("id", "state", "organizations", "plan", "created", "last used")

config_option = click.option(
    "-c",
    "--config",
    "file",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="The configuration that says where.",
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask whether that is meant.")
id_argument = click.argument("key_id", metavar="ID")


def _seconds(_: click.Context, __: click.Parameter, written: str) -> float:
    """Parse a duration, written as in the configuration."""
    try:
        return parse_duration(written)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command("list")
@config_option
@output_option
def list_(file: Path, output: str) -> None:
    """List the keys in Redis."""
    with registry_of(file) as registry:
        keys = sorted(registry.all(), key=lambda stored: str(stored.key["id"]))
        used = registry.used(stored.key["id"] for stored in keys)
        now_s = registry.now_s()
    shown = [described(stored, used.get(stored.key["id"]), now_s, with_digests=True) for stored in keys]
    if output == "json":
        click.echo(json.dumps({"keys": shown}, indent=2))
        return
    rows = [
        (
            each["id"],
            each["state"],
            ",".join(each.get("organizations", ())) or "-",
            each["plan"],
            each["created"],
            each["last_used"] or "-",
        )
        for each in shown
    ]
    click.echo(aligned(HEADER, rows))


@click.command()
@id_argument
@config_option
@output_option
def show(key_id: str, file: Path, output: str) -> None:
    """Show one key in Redis, without its secret: what it may do, and when it was last used."""
    with registry_of(file) as registry:
        stored = existing(registry.find(key_id), key_id)
        description = described(stored, registry.used([key_id]).get(key_id), registry.now_s(), with_digests=True)
    if output == "json":
        click.echo(json.dumps(description, indent=2))
        return
    for name, value in description.items():
        click.echo(f"{name.replace('_', ' ')}: {_text(value)}")


@click.command()
@id_argument
@config_option
@click.option(
    "--overlap",
    callback=_seconds,
    default="24h",
    show_default=True,
    metavar="DURATION",
    help="How long the old one is valid, too.",
)
@yes_option
@output_option
def rotate(key_id: str, file: Path, overlap: float, output: str, *, yes: bool) -> None:
    """Make a new secret for a key in Redis. The limits of both secrets are one."""
    if not overlap:
        ask(f"The old secret of `{key_id}` ends at once. Go on?", yes=yes)
    with registry_of(file) as registry:
        made = rotate_key(registry, author_of("rotate"), key_id, overlap)
    ends = made.old_valid_until
    if output == "json":
        click.echo(json.dumps({"id": key_id, "secret": made.secret, "old_valid_until": ends}, indent=2))
        return
    click.echo("The new secret, for whoever uses the key. It is not shown again:\n")
    click.echo(f"    {made.secret}\n")
    click.echo(f"The old one is valid until {ends}." if overlap else "The old one is not valid any more.")


@click.command()
@id_argument
@config_option
@yes_option
@output_option
@quiet_option
def disable(key_id: str, file: Path, output: str, *, yes: bool, quiet: bool) -> None:
    """Have calls with a key in Redis answered 403, code 8007."""
    ask(f"Calls with `{key_id}` are refused from now on. Go on?", yes=yes)
    with registry_of(file) as registry:
        disable_key(registry, author_of("disable"), key_id, disabled=True)
    text = f"The key `{key_id}` is disabled at every gateway within a second."
    say(text, {"id": key_id, "disabled": True}, output, quiet=quiet)


@click.command()
@id_argument
@config_option
@output_option
@quiet_option
def enable(key_id: str, file: Path, output: str, *, quiet: bool) -> None:
    """Enable a key in Redis that was disabled."""
    with registry_of(file) as registry:
        disable_key(registry, author_of("enable"), key_id, disabled=False)
    text = f"The key `{key_id}` is valid at every gateway within a second."
    say(text, {"id": key_id, "disabled": False}, output, quiet=quiet)


@click.command()
@id_argument
@config_option
@yes_option
@output_option
@quiet_option
def delete(key_id: str, file: Path, output: str, *, yes: bool, quiet: bool) -> None:
    """Forget a key in Redis: calls with it are answered 401."""
    ask(f"`{key_id}` and its secrets are forgotten for good. Go on?", yes=yes)
    with registry_of(file) as registry:
        delete_key(registry, author_of("delete"), key_id)
    text = f"The key `{key_id}` is unknown at every gateway within a second."
    say(text, {"id": key_id, "deleted": True}, output, quiet=quiet)


def ask(question: str, *, yes: bool) -> None:
    """Return if the answer is yes. Raises click.ClickException otherwise, also where nobody can be asked."""
    if yes:
        return
    try:
        click.confirm(question, abort=True, err=True)
    except click.Abort:
        raise click.ClickException("nothing was changed; with --yes nobody is asked") from None


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_text(each) for each in value) or "-"
    if isinstance(value, dict):
        return " ".join(f"{name} {_text(each)}" for name, each in value.items() if each is not None)
    return "-" if value is None else str(value)
