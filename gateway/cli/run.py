"""gateway run"""

import sys
from pathlib import Path

import click

from gateway.app import run
from gateway.cli.failure import explained
from gateway.settings import from_upstream, load


@click.command()
@click.option("-c", "--config", "file", type=click.Path(path_type=Path), metavar="FILE", help="The configuration.")
@click.option("--upstream", metavar="URL", help="Instead of a file: the one service that every request goes to.")
@click.option("--listen", metavar="ADDRESS", help="With --upstream: host:port to listen on.  [default: 127.0.0.1:8080]")
def command(file: Path | None, upstream: str | None, listen: str | None) -> None:
    """Serve what a configuration file, or one URL, describes.

    With --upstream no key is asked, and every client address has 300 requests a minute.

    SIGTERM and Ctrl-C drain: readiness fails, requests in flight are finished, the exit code is 0.
    """
    if (file is None) == (upstream is None):
        raise click.UsageError("Say what to serve: either -c FILE or --upstream URL.")
    if file is not None and listen is not None:
        raise click.UsageError("--listen belongs to --upstream: a file says itself where to listen (server.listeners).")
    with explained():
        if file is not None:
            config, source = load(file), str(file)
        else:
            assert upstream is not None
            config, source = from_upstream(upstream, listen=listen or "127.0.0.1:8080"), f"--upstream {upstream}"
        sys.exit(run(config, source=source))
