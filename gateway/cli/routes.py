"""The command `gateway routes`."""

from pathlib import Path

import click

from gateway.cli.friendly_errors import friendly_errors
from gateway.cli.tables import aligned
from gateway.settings import Config, load
from gateway.settings.schema.config import LIMITS_ROUTE

HEADER = ("methods", "path", "id", "upstream", "auth", "plan", "envelope", "total")


def rows(config: Config) -> list[tuple[str, ...]]:
    """Yield one row for each route, with the columns of `HEADER`.

    A prefix ends with `/**`. Routes with keys have no plan of their own.
    """
    path = config.server.limits_path
    limits_endpoint: list[tuple[str, ...]] = (
        [] if path is None else [("GET", path, LIMITS_ROUTE, "-", "key", "-", "wrap", "-")]
    )
    return limits_endpoint + [
        (
            ",".join(route.match.methods),
            route.match.path or f"{(route.match.prefix or '').rstrip('/')}/**",
            route.id,
            ", ".join(str(target.url) for target in config.upstream_of(route).targets),
            route.auth,
            config.plan_of(route).id if route.auth == "none" else "-",
            config.envelope_of(route).mode,
            f"{config.timeouts_of(route).total:g}s",
        )
        for route in sorted(config.routes, key=lambda route: route.match.path or route.match.prefix or "")
    ]


@click.command()
@click.option(
    "-c", "--config", "file", type=click.Path(path_type=Path), required=True, metavar="FILE", help="The configuration."
)
def command(file: Path) -> None:
    """List the routes of a configuration file.

    With what holds for each once `defaults` are filled in.
    """
    with friendly_errors():
        click.echo(aligned(HEADER, rows(load(file))))
