"""gateway keys list, show, rotate, disable, enable, delete: the commands for keys that are kept in Redis."""

import json
from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from gateway.cli import secret
from gateway.cli.keys.redis_registry import author_of, instant_of, registry_of
from gateway.cli.tables import aligned, output_option
from gateway.kernel.units import parse_duration
from gateway.keystore.records import Secret, StoredKey, instant

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
    shown = [_description(stored, used.get(stored.key["id"]), now_s) for stored in keys]
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
        description = _description(stored, registry.used([key_id]).get(key_id), registry.now_s())
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
    made = secret.create()
    with registry_of(file) as registry:
        now_s = registry.now_s()
        ends = instant_of(ceil(now_s + overlap) if overlap else now_s)  # whole seconds, rounded up

        def renewed(stored: StoredKey) -> StoredKey:
            old = [replace(each, until=min(filter(None, (each.until, ends)), key=instant)) for each in stored.secrets]
            kept = [each for each in old if each.until is not None and instant(each.until).timestamp() > now_s]
            return replace(stored, secrets=(Secret(secret.digest(made)), *kept), rotated=instant_of(now_s))

        _change(registry, "rotate", key_id, renewed)
    if output == "json":
        click.echo(json.dumps({"id": key_id, "secret": made, "old_valid_until": ends}, indent=2))
        return
    click.echo("The new secret, for whoever uses the key. It is not shown again:\n")
    click.echo(f"    {made}\n")
    click.echo(f"The old one is valid until {ends}." if overlap else "The old one is not valid any more.")


@click.command()
@id_argument
@config_option
@yes_option
def disable(key_id: str, file: Path, *, yes: bool) -> None:
    """Have calls with a key in Redis answered 403, code 8007."""
    ask(f"Calls with `{key_id}` are refused from now on. Go on?", yes=yes)
    with registry_of(file) as registry:
        _change(registry, "disable", key_id, lambda stored: replace(stored, key={**stored.key, "disabled": True}))
    click.echo(f"The key `{key_id}` is disabled at every gateway within a second.")


@click.command()
@id_argument
@config_option
def enable(key_id: str, file: Path) -> None:
    """Enable a key in Redis that was disabled."""
    with registry_of(file) as registry:
        _change(registry, "enable", key_id, lambda stored: replace(stored, key={**stored.key, "disabled": False}))
    click.echo(f"The key `{key_id}` is valid at every gateway within a second.")


@click.command()
@id_argument
@config_option
@yes_option
def delete(key_id: str, file: Path, *, yes: bool) -> None:
    """Forget a key in Redis: calls with it are answered 401."""
    ask(f"`{key_id}` and its secrets are forgotten for good. Go on?", yes=yes)
    with registry_of(file) as registry:
        _change(registry, "delete", key_id, lambda _: None)
    click.echo(f"The key `{key_id}` is unknown at every gateway within a second.")


def _change(registry: Any, action: str, key_id: str, become: Callable[[StoredKey], StoredKey | None]) -> None:
    registry.change([key_id], lambda there: {key_id: become(existing(there.get(key_id), key_id))}, author_of(action))


def existing(stored: StoredKey | None, key_id: str) -> StoredKey:
    """Return the key, or raise click.ClickException because there is none."""
    if stored is None:
        raise click.ClickException(f"there is no key `{key_id}`")
    return stored


def ask(question: str, *, yes: bool) -> None:
    """Return if the answer is yes. Raises click.ClickException otherwise, also where nobody can be asked."""
    if yes:
        return
    try:
        click.confirm(question, abort=True, err=True)
    except click.Abort:
        raise click.ClickException("nothing was changed; with --yes nobody is asked") from None


def _description(stored: StoredKey, used_s: float | None, now_s: float) -> dict[str, Any]:
    key = {name: value for name, value in stored.key.items() if name not in ("id", "disabled")}
    expires = key.get("expires")
    ended = expires is not None and instant(expires).timestamp() <= now_s
    return {
        "id": stored.key["id"],
        "state": "disabled" if stored.key.get("disabled") else "expired" if ended else "valid",
        "plan": "standard",
        **key,
        "created": stored.created,
        "rotated": stored.rotated,
        "last_used": None if used_s is None else instant_of(used_s),
        "secrets": [{"sha256": each.sha256, "until": each.until} for each in stored.secrets],
    }


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_text(each) for each in value) or "-"
    if isinstance(value, dict):
        return " ".join(f"{name} {_text(each)}" for name, each in value.items() if each is not None)
    return "-" if value is None else str(value)
