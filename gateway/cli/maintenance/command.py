"""The switch for the maintenance of all routes."""

import http.client
import json
from urllib.parse import urlencode

import click

from gateway.cli.admin_client import address_option, exit_with_errors, request, token_option
from gateway.cli.tables import output_option, quiet_option, say


@click.command()
@click.argument("switch", type=click.Choice(["on", "off", "show"]), default="show")
@click.option("--message", metavar="TEXT", help="What callers read in the envelope's `message`.")
@click.option("--retry-after", metavar="DURATION", help="The value of Retry-After, such as 5m.")
@click.option("--until", metavar="TIME", help="When it ends by itself, such as 2027-06-30T00:00:00Z.")
@address_option("--admin")
@token_option
@output_option
@quiet_option
def command(
    switch: str,
    message: str | None,
    retry_after: str | None,
    until: str | None,
    *,
    admin: str,
    token: str,
    output: str,
    quiet: bool,
) -> None:
    """Answer all calls with 503 for a while, without a reload.

    It holds for all workers of the gateway at once, and for those that are started later.
    """
    given = {"message": message, "retry_after": retry_after, "until": until}
    parameters = {name: value for name, value in given.items() if value is not None}
    if parameters and switch != "on":
        raise click.UsageError("--message, --retry-after and --until go with `on`")
    if switch == "show":
        status, body = request(admin, "GET", "/maintenance", None, option="--admin")
    else:
        path = f"/maintenance/switch?{urlencode({'off': ''} if switch == 'off' else parameters)}"
        status, body = request(admin, "POST", path, None, option="--admin", token=token)
    if status != http.client.OK:
        exit_with_errors(admin, status, body)
    state = json.loads(body)
    lines = [f"{name}: {value}" for name, value in state.items()]
    say("\n".join(lines), state, output, quiet=quiet and switch != "show")
