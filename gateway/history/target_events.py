"""When targets went down, were ejected and came back, as the supervisor sees it by looking once a second."""

from collections import deque
from typing import Literal, TypeAlias

import msgspec

from gateway.table.snapshot import Snapshot
from gateway.upstream.shared_state import TargetRow, UpstreamRow

TargetState: TypeAlias = Literal["up", "ejected", "trial", "down"]
CircuitState: TypeAlias = Literal["closed", "open", "half open"]

KEPT = 200
CIRCUIT = ""
"""Stands for the circuit breaker of an upstream where an event names a target."""


def state_of(row: TargetRow, now: float) -> TargetState:
    """Return the state of a target. `now` is a reading of the monotonic clock."""
    return "down" if row.down else "ejected" if row.ejected(now) else "trial" if row.ejections else "up"


def circuit_of(row: UpstreamRow, now: float) -> CircuitState:
    return "closed" if not row.opens else "open" if now < row.open_until else "half open"


class TargetEvent(msgspec.Struct, frozen=True):
    """A target, or the circuit of `upstream` where `target` is CIRCUIT, has changed its state. `at` is Unix time.

    `reason` is the status or the fault of the last call or check, None where it does not apply.
    """

    at: float
    upstream: str
    target: str
    before: str
    state: str
    reason: str | None


class TargetEvents:
    """Compares the states with those of a second ago. A new target begins as up, a circuit as closed."""

    def __init__(self) -> None:
        self.events: deque[TargetEvent] = deque(maxlen=KEPT)
        """The last events, the newest last."""
        self._states: dict[tuple[str, str], tuple[str, float | None]] = {}
        self._snapshot: Snapshot | None = None
        self._rows: list[tuple[tuple[str, str], TargetRow | UpstreamRow]] = []

    def __repr__(self) -> str:
        return f"<TargetEvents {len(self._states)} watched, {len(self.events)} events>"

    def since(self, upstream: str, target: str) -> float | None:
        """Return since when it has its state, in Unix time; None if it has had it from the beginning."""
        return self._states.get((upstream, target), ("", None))[1]

    def observe(self, snapshot: Snapshot, now: float, wall: float) -> None:
        """Note what has changed. `now` is a reading of the monotonic clock, `wall` of Unix time."""
        if snapshot is not self._snapshot:
            self._watch(snapshot)
        states: dict[tuple[str, str], tuple[str, float | None]] = {}
        for name, row in self._rows:
            state = state_of(row, now) if isinstance(row, TargetRow) else circuit_of(row, now)
            before, since = self._states.get(name, ("up" if isinstance(row, TargetRow) else "closed", None))
            if state != before:
                self.events.append(TargetEvent(wall, *name, before, state, _reason(row, state)))
                since = wall
            states[name] = (state, since)
        self._states = states

    def _watch(self, snapshot: Snapshot) -> None:
        self._snapshot, self._rows = snapshot, []
        for upstream in snapshot.config.upstreams:
            row = snapshot.shared_state.upstreams[upstream.id]
            if upstream.breaker is not None:
                self._rows.append(((upstream.id, CIRCUIT), row))
            for target, each in zip(upstream.targets, row.targets, strict=True):
                self._rows.append(((upstream.id, str(target.url)), each))


def _reason(row: TargetRow | UpstreamRow, state: str) -> str | None:
    if not isinstance(row, TargetRow) or state not in ("ejected", "down"):
        return None
    return str(row.reason if state == "ejected" else row.result)
