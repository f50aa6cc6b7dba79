"""The command `gateway reload`."""

import http.client

import click

from gateway.cli.admin_client import address_option, exit_with_errors, request, token_option
from gateway.cli.tables import output_option, quiet_option, say


@click.command()
@click.option("--wait", is_flag=True, help="Return when the configuration is in force, or say why it is not.")
@address_option("--admin")
@token_option
@output_option
@quiet_option
def command(admin: str, token: str, output: str, *, wait: bool, quiet: bool) -> None:
    """Have a running gateway read its configuration again.

    All or nothing: if anything is wrong with it, the gateway goes on as before. SIGHUP does the same.
    """
    status, body = request(admin, "POST", "/reload?wait" if wait else "/reload", None, option="--admin", token=token)
    if status not in (http.client.OK, http.client.ACCEPTED):
        exit_with_errors(admin, status, body)
    say("reloaded" if wait else "reloading", {"reload": "done" if wait else "begun"}, output, quiet=quiet)
