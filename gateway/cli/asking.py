"""Questions to the admin listener of a running gateway. Imports nothing that is slow to import."""

import http.client
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def address_option(name: str) -> Callable[[Command], Command]:
    """Where the admin listener is, as the option `name`."""
    return click.option(
        name,
        envvar="GATEWAY_ADMIN",
        show_envvar=True,
        default="127.0.0.1:9901",
        show_default=True,
        metavar="ADDRESS",
        help="The admin listener, as host:port or as a URL.",
    )


def ask(address: str, method: str, path: str, timeout_s: float | None, *, option: str, token: str = "") -> tuple[int, bytes]:
    """Status and body. `address` is host:port or a URL; a path in it wins; `option` is where it was given.

    Raises click.ClickException when nobody answers, within `timeout_s` of silence.
    """
    parts = urlsplit(address if "://" in address else f"http://{address}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if parts.scheme != "http" or not host:
        raise click.BadParameter("write host:port, or a URL that begins with http://", param_hint=option)
    try:
        connection = http.client.HTTPConnection(host, port or 80, timeout=timeout_s)
        connection.request(method, parts.path.rstrip("/") or path, headers={"Authorization": f"Bearer {token}"} if token else {})
        reply = connection.getresponse()
        return reply.status, reply.read()
    except (OSError, http.client.HTTPException) as error:
        raise click.ClickException(f"no gateway answers at {parts.netloc}: {error}") from None
