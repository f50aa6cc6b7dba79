"""The command `gateway errors recent`."""

import json
from typing import Any
from urllib.parse import urlencode

import click

from gateway.cli.admin_client import addresses_option, ask_each, fleet_option, with_fleet
from gateway.cli.tables import aligned, output_option
from gateway.observe.access_log import printable

HEADER = ("time", "status", "code", "reason", "source", "route", "key", "request id")
WITHIN_S = 10.0


@click.command()
@click.option("--code", metavar="CODE", help="Of this code of the contract, such as 8000.")
@click.option("--status", metavar="STATUS", help="Of this status, or of a class of them such as 5xx.")
@click.option("--key", metavar="ID", help="Of the key with this id.")
@click.option("--organization", metavar="ID", help="On behalf of this organisation.")
@click.option("--route", metavar="ID", help="On this route.")
@click.option("--source", type=click.Choice(["gateway", "upstream"]), help="Who has made the reply.")
@click.option("--reason", metavar="NAME", help="For this reason, as `gateway errors` names it.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many.")
@addresses_option
@fleet_option
@output_option
def recent(admins: tuple[str, ...], output: str, limit: int, *, fleet: bool, **filters: str | None) -> None:
    """List the last errors that gateways answered, the newest first.

    Each gateway keeps some hundred of them. `gateway requests show` says more about one.
    """
    given = {name: value for name, value in filters.items() if value is not None} | {"limit": str(limit)}
    admins = with_fleet(admins, fleet=fleet)
    answers, missed = ask_each(admins, f"/errors?{urlencode(given)}", WITHIN_S, "errors")
    several = len(admins) > 1
    found = [{**each, **({"gateway": admin} if several else {})} for admin, page in answers for each in page["errors"]]
    found.sort(key=lambda each: str(each["timestamp"]), reverse=True)
    del found[limit:]
    if output == "json":
        click.echo(json.dumps({"errors": found, "not_answered": missed}, indent=2))
        return
    header = (*HEADER, "gateway") if several else HEADER
    click.echo(aligned(header, [_row(each)[: len(header)] for each in found]) if found else "no errors")
    for why in missed:
        click.echo(f"not asked: {why}", err=True)


def _row(record: dict[str, Any]) -> tuple[str, ...]:
    names = ("timestamp", "status", "code", "reason", "source", "route", "key_id", "request_id", "gateway")
    return tuple(printable(str(record.get(name, "-"))) for name in names)
