"""Has a running gateway explain a request."""

import http.client
from typing import Any
from urllib.parse import urlencode

import click
import msgspec

from gateway.cli.admin_client import exit_with_errors, request
from gateway.cli.limits_account import WITHIN_S
from gateway.dry_run.explanation import Explanation
from gateway.dry_run.request import DryRequest


def ask_gateway(admin: str, dry: DryRequest) -> Explanation | None:
    """Return what the gateway at `admin` would do with a request, None when it has no such key or listener.

    Exits with 1 and its error when it does not say.

    Raises click.ClickException when no gateway answers.
    """
    named = {"method": dry.method, "target": dry.target, "key": dry.key_id, "body": dry.body, "listener": dry.listener}
    query: list[tuple[str, Any]] = [(name, value) for name, value in named.items() if value]
    query += [("client", dry.client), *(("header", f"{name}: {value}") for name, value in dry.headers)]
    status, body = request(admin, "GET", f"/explain?{urlencode(query)}", WITHIN_S, option="--admin")
    if status == http.client.NOT_FOUND and b"there is no" in body:
        return None
    if status != http.client.OK:
        exit_with_errors(admin, status, body)
    try:
        return msgspec.json.decode(body, type=Explanation)
    except msgspec.DecodeError:
        raise click.ClickException(f"what answers at {admin} is no gateway, or one of another release") from None
