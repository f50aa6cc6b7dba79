"""Counts the exchanges of a worker by route, key, organisation and target, and publishes the counts once a second.

An exchange is one number in one row, which it shares with those of the same route, caller and target. Histograms are
made of the numbers when they are published: a row of a key that has sent one request stays small. What a second brings
is bounded: at most `MOST_ROWS` rows are counted apart, and the heaviest names are published.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TypeAlias

import msgspec

from gateway.exchange import Exchange
from gateway.history.feed import LONGEST_BYTES, ActivityFeed, ActivityReport, NearLimit
from gateway.history.measures import (
    CLIENT_ERRORS,
    DURATION_BOUNDS_S,
    DURATIONS,
    ERRORS_WEIGH,
    LIMITED,
    OTHER,
    OVERHEAD_BOUNDS_S,
    OVERHEADS,
    SERVER_ERRORS,
    WIDTH,
    Counts,
    CountTables,
    Elements,
    add_to,
    bounded,
    empty_tables,
    sampled,
)
from gateway.kernel.limits.token_bucket import Decision
from gateway.kernel.struct_attributes import set_as_slots
from gateway.observe.exchange_series import CalledPlace, ErrorKind, ExchangeSeries
from gateway.table import Caller

PERIOD_S = 1.0
MOST_ROWS = 400
"""The rows, and the names of one kind, that are counted apart within a second: four times as many as are published."""
_MOST_PUBLISHED = (100, 25, 5)
"""How many of them are published, and how many if that is too long."""
_MOST_LIMITS = 50
_OTHERS = (OTHER, OTHER)
_NEAR = 0.25
"""A key is near a limit when no more than this share of it is left."""


AlikeExchanges: TypeAlias = tuple[str, CalledPlace | None, Caller | None]
"""The label of the route, what was called (None without a call) and the caller."""


AlikeErrors: TypeAlias = tuple[ErrorKind, tuple[str, ...]]
"""What errors have in common, and the limits that have refused."""


@set_as_slots
class _Row(msgspec.Struct):
    """Exchanges of about a second that are alike, and the last decision about one of them, made at `decided`.

    `samples` has a number for each of them (see `measures.sampled`), `errors` those of the ones that have failed.
    """

    route: str
    key: tuple[str, str | None] | None
    target: CalledPlace | None
    samples: list[int]
    errors: dict[AlikeErrors, list[int]] = {}
    decision: Decision | None = None
    decided: float = 0.0


_encode = msgspec.msgpack.Encoder().encode


class Activity:
    """Counts for `feed`, of which an entry has at most `most_bytes`. `publish` is called several times a second."""

    def __init__(self, feed: ActivityFeed, most_bytes: int = LONGEST_BYTES) -> None:
        self._feed = feed
        self._most_bytes = most_bytes
        self._due = 0.0
        self._durations, self._overheads = Elements(DURATION_BOUNDS_S), Elements(OVERHEAD_BOUNDS_S)
        self._reset()

    def _reset(self) -> None:
        self._rows: dict[AlikeExchanges, _Row] = {}
        self._kinds_of_errors = 0

    def count(self, x: Exchange, series: ExchangeSeries, total_s: float, own_s: float) -> None:
        """Count an exchange that has ended. `own_s` is the gateway's own part of its duration."""
        alike = (series.route, series.called, x.caller)
        row = self._rows.get(alike) or self._new_row(alike)
        sample = self._durations.of(total_s) * OVERHEADS + self._overheads.of(own_s)
        row.samples.append(sample)
        if series.decided:
            row.decision, row.decided = x.decision, x.decided
        if series.error is not None:
            self._count_error(x, series.error, row, sample)

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

    def _count_error(self, x: Exchange, kind: ErrorKind, row: _Row, sample: int) -> None:
        decision = x.decision
        alike = (kind, () if decision is None or decision.allowed or x.peeked else decision.refused_by)
        samples = row.errors.get(alike)
        if samples is None:
            if self._kinds_of_errors >= MOST_ROWS:
                status, _, source, _ = kind
                alike = ((status - status % 100, None, source, OTHER), ())
            self._kinds_of_errors += 1
            samples = row.errors.setdefault(alike, [])
        samples.append(sample)

    def _new_row(self, alike: AlikeExchanges) -> _Row:
        route, called, caller = alike
        if len(self._rows) >= MOST_ROWS:  # most calls, where very many keys are in use
            others = (route, _OTHERS, None)
            return self._rows.get(others) or self._rows.setdefault(others, _Row(route, _OTHERS, _OTHERS, []))
        key = None if caller is None else (caller.id, caller.organization)
        return self._rows.setdefault(alike, _Row(route, key, called, []))

    def _tables(self) -> CountTables:
        found = empty_tables()
        alike: dict[tuple[str, str | None, CalledPlace | None], list[_Row]] = {}
        keys: dict[str, list[_Row]] = {}
        for row in self._rows.values():
            organization = None
            if row.key is not None:
                key, organization = row.key
                keys.setdefault(key, []).append(row)
            alike.setdefault((row.route, organization, row.target), []).append(row)
            if row.errors:
                for error, samples in row.errors.items():
                    _add_errors(found, row.key, error, samples)
        for (route, organization, target), rows in alike.items():  # few, however many keys there are
            counts = _counts(rows)
            add_to(found["route"], (route,), counts)
            if organization is not None:
                add_to(found["organization"], (organization,), counts)
            if target is not None:
                add_to(found["target"], target, counts)
        ordered = sorted(keys, key=lambda key: _weight(keys[key]), reverse=True)
        found["key"] = {(key,): _counts(keys[key]) for key in ordered[: _MOST_PUBLISHED[0]]}
        if rest := ordered[_MOST_PUBLISHED[0] :]:
            add_to(found["key"], (OTHER,), _counts(list(chain.from_iterable([keys[key] for key in rest]))))
        return found

    def _near_limits(self) -> Iterator[NearLimit]:
        """Yield what is nearly spent, by the last decision about each key."""
        near = {
            row.key
            for row in self._rows.values()
            if row.decision is not None and row.target is not _OTHERS
            for state in row.decision.states
            if state.remaining <= state.window.burst * _NEAR
        }
        last: dict[tuple[str, str | None], _Row] = {}
        for row in self._rows.values() if near else ():
            if row.key is None or row.decision is None or row.key not in near:
                continue
            before = last.get(row.key)
            if before is None or before.decided <= row.decided:
                last[row.key] = row
        for (key, organization), row in last.items():
            for state in () if row.decision is None else row.decision.states:
                most = state.window.burst
                if state.remaining <= most * _NEAR:
                    yield NearLimit(key, organization, state.window.id, state.window.owner, state.remaining, most)


