"""Counts the exchanges of a worker by route, key, organisation and target, and publishes the counts once a second.

An exchange counts in one row, which it shares with those of the same route, caller and target. What rows have in common
is added up when they are published. What a second brings is bounded: at most `MOST_ROWS` rows are counted apart, and
the heaviest names are published.
"""

from bisect import bisect_left
from collections.abc import Iterator
from typing import TypeAlias

import msgspec

from gateway.exchange import Exchange
from gateway.history.feed import LONGEST_BYTES, ActivityFeed
from gateway.history.measures import (
    CLIENT_ERRORS,
    DURATION_BOUNDS_S,
    DURATIONS,
    LIMITED,
    OTHER,
    OVERHEAD_BOUNDS_S,
    SERVER_ERRORS,
    WIDTH,
    Counts,
    CountTables,
    add_to,
    added,
    bounded,
    empty_tables,
    requests,
    total,
)
from gateway.kernel.limits.token_bucket import Decision, LimitOwner
from gateway.observe.exchange_series import CalledPlace, ErrorKind, ExchangeSeries
from gateway.table import Caller

PERIOD_S = 1.0
MOST_ROWS = 1000
"""The rows, and the names of one kind, that are counted apart within a second."""
_MOST_PUBLISHED = (100, 25, 5)
"""How many of them are published, and how many if that is too long."""
_MOST_LIMITS = 50
_OTHERS = (OTHER, OTHER)
_NEAR = 0.25
"""A key is near a limit when no more than this share of it is left."""


class NearLimit(msgspec.Struct, frozen=True, array_like=True):
    """A key that has little left of a limit: `remaining` of the `most` calls that it may make at once."""

    key: str
    organization: str | None
    limit: str
    owner: LimitOwner
    remaining: int
    most: int


class ActivityReport(msgspec.Struct, frozen=True, array_like=True):
    """What a worker has counted within about a second."""

    tables: CountTables
    near_limits: list[NearLimit]


AlikeExchanges: TypeAlias = tuple[str, CalledPlace | None, Caller | None]
"""The label of the route, what was called (None without a call) and the caller."""


AlikeErrors: TypeAlias = tuple[ErrorKind, tuple[str, ...]]
"""What errors have in common, and the limits that have refused."""


class _Row(msgspec.Struct):
    """Exchanges that are alike, the errors among them, and the last decision about one of them, made at `decided`."""

    route: str
    key: tuple[str, str | None] | None
    target: CalledPlace | None
    counts: Counts
    errors: dict[AlikeErrors, Counts] = {}
    decision: Decision | None = None
    decided: float = 0.0


_encode = msgspec.msgpack.Encoder().encode


