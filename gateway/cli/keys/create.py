"""The command `gateway keys`."""

import json
from pathlib import Path
from typing import Any

import click
import yaml

from gateway.cli.friendly_errors import friendly_errors
from gateway.cli.keys.commands import delete, disable, enable, list_, rotate, show
from gateway.cli.keys.import_command import import_
from gateway.cli.keys.redis_registry import author_of, editing, key_errors
from gateway.cli.keys.update import update
from gateway.cli.tables import output_option
from gateway.key_management import secret
from gateway.key_management.edits import create_key
from gateway.key_management.fields import check_key
from gateway.settings import load
from gateway.settings.checks.stored_keys import key_problems


@click.group()
def command() -> None:
    """Create API keys, and manage those that are kept in Redis."""


@command.command()
@click.option(
    "-c",
    "--config",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The configuration that the key is for.",
)
@click.option(
    "--id",
    "key_id",
    metavar="ID",
    help="Its name in the configuration and in the log.  [default: made from the digest]",
)
@click.option(
    "--organization",
    "organizations",
    metavar="ORG",
    multiple=True,
    help="May be repeated; the first one is the default.",
)
@click.option("--plan", metavar="PLAN", help="The plan whose limits hold.  [default: 300 requests a minute]")
@click.option(
    "--route",
    "routes",
    metavar="PATTERN",
    multiple=True,
    help="A route, or a pattern. May be repeated.  [default: all]",
)
@click.option("--method", "methods", metavar="METHOD", multiple=True, help="May be repeated.  [default: all]")
@click.option(
    "--expires", metavar="INSTANT", help="Not valid from then on, such as 2027-06-30T00:00:00Z.  [default: never]"
)
@click.option(
    "--allow",
    metavar="ADDRESSES",
    multiple=True,
    help="Clients for which it is valid: 10.0.0.0/8.  [default: all]",
)
@click.option("--deny", metavar="ADDRESSES", multiple=True, help="Clients for which it is not, whatever --allow says.")
@click.option(
    "--referrer",
    "referrers",
    metavar="ORIGIN",
    multiple=True,
    help="A page that it is for, such as https://shop.example.com.  [default: all]",
)
@output_option
def create(file: Path | None, output: str, **options: Any) -> None:
    """Make a new API key.

    Prints its secret, which is stored nowhere and cannot be shown again. With -c FILE, and `keys: {store: redis}` in
    it, the key is valid at every gateway within a second; otherwise what to add to the configuration is printed, too.
    """
    made = secret.create()
    digest = secret.digest(made)
    key = _described(options, made)
    kept = _made(file, key, made)
    if output == "json":
        click.echo(json.dumps({"secret": made, "kept": kept, "key": _block(key, digest)}, indent=2))
        return
    _print_secret(made)
    if kept:
        click.echo(f"The key `{key['id']}` is valid at every gateway within a second.")
    else:
        click.echo(f"For {'the configuration' if file is None else file}:\n")
        click.echo(as_yaml(_block(key, digest)))


for each in (list_, show, update, rotate, disable, enable, delete, import_):
    command.add_command(each)


def _made(file: Path | None, key: dict[str, Any], made: str) -> bool:
    """Check the key, and return whether it was kept in Redis: otherwise it has to be added to the configuration."""
    if file is None:
        if problems := key_problems(key | {"secret_sha256": secret.digest(made)}):
            raise click.UsageError("\n".join(problems))
        return False
    with friendly_errors():
        config = load(file)
    with key_errors():
        check_key(config, key)
    if config.key_store is None:
        return False
    with editing(config) as registry:
        create_key(registry, author_of("create"), key, made)
    return True


def _described(options: dict[str, Any], made: str) -> dict[str, Any]:
    """Return an entry of `keys` without the digest."""
    key: dict[str, Any] = {"id": options.pop("key_id") or secret.default_id(made)}
    return key | {name: list(value) if isinstance(value, tuple) else value for name, value in options.items() if value}


def _block(key: dict[str, Any], digest: str) -> dict[str, Any]:
    return {"id": key["id"], "secret_sha256": digest, **key}


def _print_secret(made: str) -> None:
    click.echo("The secret, for whoever will use the key. It is not shown again:\n")
    click.echo(f"    {made}\n")


def as_yaml(key: dict[str, Any]) -> str:
    """Return a `keys:` block with one entry, in the usual style of YAML."""
    lines = [f"{name}: {_inline(value)}" for name, value in key.items()]
    return "keys:\n  - " + "\n    ".join(lines)


def _inline(value: object) -> str:
    # Inside a list, because PyYAML adds an end-of-document mark to a bare scalar.
    text: str = yaml.safe_dump([value], default_flow_style=True, width=10_000, allow_unicode=True)
    return text.strip()[1:-1]