def _weight(rows: Iterable[_Row]) -> int:
    """Return what `measures.weight` does of the counts of `rows`."""
    return sum([len(row.samples) + (ERRORS_WEIGH * _number(row.errors.values()) if row.errors else 0) for row in rows])


def _number(samples: Iterable[list[int]]) -> int:
    return sum(map(len, samples))


def _counts(rows: list[_Row]) -> Counts:
    """Return the counts of `rows`, with their errors."""
    counts = sampled(chain.from_iterable([row.samples for row in rows]))
    for row in rows:
        for ((status, _, _, _), limits), samples in row.errors.items():
            counts[_error_counter(status)] += len(samples)
            counts[LIMITED] += len(samples) if limits else 0
    return counts


def _error_counter(status: int) -> int:
    return SERVER_ERRORS if status >= 500 else CLIENT_ERRORS


def _add_errors(found: CountTables, key: tuple[str, str | None] | None, alike: AlikeErrors, samples: list[int]) -> None:
    """Add the errors of a row to the tables of errors and of refusals."""
    (status, code, source, fault), limits = alike
    number = len(samples)
    counts = [*sampled(samples)[:DURATIONS], *[0] * (WIDTH - DURATIONS)]
    refusals = counts.copy()
    counts[_error_counter(status)] = refusals[LIMITED] = number
    if limits:
        counts[LIMITED] = number
    add_to(found["error"], (str(status), "" if code is None else str(code), source, fault), counts)
    if key is not None:
        for limit in limits:
            add_to(found["refusal"], (key[0], limit), refusals)
