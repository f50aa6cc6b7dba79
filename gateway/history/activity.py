"""Counts the exchanges of a worker by route, key, organisation and target, and publishes the counts once a second.

What a second brings is bounded: at most `MOST_ROWS` names are counted apart, and the heaviest of them are published.
"""

from bisect import bisect_left
from collections.abc import Iterator

import msgspec

from gateway.exchange import Exchange, ReplySource
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
    CountTable,
    CountTables,
    HistoryDimension,
    Name,
    add_to,
    bounded,
)
from gateway.kernel.limits.token_bucket import Decision, LimitOwner

PERIOD_S = 1.0
MOST_ROWS = 1000
"""The names of one kind that are counted apart within a second."""
_MOST_PUBLISHED = (100, 25, 5)
"""How many of them are published, and how many if that is too long."""
_MOST_LIMITS = 50
_NEAR = 0.25
"""A key is near a limit when no more than this share of it is left."""
NO_ROUTE = "-"


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


class _KeyRow(msgspec.Struct):
    key: str
    organization: str | None
    counts: Counts
    decision: Decision | None = None


_encode = msgspec.msgpack.Encoder().encode


class Activity:
    """Counts for `feed`, of which an entry has at most `most_bytes`. `publish` is called several times a second."""

    def __init__(self, feed: ActivityFeed, most_bytes: int = LONGEST_BYTES) -> None:
        self._feed = feed
        self._most_bytes = most_bytes
        self._due = 0.0
        self._reset()

    def _reset(self) -> None:
        self._routes: dict[str, Counts] = {}
        self._targets: CountTable = {}
        self._keys: dict[tuple[str, str | None], _KeyRow] = {}
        self._errors: CountTable = {}
        self._refusals: CountTable = {}

    def count(self, x: Exchange, status: int, source: ReplySource, total_s: float) -> None:
        """Count an exchange that has ended."""
        at = bisect_left(DURATION_BOUNDS_S, total_s)
        own = DURATIONS + bisect_left(OVERHEAD_BOUNDS_S, total_s - x.upstream_s - x.client_s)
        route, caller, call = x.route, x.caller, x.call
        name = NO_ROUTE if route is None else route.id
        row = self._routes.get(name) or self._routes.setdefault(name, [0] * WIDTH)
        row[at] += 1
        row[own] += 1
        key = target = None
        if caller is not None:
            key = self._keys.get((caller.id, caller.organization)) or self._new_key(caller.id, caller.organization)
            key.counts[at] += 1
            key.counts[own] += 1
            if x.decision is not None and not x.peeked:
                key.decision = x.decision
        if call is not None and x.upstream_s and route is not None and route.upstream is not None:
            called = (call.upstream or route.upstream.id, "" if x.answer is None else x.answer.target)
            target = self._targets.get(called) or _new(self._targets, called)
            target[at] += 1
            target[own] += 1
        if status >= 400:
            rows = [row, *(() if key is None else (key.counts,)), *(() if target is None else (target,))]
            self._count_error(x, status, source, rows, at)

    def publish(self, now: float) -> None:
        """Publish what was counted, if a second is over. `now` is a reading of the monotonic clock."""
        if now < self._due:
            return
        self._due = now + PERIOD_S
        if not self._routes:
            return
        tables, near = self._tables(), sorted(self._near_limits(), key=lambda each: each.remaining / each.most)
        self._reset()
        for most in _MOST_PUBLISHED:
            shown: CountTables = {dimension: bounded(table, most) for dimension, table in tables.items()}
            content = _encode(ActivityReport(shown, near[: min(most, _MOST_LIMITS)]))
            if len(content) <= self._most_bytes:
                self._feed.write(content)
                return

    def _count_error(self, x: Exchange, status: int, source: ReplySource, rows: list[Counts], at: int) -> None:
        counter = SERVER_ERRORS if status >= 500 else CLIENT_ERRORS
        decision = x.decision
        refused = decision is not None and not decision.allowed and not x.peeked
        code = "" if x.reply is None else str(x.reply.code)
        fault = "" if x.error is None else x.error.fault.name
        error = (str(status), code, source, fault)
        errors = self._errors.get(error) or _new(self._errors, error)
        errors[at] += 1
        rows.append(errors)
        if refused and decision is not None and x.caller is not None:
            names = [state.window.id for state in decision.states if state.retry_s > 0]
            for limit in (*names, *[state.meter.id for state in decision.spent]):
                name = (x.caller.id, limit)
                refusals = self._refusals.get(name) or _new(self._refusals, name)
                refusals[at] += 1
                refusals[LIMITED] += 1
        for row in rows:
            row[counter] += 1
            if refused:
                row[LIMITED] += 1

    def _new_key(self, key: str, organization: str | None) -> _KeyRow:
        name = (key, organization) if len(self._keys) < MOST_ROWS else (OTHER, OTHER)
        return self._keys.get(name) or self._keys.setdefault(name, _KeyRow(*name, [0] * WIDTH))

    def _tables(self) -> CountTables:
        keys: CountTable = {}
        organizations: CountTable = {}
        for row in self._keys.values():
            add_to(keys, (row.key,), row.counts)
            if row.organization is not None:
                add_to(organizations, (row.organization,), row.counts)
        routes: CountTable = {(route,): counts for route, counts in self._routes.items()}
        found: dict[HistoryDimension, CountTable] = {"route": routes, "key": keys, "organization": organizations}
        return {**found, "target": self._targets, "error": self._errors, "refusal": self._refusals}

    def _near_limits(self) -> Iterator[NearLimit]:
        """Yield what is nearly spent, by the last decision about each key."""
        for row in self._keys.values():
            if row.decision is None or row.key == OTHER:
                continue
            for state in row.decision.states:
                most = state.window.burst
                if state.remaining <= most * _NEAR:
                    yield NearLimit(
                        row.key, row.organization, state.window.id, state.window.owner, state.remaining, most
                    )


def _new(table: CountTable, name: Name) -> Counts:
    """Return a new row of `table`; that of all others where there are too many."""
    if len(table) >= MOST_ROWS:
        name = (OTHER,) * len(name)
    return table.setdefault(name, [0] * WIDTH)
