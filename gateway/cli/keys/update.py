"""gateway keys update: changes what a key in Redis may do, and until when."""

import json
from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec.structs import replace

from gateway.cli.diff import text
from gateway.cli.friendly_errors import friendly_errors
from gateway.cli.keys.commands import ask, config_option, existing, id_argument, yes_option
from gateway.cli.keys.differences import key_changes
from gateway.cli.keys.redis_registry import author_of, editing
from gateway.cli.tables import output_option
from gateway.config_diff.changes import Change
from gateway.keystore.records import StoredKey
from gateway.settings import Config, load
from gateway.settings.checks.stored_keys import References, read_key
from gateway.settings.schema.values import RefusedError

NEVER = "never"
_LISTS = {"route": "routes", "method": "methods", "organization": "organizations"}
"""By the word in an option, the field of a key that is a list. Left out, `routes` and `methods` mean all of them."""


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
        after = replace(before, key=_updated(before.key, options))
        _check(config, after)
        found = key_changes(config, [before], [after])
        if output == "text":
            click.echo(text(found))
        if any(change.effect == "breaking" for change in found) and not dry_run:
            ask(f"Calls with `{key_id}` may be refused then. Go on?", yes=yes)
        if found and not dry_run:
            registry.change(
                [key_id],
                lambda there: {key_id: _unless_changed(there.get(key_id), before, after)},
                author_of("update"),
            )
    if output == "json":
        click.echo(_json(key_id, found, changed=bool(found) and not dry_run))
    elif found and not dry_run:
        click.echo(f"That is so for `{key_id}` at every gateway within a second.")


def _updated(key: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Return the key with the changes of `options`. Raises click.UsageError for one that makes no sense."""
    updated = dict(key)
    if options["plan"]:
        updated["plan"] = options["plan"]
    if options["expires"] == NEVER:
        updated.pop("expires", None)
    elif options["expires"]:
        updated["expires"] = options["expires"]
    for word, field in _LISTS.items():
        values = _list(word, list(updated.get(field) or ()), options[f"add_{word}"], options[f"remove_{word}"])
        if values:
            updated[field] = values
    return updated


def _list(word: str, values: list[str], added: tuple[str, ...], removed: tuple[str, ...]) -> list[str]:
    """Return the values of a field with some added and some removed."""
    if added and not values and word != "organization":
        raise click.UsageError(f"--add-{word}: the key may use every {word} already")
    for each in removed:
        if each not in values:
            have = ", ".join(values) or ("none" if word == "organization" else "all, which is no list")
            raise click.UsageError(f"--remove-{word} {each}: the key has {have}")
        values.remove(each)
    values += [each for each in added if each not in values]
    if removed and not values:
        raise click.UsageError(f"--remove-{word}: the key would be left without any; disable or delete it instead")
    return values


def _check(config: Config, stored: StoredKey) -> None:
    try:
        setting = read_key(stored.key | {"secret_sha256": "0" * 64})
    except RefusedError as error:
        raise click.UsageError(str(error)) from None
    references = References(config)
    wrong = [*references.wrong(setting), *references.doubtful(setting)]
    if wrong:
        raise click.UsageError("\n".join(wrong))


def _unless_changed(there: StoredKey | None, before: StoredKey, after: StoredKey) -> StoredKey:
    if there != before:
        raise click.ClickException(f"somebody else has just changed `{before.key['id']}`; look at it and try again")
    return after


def _json(key_id: str, found: list[Change], *, changed: bool) -> str:
    content = {"id": key_id, "changed": changed, "changes": [msgspec.to_builtins(change) for change in found]}
    return json.dumps(content, indent=2)
