"""The command `gateway replay`."""

import asyncio
import json
import sys
from pathlib import Path
from typing import BinaryIO

import click
import msgspec

from gateway.cli.diff import BREAKING, CHANGES
from gateway.cli.explain.ask import ask_gateway
from gateway.cli.friendly_errors import friendly_errors
from gateway.cli.keys.listed import with_listed_keys
from gateway.cli.replay.text import text
from gateway.cli.tables import output_option
from gateway.dry_run.access_lines import CallOutcome, LoggedCall, LogLines
from gateway.dry_run.replay import Baseline, replay
from gateway.dry_run.replay_summary import ReplayCounter
from gateway.dry_run.request import DryRequest
from gateway.dry_run.run import Compiled, compiled
from gateway.kernel.faults import KEY_UNKNOWN
from gateway.settings import load
from gateway.system.clock import SYSTEM_CLOCK


@click.command()
@click.argument("log", type=click.File("rb"), metavar="LOG")
@click.option(
    "-c",
    "--config",
    "file",
    type=click.Path(path_type=Path),
    required=True,
    metavar="NEW",
    help="The configuration to come.",
)
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    metavar="OLD",
    help="Replay under this file too, and compare the two. Otherwise the log itself is compared with.",
)
@click.option(
    "--admin", metavar="ADDRESS", help="Compare with the gateway at this admin listener, and limits with the log."
)
@click.option("--host", default="", metavar="NAME", help="What all calls have named in Host, which is not in the log.")
@click.option("--most", type=click.IntRange(min=1), default=50, show_default=True, help="Lines of changes to print.")
@output_option
def command(
    log: BinaryIO, file: Path, against: Path | None, admin: str | None, host: str, most: int, output: str
) -> None:
    """Say which calls of an access log would meet something else.

    LOG has the lines that a gateway writes (JSON, `-` is standard input). Each call is taken through the stages of the
    configuration NEW: another route, 401, 403, 404, 405, or 429, for which limits run on the clock of the log.

    Exits with 0 if nothing changes, 3 if something does, 4 if a call that was let through would be refused; with 1 if a
    file cannot be used.
    """
    if against is not None and admin is not None:
        raise click.UsageError("--against and --admin exclude one another.")
    lines, counter = LogLines(), ReplayCounter()

    async def run() -> None:
        new = _compiled(file)
        old = None if against is None else _compiled(against)
        field = str(new.credentials.organization_header)
        baseline: Baseline = (lambda call: call.verdict) if admin is None else RunningGateway(admin, field).verdict
        async for replayed in replay(lines.read(log), new, old, baseline, host):
            counter.add(replayed)

    with friendly_errors():
        asyncio.run(run())
    found = counter.summary(lines.unplayable, lines.other_lines)
    click.echo(json.dumps(msgspec.to_builtins(found), indent=2) if output == "json" else text(found, most))
    sys.exit(BREAKING if counter.breaks else CHANGES if counter.changed_calls else 0)


def _compiled(file: Path) -> Compiled:
    return compiled(with_listed_keys(load(file)), SYSTEM_CLOCK, contracts=False)


class RunningGateway:
    """Asks the gateway at `admin` what calls would meet, each once. `organization_field` names the field of those."""

    def __init__(self, admin: str, organization_field: str) -> None:
        self._admin = admin
        self._organization_field = organization_field
        self._known: dict[tuple[str, ...], CallOutcome] = {}

    def verdict(self, call: LoggedCall) -> CallOutcome:
        """Return what `call` would meet now, limits apart. Raises click.ClickException when no gateway answers."""
        about = (call.method, call.path, call.client, call.key_id, call.organization)
        if about not in self._known:
            self._known[about] = self._ask(call)
        return self._known[about]

    def _ask(self, call: LoggedCall) -> CallOutcome:
        headers = ((self._organization_field, call.organization),) if call.organization else ()
        request = DryRequest(
            method=call.method, target=call.path, headers=headers, key_id=call.key_id, client=call.client
        )
        found = ask_gateway(self._admin, request)
        if found is None:
            return CallOutcome(None, KEY_UNKNOWN.status, KEY_UNKNOWN.name)
        route = None if found.route is None else found.route.id
        limited = found.charge is not None and not found.charge.allowed
        if found.outcome.forwarded or found.outcome.code is None or limited:
            return CallOutcome(route, None)
        return CallOutcome(route, found.outcome.status, found.outcome.reason or "")
