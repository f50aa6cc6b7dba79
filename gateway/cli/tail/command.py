"""The command `gateway tail`."""

import asyncio
import contextlib
import json
import sys
from collections.abc import Sequence

import click
import msgspec

from gateway.cli.admin_client import addresses_option, fleet_option, token_option, with_fleet
from gateway.cli.tables import output_option
from gateway.cli.tail.stream import merged
from gateway.observe.access_log import AccessRecord, terminal_line

_decode = msgspec.json.Decoder(AccessRecord).decode


@click.command()
@click.option("--route", metavar="ID", help="Of this route.")
@click.option("--key", metavar="ID", help="Of the key with this id.")
@click.option("--organization", metavar="ID", help="On behalf of this organisation.")
@click.option("--status", metavar="STATUS", help="With this status, such as 429, or a class of them such as 5xx.")
@click.option("--limit", type=click.IntRange(min=1), metavar="NUMBER", help="End after so many lines.")
@addresses_option
@fleet_option
@token_option
@output_option
def command(
    admins: tuple[str, ...], token: str, output: str, limit: int | None, *, fleet: bool, **filters: str | None
) -> None:
    """Follow the access lines of running gateways.

    They have no key and no query, whatever the log of the gateway has. It goes on until Ctrl-C, also when a gateway is
    away for a while. Lines that come faster than they are read are left out, and counted.
    """
    query = {name: value for name, value in filters.items() if value is not None}
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_print(with_fleet(admins, fleet=fleet), token, query, limit, is_json=output == "json"))


async def _print(admins: Sequence[str], token: str, query: dict[str, str], limit: int | None, *, is_json: bool) -> None:
    printed = 0
    async with contextlib.aclosing(merged(admins, token, query)) as found:
        async for admin, line in found:
            source = admin if len(admins) > 1 else ""
            text = _json(line, source) if is_json else _text(line, source)
            if text is None:
                continue
            click.echo(text)
            printed += 1
            if printed == limit:
                return


def _text(line: bytes, source: str) -> str | None:
    """Return a line for people; None for one that says only that lines are followed."""
    try:
        text = terminal_line(_decode(line), colour=sys.stdout.isatty()).rstrip("\n")
    except msgspec.MsgspecError:
        about = json.loads(line)
        if about.get("event") != "lost":
            return None
        text = f"… {about['lines']} lines were left out: they came faster than they were read"
    return f"{source} {text}" if source else text


def _json(line: bytes, source: str) -> str | None:
    about = json.loads(line)
    if about.get("event") == "following":
        return None
    return json.dumps({**about, **({"gateway": source} if source else {})}, separators=(",", ":"))
