"""Shows the audit trail of a gateway, or of all that share its Redis."""

import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click
import msgspec

from gateway.audit.query import audit_query
from gateway.audit.redis_stream import read_records
from gateway.cli.admin_client import address_option, exit_with_errors, request
from gateway.cli.friendly_errors import friendly_errors
from gateway.cli.tables import aligned, output_option
from gateway.redis_client.address import RedisConnectionError
from gateway.settings import load
from gateway.system.clock import SYSTEM_CLOCK

HEADER = ("time", "who", "from", "action", "object", "before", "after")
WITHIN_S = 30.0
_LONGEST_CELL = 80


@click.command()
@click.option("--since", metavar="WHEN", help="A duration such as 24h, or an instant such as 2026-11-30T00:00:00Z.")
@click.option("--object", metavar="NAME", help="What was changed, such as the id of a key; `acme-*` for all of them.")
@click.option("--action", metavar="NAME", help="What was done, such as keys.rotate; `keys.*` for all of them.")
@click.option("--limit", metavar="NUMBER", help="At most so many, the newest ones.  [default: 100]")
@click.option(
    "-c", "--config", "file", type=click.Path(path_type=Path), metavar="FILE", help="Read the Redis of this file."
)
@address_option("--admin")
@output_option
def command(file: Path | None, admin: str, output: str, **filters: str | None) -> None:
    """Say who has changed what.

    Asks the gateway at --admin, or reads the Redis of a file. With Redis these are the changes of all gateways that
    share it, and of `gateway keys`; without it those that the gateway has made since it was started.
    """
    wanted = {name: value for name, value in filters.items() if value is not None}
    page = _asked(admin, wanted) if file is None else _read(file, wanted)
    if output == "json":
        click.echo(json.dumps(page, indent=2))
        return
    if "problem" in page:
        click.echo(f"only the changes of this gateway: {page['problem']}", err=True)
    click.echo(aligned(HEADER, [_row(record) for record in page["records"]]) if page["records"] else "no changes")


def _asked(admin: str, wanted: dict[str, str]) -> dict[str, Any]:
    path = f"/audit?{urlencode(wanted)}" if wanted else "/audit"
    status, body = request(admin, "GET", path, WITHIN_S, option="--admin")
    if status != http.client.OK:
        exit_with_errors(admin, status, body)
    page: dict[str, Any] = json.loads(body)
    return page


def _read(file: Path, wanted: dict[str, str]) -> dict[str, Any]:
    """Return the records in Redis in the form of the admin listener. Raises click.ClickException."""
    try:
        query = audit_query(wanted, SYSTEM_CLOCK.wall())
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    with friendly_errors():
        redis = load(file).redis
    if redis is None:
        raise click.ClickException(f"{file} has no Redis: the gateway itself knows its changes, ask it with --admin")
    try:
        records = read_records(redis.login_url(), redis.key_prefix, query)
    except RedisConnectionError as error:
        raise click.ClickException(f"Redis: {error}") from None
    return {"scope": "fleet", "records": [msgspec.to_builtins(record) for record in records]}


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
