"""Shows the audit trail of a gateway, or of all that share its Redis."""

import http.client
import json
from typing import Any
from urllib.parse import urlencode

import click

from gateway.cli.admin_client import address_option, exit_with_errors, request
from gateway.cli.tables import aligned, output_option

HEADER = ("time", "who", "from", "action", "object", "before", "after")
WITHIN_S = 30.0
_LONGEST_CELL = 80


@click.command()
@click.option("--since", metavar="WHEN", help="A duration such as 24h, or an instant such as 2026-11-30T00:00:00Z.")
@click.option("--object", metavar="NAME", help="What was changed, such as the id of a key; `acme-*` for all of them.")
@click.option("--action", metavar="NAME", help="What was done, such as keys.rotate; `keys.*` for all of them.")
@click.option("--limit", metavar="NUMBER", help="At most so many, the newest ones.  [default: 100]")
@address_option("--admin")
@output_option
def command(admin: str, output: str, **filters: str | None) -> None:
    """Say who has changed what.

    With Redis these are the changes of all gateways that share it, and of `gateway keys`; without it those that this
    gateway has made since it was started.
    """
    wanted = {name: value for name, value in filters.items() if value is not None}
    path = f"/audit?{urlencode(wanted)}" if wanted else "/audit"
    status, body = request(admin, "GET", path, WITHIN_S, option="--admin")
    if status != http.client.OK:
        exit_with_errors(admin, status, body)
    page = json.loads(body)
    if output == "json":
        click.echo(json.dumps(page, indent=2))
        return
    if "problem" in page:
        click.echo(f"only the changes of this gateway: {page['problem']}", err=True)
    click.echo(aligned(HEADER, [_row(record) for record in page["records"]]) if page["records"] else "no changes")


def _row(record: dict[str, Any]) -> tuple[str, ...]:
    action = record["action"] if record["outcome"] == "done" else f"{record['action']} ({record['outcome']})"
    return (
        *(record["at"], record["who"], record["from"], action, record["object"]),
        *(_cell(record.get("before")), _cell(record.get("after"))),
    )


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    text = ", ".join(f"{name}={_text(each)}" for name, each in value.items()) if isinstance(value, dict) else str(value)
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 1]}…"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
