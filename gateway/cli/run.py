"""The command `gateway run`."""

import sys
from functools import partial
from pathlib import Path

import click
from pydantic import ValidationError

from gateway.cli.friendly_errors import friendly_errors
from gateway.openapi.compile import check_contracts
from gateway.settings import Config, from_upstream, load_with_origins
from gateway.settings.schema.server import AdminSettings, ListenerSettings, ServerSettings
from gateway.supervisor import run


@click.command()
@click.option("-c", "--config", "file", type=click.Path(path_type=Path), metavar="FILE", help="The configuration.")
@click.option("--upstream", metavar="URL", help="Instead of a file: the one service that every request goes to.")
@click.option("--listen", metavar="ADDRESS", help="With --upstream: host:port for clients.  [default: 127.0.0.1:8080]")
@click.option(
    "--admin", metavar="ADDRESS", help="With --upstream: host:port of health and metrics.  [default: 127.0.0.1:9901]"
)
@click.option("--watch", is_flag=True, help="With -c: reload when the file, or one that it includes, has changed.")
def command(file: Path | None, upstream: str | None, listen: str | None, admin: str | None, *, watch: bool) -> None:
    """Serve what a configuration file, or one URL, describes.

    With --upstream no key is asked, and every client address has 300 requests a minute.

    SIGTERM, SIGQUIT and Ctrl-C drain: readiness fails, requests in flight are finished, the exit code is 0. SIGHUP
    reloads the configuration, SIGUSR2 starts the program anew and hands over to it; neither loses a connection. Other
    signals are ignored.
    """
    if (file is None) == (upstream is None):
        raise click.UsageError("Say what to serve: either -c FILE or --upstream URL.")
    if file is not None and (listen or admin):
        raise click.UsageError("--listen and --admin belong to --upstream: a file says itself where to listen.")
    if upstream is not None and watch:
        raise click.UsageError("--watch belongs to -c: without a file there is nothing to watch.")
    with friendly_errors():
        if upstream is None:
            assert file is not None
            config, origins = load_with_origins(file, more_checks=check_contracts)
            reread = partial(load_with_origins, file, more_checks=check_contracts)
            sys.exit(run(config, source=str(file), origins=origins, reread=reread, watched=file if watch else None))
        sys.exit(run(at(from_upstream(upstream), listen, admin), source=f"--upstream {upstream}"))


def at(config: Config, listen: str | None, admin: str | None) -> Config:
    """Return `config` with other addresses; None leaves an address as it is. Raises click.UsageError."""
    try:
        server = (
            ServerSettings.model_validate({"listeners": [ListenerSettings.model_validate({"address": listen})]})
            if listen
            else config.server
        )
        return config.model_copy(
            update={
                "server": server,
                "admin": AdminSettings.model_validate({"address": admin}) if admin else config.admin,
            }
        )
    except ValidationError as error:
        raise click.UsageError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