class Activity:
    """Counts for `feed`, of which an entry has at most `most_bytes`. `publish` is called several times a second."""

    def __init__(self, feed: ActivityFeed, most_bytes: int = LONGEST_BYTES) -> None:
        self._feed = feed
        self._most_bytes = most_bytes
        self._due = 0.0
        self._reset()

    def _reset(self) -> None:
        self._rows: dict[AlikeExchanges, _Row] = {}
        self._kinds_of_errors = 0

    def count(self, x: Exchange, series: ExchangeSeries, total_s: float, own_s: float) -> None:
        """Count an exchange that has ended. `own_s` is the gateway's own part of its duration."""
        alike = (series.route, series.called, x.caller)
        row = self._rows.get(alike) or self._new_row(alike)
        at = bisect_left(DURATION_BOUNDS_S, total_s)
        counts = row.counts
        counts[at] += 1
        counts[DURATIONS + bisect_left(OVERHEAD_BOUNDS_S, own_s)] += 1
        if series.decided:
            row.decision, row.decided = x.decision, x.decided
        if series.error is not None:
            self._count_error(x, series.error, row, at)

    def publish(self, now: float) -> None:
        """Publish what was counted, if a second is over. `now` is a reading of the monotonic clock."""
        if now < self._due:
            return
        self._due = now + PERIOD_S
        if not self._rows:
            return
        tables, near = self._tables(), sorted(self._near_limits(), key=lambda each: each.remaining / each.most)
        self._reset()
        for most in _MOST_PUBLISHED:
            shown: CountTables = {dimension: bounded(table, most) for dimension, table in tables.items()}
            content = _encode(ActivityReport(shown, near[: min(most, _MOST_LIMITS)]))
            if len(content) <= self._most_bytes:
                self._feed.write(content)
                return

    def _count_error(self, x: Exchange, kind: ErrorKind, row: _Row, at: int) -> None:
        decision = x.decision
        refused_by = () if decision is None or decision.allowed or x.peeked else decision.refused_by
        alike = (kind, refused_by)
        counts = row.errors.get(alike)
        if counts is None:
            if self._kinds_of_errors >= MOST_ROWS:
                status, _, source, _ = kind
                alike = ((status - status % 100, None, source, OTHER), ())
            self._kinds_of_errors += 1
            counts = row.errors.setdefault(alike, [0] * WIDTH)
        counts[at] += 1

    def _new_row(self, alike: AlikeExchanges) -> _Row:
        route, called, caller = alike
        if len(self._rows) >= MOST_ROWS:  # most calls, where very many keys are in use
            others = (route, _OTHERS, None)
            return self._rows.get(others) or self._rows.setdefault(others, _Row(route, _OTHERS, _OTHERS, [0] * WIDTH))
        key = None if caller is None else (caller.id, caller.organization)
        return self._rows.setdefault(alike, _Row(route, key, called, [0] * WIDTH))

    def _tables(self) -> CountTables:
        found = empty_tables()
        alike: dict[tuple[str, str | None, CalledPlace | None], list[Counts]] = {}
        for row in self._rows.values():
            for error, counts in row.errors.items():
                self._add_errors(found, row, error, counts)
            key, organization = row.key or (None, None)
            if key is not None:
                add_to(found["key"], (key,), row.counts)
            alike.setdefault((row.route, organization, row.target), []).append(row.counts)
        for (route, organization, target), rows in alike.items():  # few, however many keys there are
            counts = total(rows)
            add_to(found["route"], (route,), counts)
            if organization is not None:
                add_to(found["organization"], (organization,), counts)
            if target is not None:
                add_to(found["target"], target, counts)
        return found

    def _add_errors(self, found: CountTables, row: _Row, alike: AlikeErrors, counts: Counts) -> None:
        """Add errors that are alike to those of all rows, and to the counters of their own row."""
        (status, code, source, fault), limits = alike
        number = requests(counts)
        counts[SERVER_ERRORS if status >= 500 else CLIENT_ERRORS] = number
        if limits:
            counts[LIMITED] = number
        row.counts = added(row.counts, [0] * CLIENT_ERRORS + counts[CLIENT_ERRORS:])
        add_to(found["error"], (str(status), "" if code is None else str(code), source, fault), counts)
        if row.key is not None:
            refusals = [*counts[:CLIENT_ERRORS], 0, 0, number]
            for limit in limits:
                add_to(found["refusal"], (row.key[0], limit), refusals)

    def _near_limits(self) -> Iterator[NearLimit]:
        """Yield what is nearly spent, by the last decision about each key."""
        last: dict[tuple[str, str | None], _Row] = {}
        for row in self._rows.values():
            if row.key is None or row.decision is None or row.key[0] == OTHER:
                continue
            before = last.get(row.key)
            if before is None or before.decided <= row.decided:
                last[row.key] = row
        for (key, organization), row in last.items():
            for state in () if row.decision is None else row.decision.states:
                most = state.window.burst
                if state.remaining <= most * _NEAR:
                    yield NearLimit(key, organization, state.window.id, state.window.owner, state.remaining, most)
