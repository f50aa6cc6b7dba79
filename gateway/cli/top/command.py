"""The command `gateway top`."""

import contextlib
import sys
from collections.abc import Callable, Sequence
from functools import partial

import click
import msgspec
from rich.console import Console
from rich.live import Live

from gateway.cli.admin_client import addresses_option, ask_all, exit_without_answer, fleet_option, with_fleet
from gateway.cli.tables import output_option
from gateway.cli.top.keyboard import Keyboard, keyboard
from gateway.cli.top.overview import (
    HISTORY,
    LIMITER,
    READY,
    SORTS,
    TABLES,
    TARGETS,
    GatewayPages,
    Overview,
    TopSort,
    TopTable,
    overview,
)
from gateway.cli.top.screen import screen
from gateway.system.clock import SYSTEM_CLOCK

WITHIN_S = 3.0
_WIDTH = 140
"""Of text that is not for a terminal, in characters."""
_CHOICES: dict[str, TopTable] = {"r": "routes", "k": "keys", "o": "organizations", "t": "targets"}


@click.command()
@click.option("--by", type=click.Choice(TABLES), default="routes", show_default=True, help="The table to begin with.")
@click.option("--sort", type=click.Choice(SORTS), default="requests", show_default=True, help="What stands first.")
@click.option("--rows", type=click.IntRange(1, 200), default=20, show_default=True, help="At most so many rows.")
@click.option("--interval", type=click.FloatRange(0.5, 60), default=2.0, show_default=True, help="Seconds.")
@click.option("--once", is_flag=True, help="Print it once, and end.")
@addresses_option
@fleet_option
@output_option
def command(
    by: TopTable,
    sort: TopSort,
    rows: int,
    interval: float,
    admins: tuple[str, ...],
    output: str,
    *,
    fleet: bool,
    once: bool,
) -> None:
    """Show what gateways do: requests, errors, durations, limits and Redis, of the last minute.

    Of several gateways the numbers are added up; of their percentiles the highest is shown. Keys change the table (r,
    k, o, t) and the order (s); q ends it.
    """
    if output == "json" and not once:
        raise click.UsageError("--output json goes with --once")
    if not (once or (sys.stdin.isatty() and sys.stdout.isatty())):
        raise click.UsageError("this needs a terminal; --once prints it once")
    fetch = partial(_fetch, with_fleet(admins, fleet=fleet), rows)
    if once:
        found = fetch(sort)
        if not found.gateways:
            exit_without_answer(found.not_answered)
        if output == "json":
            click.echo(msgspec.json.format(msgspec.json.encode(found)))
        else:
            Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH).print(
                screen(found, by, sort, keys=False)
            )
        return
    with contextlib.suppress(KeyboardInterrupt), keyboard(sys.stdin.fileno()) as keys:
        _show(fetch, by, sort, interval, keys)


def _show(fetch: Callable[[TopSort], Overview], by: TopTable, sort: TopSort, interval_s: float, keys: Keyboard) -> None:
    with Live(console=Console(highlight=False), screen=True, auto_refresh=False) as live:
        while True:
            found, due_s = fetch(sort), SYSTEM_CLOCK.monotonic() + interval_s
            key = None
            while key != "":
                live.update(screen(found, by, sort, keys=True), refresh=True)
                key = keys.wait(due_s - SYSTEM_CLOCK.monotonic())
                if key == "q":
                    return
                by = _CHOICES.get(key, by)
                if key == "s":
                    sort = SORTS[(SORTS.index(sort) + 1) % len(SORTS)]
                    break


def _fetch(admins: Sequence[str], rows: int, sort: TopSort) -> Overview:
    histories, missed = ask_all(admins, HISTORY, WITHIN_S, "total")
    here = [admin for admin, _ in histories]
    limiters = dict(ask_all(here, LIMITER, WITHIN_S, "workers")[0])
    targets = dict(ask_all(here, TARGETS, WITHIN_S, "upstreams")[0])
    ready = dict(ask_all(here, READY, WITHIN_S, "status")[0])
    pages = [
        GatewayPages(admin, page, limiters.get(admin), targets.get(admin), ready.get(admin))
        for admin, page in histories
    ]
    return overview(pages, missed, rows, sort)
