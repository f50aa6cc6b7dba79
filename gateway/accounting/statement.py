"""Reads the usage in Redis, and sums up what was asked for.

A day is read in pieces, so that Redis is never held up. What is added meanwhile is in the sums or not. Distinct callers
are keys, which are counted exactly, and client addresses on open routes, which are estimated (to 0.8 %).
"""

from collections.abc import Iterator
from datetime import date
from math import inf
from typing import Any

import msgspec
import redis

from gateway.accounting.counts import CALLS, ERRORS, NUMBERS, REQUEST_BYTES, RESPONSE_BYTES, UsageRow
from gateway.accounting.query import DIMENSIONS, Dimension, UsageQuery
from gateway.accounting.storage import callers_key, read_row, rows_key
from gateway.redis_client.address import RedisConnectionError, text_of
from gateway.redis_client.blocking_client import client_for

_BATCH = 1000
_NO_KEYS = frozenset({"", "anonymous"})
"""What stands in the place of a key where there is none."""


class UsageSums(msgspec.Struct, omit_defaults=True):
    """What a group of calls has used. Of the dimensions only those are set by which it was grouped.

    `callers` is the number of distinct keys, and of client addresses without a key on open routes.
    """

    calls: int
    errors: int
    request_bytes: int
    response_bytes: int
    callers: int
    quotas: dict[str, int]
    day: str | None = None
    organization: str | None = None
    key: str | None = None
    route: str | None = None


class UsageStatement(msgspec.Struct, rename={"first": "from", "last": "to"}):
    """The answer to a query. `total` sums up all rows."""

    first: date
    last: date
    by: tuple[Dimension, ...]
    rows: list[UsageSums]
    total: UsageSums


class TooManyRowsError(Exception):
    """The answer would have more rows than were asked for at most."""


class _Group:
    """The sums of the rows with the same values of the dimensions."""

    __slots__ = ("keys", "numbers", "open_routes", "quotas")

    def __init__(self) -> None:
        self.numbers = [0] * NUMBERS
        self.quotas: dict[str, int] = {}
        self.keys: set[str] = set()
        self.open_routes: set[str] = set()

    def add(self, row: UsageRow, numbers: list[int], callers: str) -> None:
        """Add a row. `callers` is the name of the HyperLogLog of its route."""
        _, key, _, quota = row
        if quota:
            self.quotas[quota] = self.quotas.get(quota, 0) + numbers[0]
            return
        for at, number in enumerate(numbers[:NUMBERS]):
            self.numbers[at] += number
        if key not in _NO_KEYS:
            self.keys.add(key)
        elif key:
            self.open_routes.add(callers)


class UsageReader:
    """Reads with `client`, of the server that has the usage. Its methods raise what redis-py raises."""

    def __init__(self, client: redis.Redis, key_prefix: str) -> None:
        self._client = client
        self._key_prefix = key_prefix

    def statement(self, query: UsageQuery, most_rows: float = inf) -> UsageStatement:
        """Return the answer to `query`. Raises TooManyRowsError."""
        groups: dict[tuple[str, ...], _Group] = {}
        total = _Group()
        for day in query.days:
            for row, numbers in self._rows(day):
                organization, key, route, _ = row
                if (
                    query.organization in (None, organization)
                    and query.key in (None, key)
                    and query.route in (None, route)
                ):
                    values = dict(zip(DIMENSIONS, (day.isoformat(), organization, key, route), strict=True))
                    name = tuple([values[dimension] for dimension in query.by])
                    callers = callers_key(self._key_prefix, day, route)
                    for group in (groups.setdefault(name, _Group()), total):
                        group.add(row, numbers, callers)
                    if len(groups) > most_rows:
                        raise TooManyRowsError
        rows = [self._sums(group, dict(zip(query.by, name, strict=True))) for name, group in sorted(groups.items())]
        return UsageStatement(query.first, query.last, query.by, rows, self._sums(total, {}))

    def _rows(self, day: date) -> Iterator[tuple[UsageRow, list[int]]]:
        """Yield the rows of a day, each once."""
        found = self._client.hscan_iter(rows_key(self._key_prefix, day.isoformat()), count=_BATCH)
        for field, value in dict(found).items():
            row = read_row(field, value)
            if row is not None:
                yield row

    def _sums(self, group: _Group, dimensions: dict[Dimension, str]) -> UsageSums:
        numbers, addresses = group.numbers, 0
        if group.open_routes:
            addresses = int(self._client.pfcount(*sorted(group.open_routes)))
        return UsageSums(
            calls=numbers[CALLS],
            errors=numbers[ERRORS],
            request_bytes=numbers[REQUEST_BYTES],
            response_bytes=numbers[RESPONSE_BYTES],
            callers=len(group.keys) + addresses,
            quotas=dict(sorted(group.quotas.items())),
            **dimensions,
        )


def read_statement(url: str, key_prefix: str, query: UsageQuery, most_rows: float = inf) -> UsageStatement:
    """Ask the Redis at `url`, and wait for it. Raises RedisConnectionError and TooManyRowsError."""
    try:
        client: Any = client_for(url, rows_key(key_prefix, ""))
        try:
            return UsageReader(client, key_prefix).statement(query, most_rows)
        finally:
            client.close()
    except (redis.RedisError, OSError) as error:
        raise RedisConnectionError(text_of(error)) from None
