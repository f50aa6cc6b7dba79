"""gateway healthcheck

Runs every few seconds in a container, so it imports nothing that is slow to import.
"""

import http.client
from urllib.parse import urlsplit

import click

TIMEOUT_S = 3.0


@click.command()
@click.option(
    "--url",
    envvar="GATEWAY_ADMIN",
    show_envvar=True,
    default="127.0.0.1:9901",
    show_default=True,
    metavar="ADDRESS",
    help="The admin listener, as host:port or as a URL.",
)
def command(url: str) -> None:
    """Ask a running gateway whether it is ready.

    Exits with 0 if it is, with 1 if it is starting, draining or not there.
    """
    parts = urlsplit(url if "://" in url else f"http://{url}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if parts.scheme != "http" or not host:
        raise click.BadParameter("write host:port, or a URL that begins with http://", param_hint="--url")
    try:
        connection = http.client.HTTPConnection(host, port or 80, timeout=TIMEOUT_S)
        connection.request("GET", parts.path or "/readyz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise click.ClickException(f"no gateway answers at {parts.netloc}: {error}") from None
    if status != http.client.OK:
        raise click.ClickException(f"the gateway at {parts.netloc} is not ready: it answers {status}")
    click.echo("ready")
