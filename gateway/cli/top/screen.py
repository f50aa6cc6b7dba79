"""Draws an overview with rich."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gateway.cli.top.overview import Overview, TargetOut, TopRow, TopSort, TopTable
from gateway.observe.access_log import printable

KEYS = "r routes  k keys  o organisations  t targets  s sort  q quit"
_ALARMING_RATE = 0.01
_MOST_NEAR = 5
_MOST_ERRORS = 5
_MOST_OUT = 10


def screen(overview: Overview, table: TopTable, sort: TopSort, *, keys: bool) -> RenderableType:
    """Return what is shown: a summary, one table, limits that are near, and errors. `keys` adds what keys do."""
    parts: list[RenderableType] = [_summary(overview), _table(getattr(overview, table), table, sort)]
    if overview.near_limits:
        parts.append(_near_limits(overview))
    if overview.errors:
        parts.append(_errors(overview))
    parts += [_out(out, len(overview.gateways)) for out in overview.targets_out[:_MOST_OUT]]
    parts += [Text(printable(f"not asked: {why}"), "yellow") for why in overview.not_answered]
    if keys:
        parts.append(Text(KEYS, "dim"))
    return Group(*parts)


def _summary(overview: Overview) -> Text:
    total, gateways = overview.total, overview.gateways
    text = Text(f"{total.requests_per_s:.1f} requests/s", "bold")
    text.append(f"  5xx {_percent(total.error_rate)}", "red" if total.error_rate >= _ALARMING_RATE else "")
    text.append(f"  4xx {_percent(total.client_error_rate)}  limited {total.limited_per_s:.1f}/s", "")
    text.append(f"  p50 {_ms(total.p50_ms)}  p95 {_ms(total.p95_ms)}  p99 {_ms(total.p99_ms)} ms", "")
    text.append(f"  gateway p95 {_ms(total.gateway_p95_ms)} ms\n", "")
    for number, gateway in enumerate(gateways):
        text.append("\n" if number else "")
        text.append(f"{gateway.admin}  {gateway.requests_per_s:.1f}/s  ")
        text.append("ready" if gateway.ready else "not ready", "" if gateway.ready else "red")
        if gateway.redis is not None:
            text.append(f"  redis {gateway.redis}", "red" if gateway.redis == "away" else "")
    return text


def _table(rows: Sequence[TopRow], name: TopTable, sort: TopSort) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", title=f"{name} by {sort}", title_justify="left")
    table.add_column(name.removesuffix("s").upper(), overflow="ellipsis", no_wrap=True)
    for column in ("REQUESTS/S", "5XX", "4XX", "LIMITED/S", "P50 MS", "P95 MS", "P99 MS"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            Text(printable(row.name) or "-"),
            f"{row.requests_per_s:.1f}",
            Text(_percent(row.error_rate), "red" if row.error_rate >= _ALARMING_RATE else ""),
            _percent(row.client_error_rate),
            f"{row.limited_per_s:.1f}",
            *map(_ms, (row.p50_ms, row.p95_ms, row.p99_ms)),
        )
    return table


def _near_limits(overview: Overview) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", title="near their limits", title_justify="left")
    for column in ("KEY", "ORGANIZATION", "LIMIT", "LEFT"):
        table.add_column(column, no_wrap=True, overflow="ellipsis")
    for near in overview.near_limits[:_MOST_NEAR]:
        names = [Text(printable(str(near[name] or "-"))) for name in ("key", "organization", "limit")]
        table.add_row(*names, f"{near['remaining']}/{near['max']}")
    return table


def _errors(overview: Overview) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", title="errors", title_justify="left")
    for column in ("STATUS", "CODE", "SOURCE", "REASON", "PER SECOND"):
        table.add_column(column, no_wrap=True, overflow="ellipsis")
    for error in overview.errors[:_MOST_ERRORS]:
        about = [Text(printable(str(error[name] or "-"))) for name in ("status", "code", "source", "reason")]
        table.add_row(*about, f"{error['requests_per_s']:.1f}")
    return table


def _out(out: TargetOut, gateways: int) -> Text:
    since = "" if out.since is None else f" since {out.since}"
    by = f", says {out.admin}" if gateways > 1 else ""
    return Text(printable(f"{out.upstream} {out.target or ''}".rstrip() + f": {out.state}{since}{by}"), "red")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _ms(duration_ms: float | None) -> str:
    return "-" if duration_ms is None else f"{duration_ms:.1f}"
