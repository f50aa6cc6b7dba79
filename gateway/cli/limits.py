"""The command `gateway limits`."""

import json
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import click

from gateway.cli.friendly_errors import friendly_errors
from gateway.cli.limits_account import reset, show
from gateway.cli.tables import aligned, output_option
from gateway.kernel.limits.token_bucket import Window, most
from gateway.settings import Config, load
from gateway.settings.schema.access import KeySettings
from gateway.settings.schema.routing import RouteSettings
from gateway.table.limits import key_windows, organization_windows, plan_windows, route_windows

_NAMED = 3
SPANS_US = {"second": 1_000_000, "minute": 60_000_000, "hour": 3_600_000_000, "day": 86_400_000_000}


class WorstCase(NamedTuple):
    """The most calls that a caller can make.

    `calls` are by span, None for no limit; `methods` are those with the same result.
    """

    who: str
    route: str
    methods: tuple[str, ...]
    cost: int
    calls: dict[str, int | None]
    limits: tuple[str, ...]


def worst_cases(config: Config) -> Iterator[WorstCase]:
    """Yield the worst cases in general, and those on routes that have limits or costs of their own.

    There is one for each plan, for each organisation with limits, and for each key on behalf of such an organisation.
    Shared limits are counted as if no other caller used them; shadow limits do not count. Keys in Redis may have any
    plan.
    """
    plans, organizations = plan_windows(config), organization_windows(config)
    used = {key.plan for key in config.keys.plain if not key.limits} if config.key_store is None else set(plans)
    for plan, windows in plans.items():
        routes = [
            each for each in config.routes if (plan in used if each.auth == "key" else config.plan_of(each).id == plan)
        ]
        yield from _of(f"plan {plan}", windows, routes)
    for organization, windows in organizations.items():
        if windows:
            yield from _of(f"organization {organization}", windows, ())
    known: dict[tuple[object, ...], list[WorstCase]] = {}
    for key in config.keys:
        alike = (key.plan, key.limits, key.organizations, key.routes)
        if alike not in known:
            known[alike] = list(_of_key(config, key, key_windows(plans[key.plan], key), organizations))
        yield from (each._replace(who=f"key {key.id}{each.who}") for each in known[alike])


def _of_key(
    config: Config, key: KeySettings, own: tuple[Window, ...], organizations: dict[str, tuple[Window, ...]]
) -> Iterator[WorstCase]:
    """`who` of the results is the text that follows the id of the key."""
    shared = {each: windows for each in key.organizations if (windows := organizations.get(each, ()))}
    routes = [route for route in config.routes if route.auth == "key" and _may(key, route)]
    if not key.organizations or len(shared) < len(key.organizations):
        yield from _of("", own, routes)
    for organization, windows in shared.items():
        yield from _of(f", organization {organization}", own + windows, routes)


def _of(who: str, windows: tuple[Window, ...], routes: Sequence[RouteSettings]) -> Iterator[WorstCase]:
    yield _worst(who, "", (), 1, windows)
    for route in routes:
        alike: dict[tuple[int, tuple[Window, ...]], list[str]] = {}
        for method in route.match.methods:
            alike.setdefault((route.cost_of(method), route_windows(route, method)), []).append(method)
        for (cost, more), methods in alike.items():
            if more or cost != 1:
                yield _worst(who, route.id, tuple(methods), cost, windows + more)


def _worst(who: str, route: str, methods: tuple[str, ...], cost: int, windows: tuple[Window, ...]) -> WorstCase:
    windows = tuple(window for window in windows if not window.shadow)
    calls = {name: most(windows, cost, span_us) for name, span_us in SPANS_US.items()}
    return WorstCase(who, route, methods, cost, calls, tuple(window.id for window in windows))


def _may(key: KeySettings, route: RouteSettings) -> bool:
    return key.routes is None or any(fnmatchcase(route.id, pattern) for pattern in key.routes)


@click.group()
def command() -> None:
    """Say what limits amount to, and what a key has used of them."""


command.add_command(show)
command.add_command(reset)


@command.command("worst-case")
@click.option(
    "-c", "--config", "file", type=click.Path(path_type=Path), required=True, metavar="FILE", help="The configuration."
)
@output_option
def worst_case(file: Path, output: str) -> None:
    """Say what a greedy caller can get in any second, minute, hour and day.

    In the worst stretch of that length, wherever it begins, counted by one Redis or one gateway.
    """
    with friendly_errors():
        found = list(worst_cases(load(file)))
    if output == "json":
        click.echo(json.dumps({"worst_cases": [each._asdict() for each in found]}, indent=2))
        return
    header = ("who", "route", "methods", "cost", *SPANS_US, "limits")
    click.echo(aligned(header, [(who, *row) for who, rows in _alike(found) for row in rows]))


def _alike(found: Iterable[WorstCase]) -> Iterator[tuple[str, tuple[tuple[str, ...], ...]]]:
    """Yield the rows of the table by who they are about; keys with the same rows are grouped."""
    keys: dict[tuple[tuple[str, ...], ...], list[str]] = {}
    for who, cases in groupby(found, lambda each: each.who):
        rows = tuple(map(_row, cases))
        if who.startswith("key "):
            keys.setdefault(rows, []).append(who.removeprefix("key "))
        else:
            yield who, rows
    for rows, names in keys.items():
        more = len(names) - _NAMED
        yield f"key {', '.join(names[:_NAMED])}" + (f" and {more} more" if more > 0 else ""), rows


def _row(each: WorstCase) -> tuple[str, ...]:
    return (
        *(each.route or "-", ",".join(each.methods) or "-", str(each.cost)),
        *("no limit" if calls is None else str(calls) for calls in each.calls.values()),
        ", ".join(each.limits) or "-",
    )
