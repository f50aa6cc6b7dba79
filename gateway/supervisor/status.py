"""Metrics of the configuration in force, and the states of its targets."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec

from gateway.history.target_events import CIRCUIT, TargetEvent, TargetEvents, circuit_of, state_of
from gateway.kernel.clock import Clock
from gateway.observe.node_metrics import NodeMetrics
from gateway.settings.schema.upstreams import TargetSettings, UpstreamSettings
from gateway.table.snapshot import Snapshot
from gateway.upstream.shared_state import TargetRow, UpstreamRow

_decode = msgspec.json.Decoder(dict[str, list[dict[str, int]]]).decode
_MOST_EVENTS = 10


def show(snapshot: Snapshot, metrics: NodeMetrics, clock: Clock) -> None:
    """Show `snapshot` in `metrics`, in place of the configuration before it."""
    config = snapshot.config
    upstreams = list(_upstreams(snapshot))
    targets: dict[tuple[str, ...], Callable[[], float]] = {
        (upstream.id, target.url.label): partial(_up, each, clock)
        for upstream, row in upstreams
        for target, each in zip(upstream.targets, row.targets, strict=True)
    }
    metrics.config_loaded(
        file=snapshot.source,
        digest=snapshot.digest,
        routes=config.route_ids(),
        upstreams=frozenset(upstream.id for upstream in config.upstreams),
        keys=config.key_count(),
        targets=targets,
        breakers={(upstream.id,): partial(_open, row) for upstream, row in upstreams if upstream.breaker is not None},
    )


def target_states(
    snapshot: Snapshot, clock: Clock, connections: Sequence[bytes], events: TargetEvents
) -> list[dict[str, Any]]:
    """Return the states of all targets, by upstream.

    `connections` are the workers' responses to the query `connections`, in JSON. `events` says how they came about.
    """
    now = clock.monotonic()
    counts = [_decode(response) for response in connections]
    shown: list[dict[str, Any]] = []
    for upstream, row in _upstreams(snapshot):
        targets = [
            _target(target, each, now)
            | _past(events, upstream.id, str(target.url))
            | {"connections": _sum([count[upstream.id][number] for count in counts])}
            for number, (target, each) in enumerate(zip(upstream.targets, row.targets, strict=True))
        ]
        circuit = _circuit_breaker(row, now) | _past(events, upstream.id, CIRCUIT)
        shown.append({"id": upstream.id, "circuit": None if upstream.breaker is None else circuit, "targets": targets})
    return shown


def _upstreams(snapshot: Snapshot) -> Iterator[tuple[UpstreamSettings, UpstreamRow]]:
    return ((upstream, snapshot.shared_state.upstreams[upstream.id]) for upstream in snapshot.config.upstreams)


def _sum(counts: list[dict[str, int]]) -> dict[str, int]:
    return {state: sum(count[state] for count in counts) for state in ("idle", "active", "pending")}


def _up(row: TargetRow, clock: Clock) -> float:
    return float(row.up(clock.monotonic()))


def _open(row: UpstreamRow) -> float:
    return float(row.opens > 0)


def _circuit_breaker(row: UpstreamRow, now: float) -> dict[str, Any]:
    state = circuit_of(row, now)
    return {"state": state} | ({"left_s": round(row.open_until - now, 3)} if state == "open" else {})


def _past(events: TargetEvents, upstream: str, target: str) -> dict[str, Any]:
    """Return since when it has its state, if that has changed, and the last changes, the newest first."""
    found = [event for event in reversed(events.events) if (event.upstream, event.target) == (upstream, target)]
    since = events.since(upstream, target)
    return ({} if since is None else {"since": _time(since)}) | (
        {"history": [_change(event) for event in found[:_MOST_EVENTS]]} if found else {}
    )


def _change(event: TargetEvent) -> dict[str, Any]:
    reason = {} if event.reason is None else {"reason": event.reason}
    return {"at": _time(event.at), "before": event.before, "state": event.state, **reason}


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _target(target: TargetSettings, row: TargetRow, now: float) -> dict[str, Any]:
    shown: dict[str, Any] = {"url": str(target.url), "weight": target.weight, "state": state_of(row, now)}
    if row.checked_at:
        verdict, against = row.findings
        at = _time(row.checked_at)
        shown["check"] = {"verdict": verdict.name.lower(), "against": against, "result": row.result, "at": at}
    if row.ejected(now):
        shown["ejection"] = {
            "left_s": round(row.ejected_until - now, 3),
            "reason": row.reason,
            "by_pid": int(row.ejected_by),
        }
    return shown
