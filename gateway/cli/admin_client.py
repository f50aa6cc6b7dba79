"""Requests to the admin listener of a running gateway. Imports nothing that is slow to import."""

import http.client
import json
import socket
import sys
from collections.abc import Callable
from contextlib import closing
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit

import click

from gateway.system.users import user_name

Command = TypeVar("Command", bound=Callable[..., Any])


def address_option(name: str) -> Callable[[Command], Command]:
    """Return the option `name` for the address of the admin listener."""
    return click.option(
        name,
        envvar="GATEWAY_ADMIN",
        show_envvar=True,
        default="127.0.0.1:9901",
        show_default=True,
        metavar="ADDRESS",
        help="The admin listener, as host:port or as a URL.",
    )


token_option = click.option(
    "--token",
    envvar="GATEWAY_ADMIN_TOKEN",
    show_envvar=True,
    default="",
    metavar="TOKEN",
    help="What `admin.token` of the configuration in force says.",
)
"""The option for the token that allows changes."""


def request(
    address: str, method: str, path: str, timeout_s: float | None, *, option: str, token: str = ""
) -> tuple[int, bytes]:
    """Return the status and the body of the reply.

    `address` is host:port or a URL, whose path, if it has one, replaces `path`. `option` is the name of the option for
    error messages. `timeout_s` limits each wait for data.

    Raises click.ClickException when no gateway replies.
    """
    parts = urlsplit(address if "://" in address else f"http://{address}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if parts.scheme != "http" or not host:
        raise click.BadParameter("write host:port, or a URL that begins with http://", param_hint=option)
    try:
        with closing(http.client.HTTPConnection(host, port or 80, timeout=timeout_s)) as connection:
            fields = {"Authorization": f"Bearer {token}", "X-Gateway-Operator": _operator()} if token else {}
            connection.request(method, parts.path.rstrip("/") or path, headers=fields)
            reply = connection.getresponse()
            return reply.status, reply.read()
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "strerror", None) or error
        raise click.ClickException(
            f"no gateway answers at {parts.netloc}: {why}; say with {option} where its admin listener is"
        ) from None


def _operator() -> str:
    """Return the user who runs this command and the host, for the audit trail of the gateway."""
    return f"{user_name()}@{socket.gethostname()}"


def exit_with_errors(address: str, status: int, body: bytes) -> NoReturn:
    """Print the errors in the reply of the gateway at `address`, and exit with 1."""
    try:
        reply = json.loads(body)
        lines = reply.get("problems") or [reply["error"]]
    except (ValueError, KeyError, AttributeError):
        lines = [f"the gateway at {address} answers {status}"]
    for line in lines:
        click.echo(line, err=True)
    if status == http.client.UNAUTHORIZED:
        click.echo("say it with --token, or in GATEWAY_ADMIN_TOKEN", err=True)
    sys.exit(1)
