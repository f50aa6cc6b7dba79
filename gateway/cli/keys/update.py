"""gateway keys update: changes what a key in Redis may do, and until when."""

import json
from pathlib import Path
from typing import Any

import click
import msgspec

from gateway.cli.diff import text
from gateway.cli.friendly_errors import friendly_errors
from gateway.cli.keys.commands import ask, config_option, id_argument, yes_option
from gateway.cli.keys.redis_registry import author_of, editing
from gateway.cli.tables import output_option
from gateway.config_diff.changes import Change
from gateway.key_management.edits import apply_update, existing, plan_update
from gateway.key_management.fields import LISTS, merged, with_members
from gateway.settings import load

NEVER = "never"


@click.command()
@id_argument
@config_option
@click.option("--plan", metavar="PLAN", help="The plan whose limits hold from now on.")
@click.option("--add-route", metavar="PATTERN", multiple=True, help="May be repeated, as the others.")
@click.option("--remove-route", metavar="PATTERN", multiple=True, help="One that the key has, as it is written there.")
@click.option("--add-method", metavar="METHOD", multiple=True)
@click.option("--remove-method", metavar="METHOD", multiple=True)
@click.option("--add-organization", metavar="ORG", multiple=True, help="The first one of a key stays its default.")
@click.option("--remove-organization", metavar="ORG", multiple=True)
@click.option("--add-allow", metavar="ADDRESSES", multiple=True, help="Addresses of clients, such as 10.0.0.0/8.")
@click.option("--remove-allow", metavar="ADDRESSES", multiple=True, help="Without any it is valid from everywhere.")
@click.option("--add-deny", metavar="ADDRESSES", multiple=True)
@click.option("--remove-deny", metavar="ADDRESSES", multiple=True)
@click.option("--add-referrer", metavar="ORIGIN", multiple=True, help="Such as https://shop.example.com.")
@click.option("--remove-referrer", metavar="ORIGIN", multiple=True, help="Without any it is for everybody.")
@click.option("--expires", metavar="INSTANT", help=f"Such as 2027-06-30T00:00:00Z, or `{NEVER}`.")
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@yes_option
@output_option
def update(key_id: str, file: Path, output: str, *, dry_run: bool, yes: bool, **options: Any) -> None:
    """Change what a key in Redis may do. Its secret stays, and so does what is not named.

    Says what changes, and asks if calls that are answered today may be refused then.
    """
    if not any(options.values()):
        raise click.UsageError("nothing to change: name a plan, an end, or what to add or remove")
    with friendly_errors():
        config = load(file)
    with editing(config) as registry:
        before = existing(registry.find(key_id), key_id)
        planned = plan_update(config, before, _updated(before.key, options))
        found = planned.changes
        if output == "text":
            click.echo(text(found))
        if any(change.effect == "breaking" for change in found) and not dry_run:
            ask(f"Calls with `{key_id}` may be refused then. Go on?", yes=yes)
        if found and not dry_run:
            apply_update(registry, author_of("update"), planned)
    if output == "json":
        click.echo(_json(key_id, found, changed=bool(found) and not dry_run))
    elif found and not dry_run:
        click.echo(f"That is so for `{key_id}` at every gateway within a second.")


def _updated(key: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Return the key with the changes of `options`. Raises KeyChangeError for one that makes no sense."""
    words = [field.word for field in LISTS]
    updated = with_members(
        key, {word: options[f"add_{word}"] for word in words}, {word: options[f"remove_{word}"] for word in words}
    )
    if options["plan"]:
        updated = merged(updated, {"plan": options["plan"]})
    if options["expires"]:
        updated = merged(updated, {"expires": None if options["expires"] == NEVER else options["expires"]})
    return updated


def _json(key_id: str, found: list[Change], *, changed: bool) -> str:
    content = {"id": key_id, "changed": changed, "changes": [msgspec.to_builtins(change) for change in found]}
    return json.dumps(content, indent=2)
