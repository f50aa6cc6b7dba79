"""The command `gateway healthcheck`.

It runs every few seconds in a container, so it imports nothing that is slow to import.
"""

import http.client

import click

from gateway.cli.admin_client import address_option, exit_with_errors, request
from gateway.cli.tables import quiet_option, say

TIMEOUT_S = 3.0


@click.command()
@address_option("--url")
@quiet_option
def command(url: str, *, quiet: bool) -> None:
    """Ask a running gateway whether it is ready.

    Exits with 0 if it is, with 1 if it is starting, draining or not there.
    """
    status, body = request(url, "GET", "/readyz", TIMEOUT_S, option="--url")
    if status == http.client.MISDIRECTED_REQUEST:
        exit_with_errors(url, status, body)
    if status != http.client.OK:
        raise click.ClickException(f"the gateway at {url} is not ready: it answers {status}")
    say("ready", None, "text", quiet=quiet)
