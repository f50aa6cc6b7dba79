"""The command `gateway routes`."""

import json
from pathlib import Path
from typing import Any

import click

from gateway.cli.friendly_errors import friendly_errors
from gateway.cli.tables import aligned, output_option
from gateway.settings import Config, load
from gateway.settings.schema.config import DOCS_ROUTE, OPENAPI_ROUTE
from gateway.settings.schema.routing import Match

HEADER = ("methods", "path", "id", "upstream", "auth", "plan", "envelope", "total")


def rows(config: Config) -> list[tuple[str, ...]]:
    """Yield one row for each route, with the columns of `HEADER`.

    A prefix ends with `/**`. Routes with keys have no plan of their own.
    """
    own: list[tuple[str, ...]] = [
        ("GET", each.path, each.id, "-", "none", "anonymous", "passthrough", "-")
        if each.id in {OPENAPI_ROUTE, DOCS_ROUTE}
        else ("GET", each.path, each.id, "-", "key", "-", "wrap", "-")
        for each in config.own_paths()
    ]
    return own + [
        (
            ",".join(route.match.methods),
            _spelled_match(route.match),
            route.id,
            ", ".join(str(target.url) for target in config.upstream_of(route).targets),
            route.auth,
            config.plan_of(route).id if route.auth == "none" else "-",
            config.envelope_of(route).mode,
            f"{config.timeouts_of(route).total:g}s",
        )
        for route in sorted(config.routes, key=lambda route: route.match.path or route.match.prefix or "")
    ]


def _spelled_match(match: Match) -> str:
    """Return the path of a route, with its host in front and its other conditions behind."""
    path = match.path or f"{(match.prefix or '').rstrip('/')}/**"
    conditions = [f"{name}: {value}" for name, value in match.headers.items()]
    if match.listener is not None:
        conditions.append(f"listener {match.listener}")
    return f"{match.host or ''}{path}" + (f" ({', '.join(conditions)})" if conditions else "")


def described(config: Config) -> list[dict[str, Any]]:
    """Return the routes for programs, in the order of the file. Either `path` or `prefix` is null."""
    return [
        {
            "id": route.id,
            "methods": list(route.match.methods),
            "path": route.match.path,
            "prefix": route.match.prefix,
            "host": route.match.host,
            "headers": route.match.headers,
            "listener": route.match.listener,
            "upstream": route.upstream,
            "targets": [str(target.url) for target in config.upstream_of(route).targets],
            "auth": route.auth,
            "plan": config.plan_of(route).id if route.auth == "none" else None,
            "envelope": config.envelope_of(route).mode,
            "total_timeout_s": config.timeouts_of(route).total,
        }
        for route in config.routes
    ]


@click.command()
@click.option(
    "-c", "--config", "file", type=click.Path(path_type=Path), required=True, metavar="FILE", help="The configuration."
)
@output_option
def command(file: Path, output: str) -> None:
    """List the routes of a configuration file.

    With what holds for each once `defaults` are filled in.
    """
    with friendly_errors():
        config = load(file)
    if output == "json":
        click.echo(json.dumps({"routes": described(config)}, indent=2))
    else:
        click.echo(aligned(HEADER, rows(config)))
