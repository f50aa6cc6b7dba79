"""Metrics of the configuration in force, and the states of its targets."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec

from gateway.kernel.clock import Clock
from gateway.observe.node_metrics import NodeMetrics
from gateway.settings.schema.upstreams import TargetSettings, UpstreamSettings
from gateway.table.snapshot import Snapshot
from gateway.upstream.shared_state import TargetRow, UpstreamRow

_decode = msgspec.json.Decoder(dict[str, list[dict[str, int]]]).decode


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
        keys=len(config.keys),
        targets=targets,
        breakers={(upstream.id,): partial(_open, row) for upstream, row in upstreams if upstream.breaker is not None},
    )


def target_states(snapshot: Snapshot, clock: Clock, connections: Sequence[bytes]) -> list[dict[str, Any]]:
    """Return the states of all targets, by upstream.

    `connections` are the workers' responses to the query `connections`, in JSON.
    """
    now = clock.monotonic()
    counts = [_decode(response) for response in connections]
    return [
        {
            "id": upstream.id,
            "circuit": None if upstream.breaker is None else _circuit_breaker(row, now),
            "targets": [
                _target(target, each, now) | {"connections": _sum([count[upstream.id][number] for count in counts])}
                for number, (target, each) in enumerate(zip(upstream.targets, row.targets, strict=True))
            ],
        }
        for upstream, row in _upstreams(snapshot)
    ]


def _upstreams(snapshot: Snapshot) -> Iterator[tuple[UpstreamSettings, UpstreamRow]]:
    return ((upstream, snapshot.shared_state.upstreams[upstream.id]) for upstream in snapshot.config.upstreams)


def _sum(counts: list[dict[str, int]]) -> dict[str, int]:
    return {state: sum(count[state] for count in counts) for state in ("idle", "active", "pending")}


def _up(row: TargetRow, clock: Clock) -> float:
    return float(row.up(clock.monotonic()))


def _open(row: UpstreamRow) -> float:
    return float(row.opens > 0)


def _circuit_breaker(row: UpstreamRow, now: float) -> dict[str, Any]:
    if not row.opens:
        return {"state": "closed"}
    if now < row.open_until:
        return {"state": "open", "left_s": round(row.open_until - now, 3)}
    return {"state": "half open"}


def _target(target: TargetSettings, row: TargetRow, now: float) -> dict[str, Any]:
    state = "down" if row.down else "ejected" if row.ejected(now) else "trial" if row.ejections else "up"
    shown: dict[str, Any] = {"url": str(target.url), "weight": target.weight, "state": state}
    if row.checked_at:
        verdict, against = row.findings
        at = datetime.fromtimestamp(row.checked_at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        shown["check"] = {"verdict": verdict.name.lower(), "against": against, "result": row.result, "at": at}
    if row.ejected(now):
        shown["ejection"] = {
            "left_s": round(row.ejected_until - now, 3),
            "reason": row.reason,
            "by_pid": int(row.ejected_by),
        }
    return shown
