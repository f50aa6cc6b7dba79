"""What the pages of any number of gateways say together.

Rates are those of the last minute. Counts add up; of percentiles of several gateways the highest is taken, because they
cannot be added up.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypeAlias, get_args

import msgspec

TopTable: TypeAlias = Literal["routes", "keys", "organizations", "targets"]
TopSort: TypeAlias = Literal["requests", "errors", "limited", "p50", "p95", "p99", "name"]
TABLES: tuple[TopTable, ...] = get_args(TopTable)
SORTS: tuple[TopSort, ...] = get_args(TopSort)
HISTORY, LIMITER, TARGETS, READY = "/history?span=1m&rows=200", "/limiter", "/targets", "/readyz"
"""The pages of a gateway that are needed."""

_NAMES: dict[TopTable, tuple[str, ...]] = {
    "routes": ("route",),
    "keys": ("key",),
    "organizations": ("organization",),
    "targets": ("upstream", "target"),
}
_COUNTS = ("requests", "client_errors", "server_errors", "limited")
_PERCENTILES = ("p50_ms", "p95_ms", "p99_ms", "gateway_p50_ms", "gateway_p95_ms", "gateway_p99_ms")
_MINUTE_S = 60


class TopRow(msgspec.Struct):
    """A route, key, organisation or target, or all requests together.

    `error_rate` is the share of requests that were answered with 5xx, `client_error_rate` that with 4xx, from 0 to 1.
    Percentiles are None where there was no request.
    """

    name: str
    requests_per_s: float
    error_rate: float
    client_error_rate: float
    limited_per_s: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    gateway_p50_ms: float | None
    gateway_p95_ms: float | None
    gateway_p99_ms: float | None


class TopGateway(msgspec.Struct):
    """One of the gateways. `redis` is None for one that has none, or does not say."""

    admin: str
    ready: bool
    redis: Literal["up", "away"] | None
    requests_per_s: float


class GatewayPages(msgspec.Struct):
    """The pages of one gateway; None for one that did not come."""

    admin: str
    history: dict[str, Any]
    limiter: dict[str, Any] | None = None
    targets: dict[str, Any] | None = None
    ready: dict[str, Any] | None = None


class TargetOut(msgspec.Struct):
    """A target that is not called, or an upstream whose circuit is open: then `target` is None.

    `since` is an ISO date, None where it is not known, `admin` the gateway that says so.
    """

    upstream: str
    target: str | None
    state: str
    since: str | None
    admin: str


class Overview(msgspec.Struct):
    """All of it. `near_limits` are callers that have little left, `not_answered` why gateways are missing."""

    gateways: list[TopGateway]
    total: TopRow
    routes: list[TopRow]
    keys: list[TopRow]
    organizations: list[TopRow]
    targets: list[TopRow]
    targets_out: list[TargetOut]
    near_limits: list[dict[str, Any]]
    errors: list[dict[str, Any]]
    not_answered: list[str]


def overview(pages: Sequence[GatewayPages], not_answered: Sequence[str], most: int, sort: TopSort) -> Overview:
    """Combine the pages; each table has the first `most` rows by `sort`."""
    tables = {table: _rows(pages, table) for table in TABLES}
    for name, rows in tables.items():
        tables[name] = ordered(rows, sort)[:most]
    return Overview(
        [_gateway(each) for each in pages],
        _combined("all", [(each.history["total"], _seconds(each.history)) for each in pages]),
        **tables,
        targets_out=[out for each in pages for out in _targets_out(each)],
        near_limits=_near_limits(pages)[:most],
        errors=_errors(pages)[:most],
        not_answered=[*not_answered],
    )


def ordered(rows: Iterable[TopRow], sort: TopSort) -> list[TopRow]:
    """Return the rows with the highest value first, or by name; equal ones by name."""
    return sorted(rows, key=lambda row: (0.0 if sort == "name" else -_value(row, sort), row.name))


def _value(row: TopRow, sort: TopSort) -> float:
    if sort == "requests":
        return row.requests_per_s
    if sort == "errors":
        return row.error_rate * row.requests_per_s
    if sort == "limited":
        return row.limited_per_s
    return {"p50": row.p50_ms, "p95": row.p95_ms, "p99": row.p99_ms}[sort] or 0.0


def _rows(pages: Sequence[GatewayPages], table: TopTable) -> list[TopRow]:
    found: dict[str, list[tuple[Mapping[str, Any], float]]] = {}
    for page in pages:
        for row in page.history.get(table, ()):
            name = " ".join([str(row[part]) for part in _NAMES[table] if row.get(part)])
            found.setdefault(name, []).append((row, _seconds(page.history)))
    return [_combined(name, rows) for name, rows in found.items()]


def _combined(name: str, rows: Sequence[tuple[Mapping[str, Any], float]]) -> TopRow:
    """Add up what gateways have counted, each with the seconds within which it has."""
    rate = {count: sum(float(row[count]) / seconds for row, seconds in rows) for count in _COUNTS}
    requests = rate["requests"]
    slowest: dict[str, float | None] = {
        each: max([row[each] for row, _ in rows if row.get(each) is not None], default=None) for each in _PERCENTILES
    }
    return TopRow(
        name,
        requests_per_s=round(requests, 2),
        error_rate=round(rate["server_errors"] / requests, 4) if requests else 0.0,
        client_error_rate=round(rate["client_errors"] / requests, 4) if requests else 0.0,
        limited_per_s=round(rate["limited"], 2),
        **slowest,
    )


def _seconds(history: Mapping[str, Any]) -> float:
    """Return how many seconds the sums of the last minute stand for: slots of ten seconds, and what there is of one."""
    at, began = (datetime.fromisoformat(history[name]).timestamp() for name in ("at", "began"))
    return max(1.0, min(_MINUTE_S + at % 10, at - began))


def _gateway(pages: GatewayPages) -> TopGateway:
    states = [worker["redis"] for worker in (pages.limiter or {}).get("workers", ()) if worker.get("redis")]
    return TopGateway(
        pages.admin,
        pages.ready is not None,
        None if not states else "up" if all(state.get("up") for state in states) else "away",
        round(pages.history["total"]["requests"] / _seconds(pages.history), 2),
    )


def _targets_out(pages: GatewayPages) -> Iterator[TargetOut]:
    for upstream in (pages.targets or {}).get("upstreams", ()):
        circuit = upstream.get("circuit")
        if circuit is not None and circuit["state"] != "closed":
            yield TargetOut(upstream["id"], None, f"circuit {circuit['state']}", circuit.get("since"), pages.admin)
        for target in upstream["targets"]:
            if target["state"] != "up":
                yield TargetOut(upstream["id"], target["url"], target["state"], target.get("since"), pages.admin)


def _near_limits(pages: Sequence[GatewayPages]) -> list[dict[str, Any]]:
    """Return the callers that have least left; what several gateways say of one limit, as the last of them has it."""
    latest: dict[tuple[object, ...], dict[str, Any]] = {}
    for page in pages:
        for near in page.history.get("near_limits", ()):
            about = (near["key"], near["organization"], near["limit"], near["owner"])
            if about not in latest or latest[about]["at"] < near["at"]:
                latest[about] = near
    return sorted(latest.values(), key=lambda near: (near["remaining"] / max(1, near["max"]), near["key"]))


def _errors(pages: Sequence[GatewayPages]) -> list[dict[str, Any]]:
    found: dict[tuple[object, ...], dict[str, Any]] = {}
    for page in pages:
        for error in page.history.get("errors", ()):
            about = tuple(error[name] for name in ("status", "code", "source", "reason"))
            rate = error["requests"] / _seconds(page.history)
            known = found.setdefault(
                about, {**{name: each for name, each in error.items() if name != "requests"}, "requests_per_s": 0.0}
            )
            known["requests_per_s"] = round(known["requests_per_s"] + rate, 2)
    return sorted(found.values(), key=lambda error: -error["requests_per_s"])
