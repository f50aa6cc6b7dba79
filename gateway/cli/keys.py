"""gateway keys"""

import click
import yaml
from pydantic import ValidationError

from gateway.cli import secret
from gateway.settings.schema.access import Key


@click.group()
def command() -> None:
    """Create API keys."""


@command.command()
@click.option("--id", "key_id", metavar="ID", help="Its name in the configuration and in the log.  [default: made from the digest]")
@click.option("--organization", "organizations", metavar="ORG", multiple=True, help="May be repeated; the first one is the default.")
@click.option("--plan", metavar="PLAN", help="The plan whose limits hold.  [default: 300 requests a minute]")
def create(key_id: str | None, organizations: tuple[str, ...], plan: str | None) -> None:
    """Make a new API key.

    Prints its secret, which is stored nowhere and cannot be shown again, and what to add to the configuration.
    """
    made = secret.create()
    key: dict[str, str | list[str]] = {"id": key_id or f"key-{secret.digest(made)[:8]}", "secret_sha256": secret.digest(made)}
    if organizations:
        key["organizations"] = list(organizations)
    if plan:
        key["plan"] = plan
    try:
        Key.model_validate(key)
    except ValidationError as error:
        raise click.UsageError("; ".join(problem["msg"].removeprefix("Value error, ") for problem in error.errors())) from None
    click.echo("The secret, for whoever will use the key. It is not shown again:\n")
    click.echo(f"    {made}\n")
    click.echo("For the configuration:\n")
    click.echo(as_yaml(key))


def as_yaml(key: dict[str, str | list[str]]) -> str:
    """A `keys:` block with one entry, written as people write it."""
    lines = [f"{name}: {_inline(value)}" for name, value in key.items()]
    return "keys:\n  - " + "\n    ".join(lines)


def _inline(value: str | list[str]) -> str:
    # The list around it keeps PyYAML from adding its end-of-document mark to a bare scalar.
    text: str = yaml.safe_dump([value], default_flow_style=True, width=10_000, allow_unicode=True)
    return text.strip()[1:-1]
