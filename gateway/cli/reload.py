"""gateway reload"""

import http.client
import json
import sys

import click

from gateway.cli.asking import address_option, ask


@click.command()
@click.option("--wait", is_flag=True, help="Return when the configuration is in force, or say why it is not.")
@address_option("--admin")
@click.option(
    "--token",
    envvar="GATEWAY_ADMIN_TOKEN",
    show_envvar=True,
    default="",
    metavar="TOKEN",
    help="What `admin.token` of the configuration in force says.",
)
def command(wait: bool, admin: str, token: str) -> None:
    """Have a running gateway read its configuration again.

    All or nothing: if anything is wrong with it, the gateway goes on as before. SIGHUP does the same.
    """
    status, body = ask(admin, "POST", "/reload?wait" if wait else "/reload", None, option="--admin", token=token)
    if status in (http.client.OK, http.client.ACCEPTED):
        click.echo("reloaded" if wait else "reloading")
        return
    try:
        told = json.loads(body)
        lines = told.get("problems") or [told["error"]]
    except (ValueError, KeyError, AttributeError):
        lines = [f"the gateway at {admin} answers {status}"]
    for line in lines:
        click.echo(line, err=True)
    sys.exit(1)
