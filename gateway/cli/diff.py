"""The command `gateway diff`."""

import http.client
import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, get_args

import click
import msgspec

from gateway import __version__
from gateway.cli.admin_client import address_option, request
from gateway.cli.friendly_errors import friendly_errors
from gateway.cli.tables import output_option
from gateway.config_diff.changes import Change, changes, few
from gateway.config_diff.effects import Effect
from gateway.config_diff.inventory import Item, Preface, Redactor, items_of
from gateway.openapi.compile import check_contracts
from gateway.settings import load

CHANGES, BREAKING = 3, 4
"""The exit codes if something changes, and if a change breaks callers."""
_TIMEOUT_S = 60.0


@click.command()
@click.option(
    "-c",
    "--config",
    "file",
    type=click.Path(path_type=Path),
    required=True,
    metavar="NEW",
    help="The configuration to come.",
)
@address_option("--admin")
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    metavar="OLD",
    help="Compare with this file, and not with a running gateway.",
)
@output_option
def command(file: Path, admin: str, against: Path | None, output: Literal["text", "json"]) -> None:
    """Say what another configuration file would change.

    Compares it, once it is found to be without a mistake, with what a running gateway has in force. Each change is
    breaking (a caller may do less, or is answered otherwise), widening (somebody may do more) or something else.

    Exits with 0 if nothing changes, 3 if something does, 4 if any of it is breaking; with 1 if the file cannot be used.
    """
    with friendly_errors():
        config = load(file, more_checks=check_contracts)
        if against is not None:
            redactor = Redactor(os.urandom(16), local=True)
            before: Iterable[Item] = items_of(load(against), redactor)
        else:
            preface, before = _in_force(admin)
            redactor = Redactor(bytes.fromhex(preface.salt), local=False)
            if preface.release != __version__:
                click.echo(
                    f"the gateway is release {preface.release}, and this is {__version__}: they may know "
                    "different things",
                    err=True,
                )
    found = changes(before, items_of(config, redactor))
    click.echo(_json(found) if output == "json" else text(found))
    sys.exit(BREAKING if any(change.effect == "breaking" for change in found) else CHANGES if found else 0)


def _in_force(admin: str) -> tuple[Preface, list[Item]]:
    """Return the inventory of the configuration in force at the gateway at `admin`. Raises click.ClickException."""
    status, body = request(admin, "GET", "/config/outline", _TIMEOUT_S, option="--admin")
    if status != http.client.OK:
        raise click.ClickException(f"the gateway at {admin} answers {status}")
    first, *rest = body.splitlines() or [b""]
    try:
        return msgspec.json.decode(first, type=Preface), [msgspec.json.decode(line, type=Item) for line in rest]
    except msgspec.DecodeError:
        raise click.ClickException(
            f"what answers at {admin} is no gateway, or one of a release that cannot be compared with"
        ) from None


def text(found: Sequence[Change]) -> str:
    """Return the changes as text, grouped by effect; the same change of several items is one line."""
    if not found:
        return "nothing changes"
    alike: dict[tuple[Effect, str, str], list[str]] = {}
    for change in found:
        alike.setdefault((change.effect, change.kind, change.text), []).append(change.name)
    lines: list[str] = []
    for effect in get_args(Effect):
        of_effect = [f"  {kind} {few(names)}: {what}" for (each, kind, what), names in alike.items() if each == effect]
        lines += [effect, *of_effect] if of_effect else []
    return "\n".join([*lines, ", ".join(f"{number} {effect}" for effect, number in _counted(found).items())])


def _json(found: Sequence[Change]) -> str:
    return json.dumps({"changes": [msgspec.to_builtins(change) for change in found], **_counted(found)}, indent=2)


def _counted(found: Sequence[Change]) -> dict[Effect, int]:
    return {effect: sum(change.effect == effect for change in found) for effect in get_args(Effect)}
