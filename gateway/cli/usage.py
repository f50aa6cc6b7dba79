"""The command `gateway usage`."""

import csv
import http.client
import io
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import click
import msgspec

from gateway.accounting.query import DIMENSIONS, Dimension, UsageQuery, usage_query
from gateway.accounting.statement import UsageStatement, UsageSums, read_statement
from gateway.cli.admin_client import address_option, exit_with_errors, request
from gateway.cli.friendly_errors import friendly_errors
from gateway.cli.limits_account import key_id
from gateway.cli.tables import aligned
from gateway.redis_client.address import RedisConnectionError
from gateway.settings import load
from gateway.system.clock import SYSTEM_CLOCK

WITHIN_S = 30.0
NUMBERS = ("calls", "errors", "request_bytes", "response_bytes", "callers")


def optional_key_id(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Reject the secret of a key, which must not appear in a URL."""
    return None if value is None else key_id(context, parameter, value)


@click.command()
@click.option(
    "-c", "--config", "file", type=click.Path(path_type=Path), metavar="FILE", help="Read the Redis of this file."
)
@address_option("--admin")
@click.option(
    "--by",
    type=click.Choice(DIMENSIONS),
    multiple=True,
    default=("organization",),
    show_default=True,
    help="A row for each of these; may be given several times.",
)
@click.option("--month", metavar="YYYY-MM", help="A calendar month in UTC.  [default: this one]")
@click.option("--from", "first", metavar="YYYY-MM-DD", help="The first day, in place of a month.")
@click.option("--to", "last", metavar="YYYY-MM-DD", help="The last day.  [default: today]")
@click.option("--organization", metavar="ORG", help="Only of this organisation.")
@click.option("--key", metavar="ID", callback=optional_key_id, help="Only of the key with this id.")
@click.option("--route", metavar="ID", help="Only on this route.")
@click.option(
    "--output",
    type=click.Choice(["text", "json", "csv"]),
    default="text",
    show_default=True,
    help="For people, for programs, or for spreadsheets.",
)
def command(
    file: Path | None,
    admin: str,
    by: tuple[str, ...],
    first: str | None,
    last: str | None,
    output: str,
    **more: str | None,
) -> None:
    """Say what organisations, keys and routes have used, for invoices.

    Asks the gateway at --admin, for 31 days at most, or reads the Redis of a file. Gateways count with
    `observability.usage`. Days are those of UTC.
    """
    given = {**more, "from": first, "to": last, "by": ",".join(dict.fromkeys(by))}
    parameters = {name: value for name, value in given.items() if value is not None}
    try:
        query = usage_query(parameters, datetime.fromtimestamp(SYSTEM_CLOCK.wall(), UTC).date())
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    found = _asked(admin, parameters) if file is None else _read(file, query)
    if output == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
    elif output == "csv":
        click.echo(_csv(found), nl=False)
    else:
        click.echo(_text(found))


def _asked(admin: str, parameters: dict[str, str]) -> UsageStatement:
    status, body = request(admin, "GET", f"/usage?{urlencode(parameters)}", WITHIN_S, option="--admin")
    if status != http.client.OK:
        exit_with_errors(admin, status, body)
    try:
        return msgspec.json.decode(body, type=UsageStatement)
    except msgspec.MsgspecError:
        raise click.ClickException(f"what answers at {admin} is no gateway of this release") from None


def _read(file: Path, query: UsageQuery) -> UsageStatement:
    with friendly_errors():
        redis = load(file).redis
    if redis is None:
        raise click.ClickException("usage is kept in Redis, and this configuration has none")
    try:
        return read_statement(redis.login_url(), redis.key_prefix, query)
    except RedisConnectionError as error:
        raise click.ClickException(f"Redis: {error}") from None


def _csv(found: UsageStatement) -> str:
    """Return the rows as CSV (RFC 4180, with a header line), with a column for each quota."""
    quotas = [*found.total.quotas]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*found.by, *NUMBERS, *[f"quota:{quota}" for quota in quotas]])
    for row in found.rows:
        writer.writerow([*_names(row, found.by), *_numbers(row, quotas)])
    return text.getvalue()


def _text(found: UsageStatement) -> str:
    period = f"{found.first} to {found.last}"
    if not found.rows:
        return f"{period}: no usage"
    quotas = [*found.total.quotas]
    header = [*found.by, *[name.replace("_", " ") for name in NUMBERS], *[f"quota {quota}" for quota in quotas]]
    rows = [[name or "-" for name in _names(row, found.by)] + _numbers(row, quotas) for row in found.rows]
    total = ["total", *[""] * (len(found.by) - 1), *_numbers(found.total, quotas)]
    return f"{period}\n{aligned(header, [*rows, total])}"


def _names(row: UsageSums, by: tuple[Dimension, ...]) -> list[str]:
    return [getattr(row, dimension) for dimension in by]


def _numbers(row: UsageSums, quotas: list[str]) -> list[str]:
    return [str(getattr(row, name)) for name in NUMBERS] + [str(row.quotas.get(quota, 0)) for quota in quotas]
