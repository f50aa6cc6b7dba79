"""The command `gateway requests show`."""

import json
import re
import sys
from collections.abc import Sequence
from typing import Any

import click

from gateway.cli.admin_client import addresses_option, ask_each
from gateway.cli.tables import output_option
from gateway.observe.access_log import printable

WITHIN_S = 15.0
_ID = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FIRST = (
    "timestamp",
    "status",
    "code",
    "reason",
    "cause",
    "source",
    "method",
    "path",
    "route",
    "key_id",
    "organization",
)
"""The fields that stand first, in this order, where a record has them."""


@click.group()
def command() -> None:
    """Say what happened to a request."""


@command.command()
@click.argument("request_id", metavar="ID")
@addresses_option
@output_option
def show(request_id: str, admins: tuple[str, ...], output: str) -> None:
    """Say what happened to the request with this `requestId`.

    The gateway that is asked asks all others that share its Redis. What ended in an error is kept for a while.
    Exits with 1 if nobody knows it.
    """
    wanted = request_id.lower()
    if _ID.fullmatch(wanted) is None:
        raise click.BadParameter("a requestId is 36 characters, such as 6d84e126-d10c-4e52-bbfb-bd4c92bc8333")
    answers, missed = ask_each(admins, f"/requests/{wanted}", WITHIN_S, "records")
    records = _merged([record for _, page in answers for record in page["records"]])
    absent = {each["id"]: each for _, page in answers for each in page["not_answered"]}.values()
    silent = [*missed, *(f"{each['host']} ({each['admin'] or 'no address'}): {each['reason']}" for each in absent)]
    if output == "json":
        click.echo(json.dumps({"request_id": wanted, "records": records, "not_answered": silent}, indent=2))
    elif records:
        click.echo("\n\n".join(map(_text, records)))
    else:
        click.echo("nobody knows this requestId: the request succeeded, or it is too long ago, or it went elsewhere")
    if output == "text":
        for why in silent:
            click.echo(f"not asked: {why}", err=True)
    sys.exit(0 if records else 1)


def _merged(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each record once: several gateways that are asked may know the same others."""
    different = {json.dumps({**each, "gateway": each["gateway"]["id"]}, sort_keys=True): each for each in records}
    return [*different.values()]


def _text(record: dict[str, Any]) -> str:
    gateway = record["gateway"]
    rest = [name for name in record if name not in (*_FIRST, "gateway", "request_id")]
    lines = [(name, record[name]) for name in (*_FIRST, *rest) if name in record]
    lines.append(("gateway", f"{gateway['host']} ({gateway['admin'] or gateway['id']})"))
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name.ljust(width)}  {printable(str(value))}" for name, value in lines)
