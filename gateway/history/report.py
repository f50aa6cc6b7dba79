"""The history as JSON: the series of all requests, and what a span brought by route, key and so on."""

from collections.abc import Callable, Iterable
from typing import Any

from gateway.history.history import History
from gateway.history.measures import (
    CLIENT_ERRORS,
    DURATION_BOUNDS_S,
    DURATIONS,
    LIMITED,
    OVERHEAD_BOUNDS_S,
    SERVER_ERRORS,
    Counts,
    HistoryDimension,
    Name,
    percentiles_s,
    requests,
    total,
    weight,
)
from gateway.history.timeline import HistorySpan, Point

SHARES = (0.5, 0.95, 0.99)
_NAMES: dict[HistoryDimension, tuple[str, ...]] = {
    "route": ("route",),
    "key": ("key",),
    "organization": ("organization",),
    "target": ("upstream", "target"),
    "error": ("status", "code", "source", "reason"),
    "refusal": ("key", "limit"),
}
_LISTS: dict[HistoryDimension, str] = {
    "route": "routes",
    "key": "keys",
    "organization": "organizations",
    "target": "targets",
    "error": "errors",
    "refusal": "refusals",
}
_WITH_DURATIONS: frozenset[HistoryDimension] = frozenset(("route", "key", "organization", "target"))


def report(
    history: History, span: HistorySpan, most: int, now: float, timestamp: Callable[[float], str]
) -> dict[str, Any]:
    """Return the history with the `most` heaviest rows of each kind. `timestamp` writes a Unix time."""
    timeline = history.timeline
    return {
        "at": timestamp(now),
        "began": timestamp(timeline.began),
        "span": span,
        "seconds": _series(timeline.seconds, 1),
        "ten_seconds": _series(timeline.tens, 10),
        "total": _measures(total(timeline.rows(span, "route").values())),
        **{_LISTS[dimension]: _rows(history, span, dimension, most, now) for dimension in _NAMES},
        "near_limits": [
            {
                "key": near.key,
                "organization": near.organization,
                "limit": near.limit,
                "owner": near.owner,
                "remaining": near.remaining,
                "max": near.most,
                "at": timestamp(at),
            }
            for at, near in history.near_limits(now)[:most]
        ],
    }


def _series(points: Iterable[Point], step_s: int) -> dict[str, Any]:
    """Return slots that follow one another as lists, which is shorter than a list of slots."""
    slots = list(points)
    return {
        "first_at": slots[0].at if slots else None,
        "step_s": step_s,
        "requests": [each.requests for each in slots],
        "client_errors": [each.client_errors for each in slots],
        "server_errors": [each.server_errors for each in slots],
        "limited": [each.limited for each in slots],
        "p50_ms": [_ms(each.p50_s) for each in slots],
        "p95_ms": [_ms(each.p95_s) for each in slots],
        "p99_ms": [_ms(each.p99_s) for each in slots],
        "gateway_p50_ms": [_ms(each.gateway_p50_s) for each in slots],
    }


def _rows(
    history: History, span: HistorySpan, dimension: HistoryDimension, most: int, now: float
) -> list[dict[str, Any]]:
    found = sorted(history.timeline.rows(span, dimension).items(), key=lambda row: weight(row[1]), reverse=True)[:most]
    if dimension not in _WITH_DURATIONS:
        return [_named(dimension, name) | {"requests": requests(counts)} for name, counts in found]
    return [
        _named(dimension, name) | _measures(counts) | {"minutes": history.timeline.spark(dimension, name, now)}
        for name, counts in found
    ]


def _named(dimension: HistoryDimension, name: Name) -> dict[str, Any]:
    return dict(zip(_NAMES[dimension], name, strict=True))


def _measures(counts: Counts) -> dict[str, Any]:
    duration = percentiles_s(counts[:DURATIONS], DURATION_BOUNDS_S, SHARES)
    gateway = percentiles_s(counts[DURATIONS:CLIENT_ERRORS], OVERHEAD_BOUNDS_S, SHARES)
    return {
        "requests": requests(counts),
        "client_errors": counts[CLIENT_ERRORS],
        "server_errors": counts[SERVER_ERRORS],
        "limited": counts[LIMITED],
        **{f"p{100 * share:g}_ms": _ms(each) for share, each in zip(SHARES, duration, strict=True)},
        **{f"gateway_p{100 * share:g}_ms": _ms(each) for share, each in zip(SHARES, gateway, strict=True)},
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 2)
