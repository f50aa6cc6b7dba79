"""Requests to the admin listener of a running gateway. Imports nothing that is slow to import."""

import http.client
import json
import socket
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit

import click

from gateway.system.users import user_name

_AT_ONCE = 16
_FLEET_WITHIN_S = 10.0

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


addresses_option = click.option(
    "--admin",
    "admins",
    envvar="GATEWAY_ADMIN",
    show_envvar=True,
    default=["127.0.0.1:9901"],
    show_default=True,
    multiple=True,
    metavar="ADDRESS",
    help="An admin listener, as host:port or as a URL; several times for several gateways.",
)
"""The option for the addresses of any number of admin listeners."""

fleet_option = click.option(
    "--fleet", is_flag=True, help="Ask all gateways that share the Redis of those, which say where the others are."
)
"""The option for the argument of `with_fleet`."""

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


def ask_each(
    admins: Sequence[str], path: str, timeout_s: float, member: str
) -> tuple[list[tuple[str, dict[str, Any]]], list[str]]:
    """Ask gateways as `ask_all` does. Exits with 1 if none answers, after it has printed why."""
    answers, missed = ask_all(admins, path, timeout_s, member)
    if not answers:
        exit_without_answer(missed)
    return answers, missed


def ask_all(
    admins: Sequence[str], path: str, timeout_s: float, member: str
) -> tuple[list[tuple[str, dict[str, Any]]], list[str]]:
    """Ask gateways side by side. Return the address and the JSON of those that answered 200, and why others did not.

    An answer is an object that has `member`.
    """
    answers: list[tuple[str, dict[str, Any]]] = []
    missed: list[str] = []
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for admin, reply in zip(admins, threads.map(partial(_ask, path, timeout_s, member), admins), strict=True):
            if isinstance(reply, str):
                missed.append(f"{admin}: {reply}" if len(admins) > 1 else reply)
            else:
                answers.append((admin, reply))
    return answers, missed


def with_fleet(admins: Sequence[str], *, fleet: bool) -> tuple[str, ...]:
    """Return `admins`, or with `fleet` the addresses of all gateways that those know. Exits with 1 if none answers."""
    if not fleet:
        return tuple(admins)
    found: dict[str, str] = {}
    answers, missed = ask_each(admins, "/fleet", _FLEET_WITHIN_S, "gateways")
    for admin, page in answers:
        for gateway in page["gateways"]:
            if gateway["is_self"]:
                found[gateway["id"]] = admin  # as it is reached from here
            elif gateway["admin"]:
                found.setdefault(gateway["id"], gateway["admin"])
            else:
                click.echo(f"not asked: {gateway['host']} has announced no address", err=True)
    for why in missed:
        click.echo(f"not asked: {why}", err=True)
    return tuple(found.values())


def exit_without_answer(missed: Sequence[str]) -> NoReturn:
    """Print why no gateway has answered, and exit with 1."""
    click.echo("\n".join(missed), err=True)
    sys.exit(1)


def _ask(path: str, timeout_s: float, member: str, admin: str) -> dict[str, Any] | str:
    """Return the JSON of the reply, or why there is none."""
    try:
        status, body = request(admin, "GET", path, timeout_s, option="--admin")
    except click.UsageError:
        raise
    except click.ClickException as error:
        return error.message
    try:
        reply = json.loads(body)
    except ValueError:
        reply = None
    if not isinstance(reply, dict) or (status == http.client.OK and member not in reply):
        return "what answers there is no gateway of this release"
    return reply if status == http.client.OK else str(reply.get("error", status))
