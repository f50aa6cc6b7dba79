"""The command `gateway explain`."""

import asyncio
import json
from pathlib import Path

import click
import msgspec

from gateway.cli.admin_client import address_option
from gateway.cli.explain.ask import ask_gateway
from gateway.cli.explain.text import text
from gateway.cli.friendly_errors import friendly_errors
from gateway.cli.keys.listed import with_listed_keys
from gateway.cli.limits_account import key_id
from gateway.cli.tables import output_option
from gateway.dry_run.explanation import Explanation, explain
from gateway.dry_run.limiter import PeekingLimiter
from gateway.dry_run.request import DryRequest
from gateway.dry_run.run import DryRun, DryRunError, compiled
from gateway.limiter.memory_limiter import LocalLimiter
from gateway.openapi.compile import check_contracts
from gateway.settings import Config, load
from gateway.system.clock import SYSTEM_CLOCK


def headers(_: click.Context, __: click.Parameter, value: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Split each `Name: value`."""
    parts = [each.partition(":") for each in value]
    for name, colon, _rest in parts:
        if not colon or not name.strip():
            raise click.BadParameter(f"write `Name: value`, not `{name}`")
    return tuple((name.strip(), content.strip()) for name, _, content in parts)


@click.command()
@click.argument("method")
@click.argument("target")
@click.option("-c", "--config", "file", type=click.Path(path_type=Path), metavar="FILE", help="Explain by this file.")
@address_option("--admin")
@click.option("--key-id", "key", default="", metavar="ID", callback=key_id, help="The caller's key, by its id.")
@click.option(
    "-H",
    "--header",
    "fields",
    multiple=True,
    metavar="'NAME: VALUE'",
    callback=headers,
    help="A header field of the request; may be repeated.",
)
@click.option("-d", "--data", "body", default="", metavar="TEXT", help="The body of the request.")
@click.option("--client", default="127.0.0.1", show_default=True, metavar="IP", help="The address that connects.")
@click.option("--listener", default="", metavar="ID", help="The listener it comes to.  [default: the first one]")
@click.option(
    "--reveal", is_flag=True, help="With -c: show header values that look like secrets, which are masked otherwise."
)
@output_option
def command(
    method: str,
    target: str,
    file: Path | None,
    *,
    admin: str,
    key: str,
    fields: tuple[tuple[str, str], ...],
    body: str,
    client: str,
    listener: str,
    reveal: bool,
    output: str,
) -> None:
    """Say what the gateway would do with a request, and why.

    TARGET is the path with its query. The request goes through the stages of the gateway itself, with the configuration
    of -c FILE, where nothing is used of any limit yet, or else with that of the running gateway at --admin, which knows
    what is left. Nothing is sent to a service, and nothing is charged.
    """
    dry = DryRequest(
        method=method, target=target, headers=fields, body=body, key_id=key, client=client, listener=listener
    )
    if file is None:
        if reveal:
            raise click.UsageError("--reveal belongs to -c: a running gateway shows no secrets.")
        answer = ask_gateway(admin, dry)
        if answer is None:
            raise click.ClickException("there is no key, or no listener, of this id")
        found = answer
    else:
        with friendly_errors():
            config = load(file, more_checks=check_contracts)
            found = _explained(with_listed_keys(config) if key else config, dry, reveal=reveal)
    click.echo(json.dumps(msgspec.to_builtins(found), indent=2) if output == "json" else text(found))


def _explained(config: Config, dry: DryRequest, *, reveal: bool) -> Explanation:
    async def run() -> Explanation:
        limiter = PeekingLimiter(LocalLimiter(SYSTEM_CLOCK), SYSTEM_CLOCK)
        return await explain(DryRun(compiled(config, SYSTEM_CLOCK), limiter, SYSTEM_CLOCK), dry, reveal=reveal)

    try:
        return asyncio.run(run())
    except DryRunError as error:
        raise click.ClickException(str(error)) from None
