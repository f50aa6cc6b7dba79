"""The command `gateway keys`."""

import json
from pathlib import Path
from typing import Any

import click
import yaml

from gateway.cli import secret
from gateway.cli.friendly_errors import friendly_errors
from gateway.cli.keys.commands import delete, disable, enable, list_, rotate, show
from gateway.cli.keys.import_command import import_
from gateway.cli.keys.redis_registry import NO_STORE, author_of, editing, instant_of
from gateway.cli.keys.update import update
from gateway.cli.tables import output_option
from gateway.keystore.records import Secret, StoredKey
from gateway.settings import Config, load
from gateway.settings.checks.stored_keys import References, read_key
from gateway.settings.schema.access import KeySettings
from gateway.settings.schema.values import RefusedError


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
@output_option
def create(file: Path | None, output: str, **options: Any) -> None:
    """Make a new API key.

    Prints its secret, which is stored nowhere and cannot be shown again. With -c FILE, and `keys: {store: redis}` in
    it, the key is valid at every gateway within a second; otherwise what to add to the configuration is printed, too.
    """
    made = secret.create()
    digest = secret.digest(made)
    key = _described(options, digest)
    kept = _made(file, key, digest)
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


def _made(file: Path | None, key: dict[str, Any], digest: str) -> bool:
    """Check the key, and return whether it was kept in Redis: otherwise it has to be added to the configuration."""
    setting = _read(key | {"secret_sha256": digest})
    if file is None:
        return False
    with friendly_errors():
        config = load(file)
    _check(config, setting)
    if config.key_store is None:
        return False
    _keep(config, key, digest)
    return True


def _described(options: dict[str, Any], digest: str) -> dict[str, Any]:
    """Return an entry of `keys` without the digest."""
    key: dict[str, Any] = {"id": options.pop("key_id") or f"key-{digest[:8]}"}
    return key | {name: list(value) if isinstance(value, tuple) else value for name, value in options.items() if value}


def _block(key: dict[str, Any], digest: str) -> dict[str, Any]:
    return {"id": key["id"], "secret_sha256": digest, **key}


def _read(entry: dict[str, Any]) -> KeySettings:
    try:
        return read_key(entry)
    except RefusedError as error:
        raise click.UsageError(str(error)) from None


def _check(config: Config, key: KeySettings) -> None:
    references = References(config)
    wrong = [*references.wrong(key), *references.doubtful(key)]
    if config.key_store is None and any(key.id == other.id for other in config.keys):
        wrong.append(f"`{key.id}` is the id of another one")
    if wrong:
        raise click.UsageError("\n".join(wrong))


def _keep(config: Config, key: dict[str, Any], digest: str) -> None:
    with editing(config, NO_STORE) as registry:
        stored = StoredKey(key, (Secret(digest),), instant_of(registry.now_s()))

        def decide(there: dict[str, StoredKey]) -> dict[str, StoredKey | None]:
            if key["id"] in there:
                raise click.UsageError(f"`{key['id']}` is the id of another one")
            return {key["id"]: stored}

        registry.change([key["id"]], decide, author_of("create"))


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
