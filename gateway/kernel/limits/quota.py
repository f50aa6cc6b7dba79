"""Quotas and concurrency: what calls may do beyond their rate, and when that is given back.

A meter counts in one of two ways. A tally is a number, of a calendar month or for ever (`count`, `sum`). A set of units
has one unit for each item in use, and each ends by itself when its time is over (`level`, `concurrency`).
`gateway/limiter/scripts/meters.lua` is the same in Lua, and `tests/properties/test_quota_model.py` compares the two.

Laws:
1. A charge is refused when the meter is at `max` or more. All meters and windows of a call are decided together: it is
   charged to all of them or to none.
2. `count`, `level` and `concurrency` are charged before the call goes on, so that of two calls for the last unit one
   gets it. A call that fails gives back what it took. A `sum` learns from the reply what a call took: the last call
   that is let through may exceed `max`.
3. A release removes the unit that would end first. No meter is ever below 0.
4. Months are those of the calendar in UTC, by the store's clock. A clock that goes back begins no new month. What is
   given back in another month than it was taken in is ignored.
5. A process renews its units of `concurrency` every few seconds: those of a process that has died end by themselves.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Literal, NamedTuple, Protocol, TypeAlias

import msgspec

from gateway.kernel.faults import Fault

MeterKind: TypeAlias = Literal["count", "sum", "level", "concurrency"]
Act: TypeAlias = Literal["charge", "release"]

LEASE_MS = 7000
"""The lifetime of a unit of concurrency without a renewal, in ms. Three renewals may get lost."""
MOST = 10**15
"""The highest value of a tally: Lua's doubles are exact up to it."""


class AmountSource(msgspec.Struct, frozen=True):
    """Where a reply has its amount: in a header field (its name in lower case), or in the JSON, at this path."""

    header: bytes | None = None
    field: tuple[str, ...] = ()


class Meter(msgspec.Struct, frozen=True):
    """One quota, or one limit of concurrency, of a key or an organisation.

    `id` is its name in the log and metrics, `owner` whose it is; `fault` is the error of a call that finds it spent. A
    `monthly` one starts at 0 with each month. `lasts_ms` is after how long a unit ends by itself. `amount` is for sums.
    """

    id: str
    kind: MeterKind
    max: int
    owner: Literal["key", "organization"]
    fault: Fault
    monthly: bool = False
    lasts_ms: int = LEASE_MS
    amount: AmountSource | None = None

    @property
    def tallied(self) -> bool:
        """Whether the meter is a tally and not a set of units."""
        return self.kind in {"count", "sum"}


class Posting(msgspec.Struct, frozen=True):
    """The effect of one call on one meter. `key` is the name of the meter in the store."""

    key: str
    meter: Meter
    act: Act = "charge"


class MeterState(msgspec.Struct, frozen=True):
    """A meter and how much of it is used.

    `opens_s` is in how many seconds some is free again by itself; None: never.
    """

    meter: Meter
    used: int
    opens_s: float | None


UpdateKind: TypeAlias = Literal["add", "refund", "put", "drop", "pop"]


class MeterUpdate(NamedTuple):
    """One change of a meter.

    `add` raises a tally by `number`, that of the current month when `month` is not 0. `refund` lowers it by one, if it
    is still that of `month`. `put` adds or renews `unit`, to end in `number` ms; `drop` removes it, `pop` removes the
    one that ends first.
    """

    key: str
    what: UpdateKind
    number: int = 0
    month: int = 0
    unit: str = ""


class Commit(Protocol):
    """Gives back what a failed call took, or charges what a successful one reports; see `Reservation.commit`."""

    def __call__(self, amounts: Mapping[str, int], *, succeeded: bool) -> Awaitable[None] | None:
        """Return what may be waited for; None if there is nothing to wait for."""
        ...


Release: TypeAlias = Callable[[], Awaitable[None] | None]


class Reservation:
    """What an admitted call has taken, until it is known how it ended. The store decides what happens then.

    `amounts` are those that the call has reported if it succeeded, None until then.
    """

    __slots__ = ("_commit", "_release", "amounts", "postings")

    def __init__(self, postings: tuple[Posting, ...], commit: Commit, release: Release) -> None:
        self.postings = postings
        self.amounts: Mapping[str, int] | None = None
        self._commit: Commit | None = commit
        self._release: Release | None = release

    @property
    def open(self) -> bool:
        """Whether it was not committed yet."""
        return self._commit is not None

    def commit(self, amounts: Mapping[str, int], *, succeeded: bool) -> Awaitable[None] | None:
        """Give back what a failed call took, or charge what a successful one says, `amounts` by the ids of meters.

        Only the first time. What is returned may be waited for: then everybody sees the change.
        """
        commit, self._commit = self._commit, None
        if commit is None:
            return None
        self.amounts = amounts if succeeded else None
        return commit(amounts, succeeded=succeeded)

    def release(self) -> Awaitable[None] | None:
        """Give back the call's place when it is over, once. What is returned is as for `commit`."""
        release, self._release = self._release, None
        return None if release is None else release()


def month_of(unix_s: int) -> int:
    """Return the calendar month, as a number that goes up by one from each to the next."""
    moment = datetime.fromtimestamp(unix_s, UTC)
    return moment.year * 12 + moment.month - 1


def end_of(month: int) -> int:
    """Return the Unix time at which the next month begins."""
    year, index = divmod(month + 1, 12)
    return int(datetime(year, index + 1, 1, tzinfo=UTC).timestamp())


def state(meter: Meter, used: int, ends_in_s: float, wall_s: float, month: int) -> MeterState:
    """Return the state of a meter. `ends_in_s` is in how many seconds its first unit ends."""
    if not meter.tallied:
        return MeterState(meter, used, max(ends_in_s, 0.0))
    return MeterState(meter, used, max(end_of(month) - wall_s, 0.0) if meter.monthly else None)


def carried(used: int, written: int, month: int, *, monthly: bool) -> tuple[int, int]:
    """Return the value in `month` of a tally written in the month `written`, and the month to store it with."""
    if not monthly:
        return used, 0
    return (used, written) if written >= month else (0, month)


def charged(postings: Iterable[Posting]) -> list[Posting]:
    """Return the postings by which the call is charged."""
    return [posting for posting in postings if posting.act == "charge"]


def refunds(postings: Iterable[Posting], unit: str, month: int) -> list[MeterUpdate]:
    """Return the updates by which a failed call gives back what it took: `unit`, in `month`."""
    found = charged(postings)
    counts = [
        MeterUpdate(each.key, "refund", month=month if each.meter.monthly else 0)
        for each in found
        if each.meter.kind == "count"
    ]
    return counts + [MeterUpdate(each.key, "drop", unit=unit) for each in found if each.meter.kind == "level"]


def reports(postings: Iterable[Posting], amounts: Mapping[str, int]) -> list[MeterUpdate]:
    """Return the updates that are known only when a call has succeeded: sums and releases."""
    updates: list[MeterUpdate] = []
    for posting in postings:
        if posting.act == "release":
            updates.append(MeterUpdate(posting.key, "pop"))
        elif amount := posting.meter.kind == "sum" and amounts.get(posting.meter.id):
            updates.append(MeterUpdate(posting.key, "add", amount, int(posting.meter.monthly)))
    return updates


def amounts_used(postings: Iterable[Posting], amounts: Mapping[str, int]) -> dict[str, int]:
    """Return how much a successful call has used of quotas that count or add up, by the ids of the meters."""
    used: dict[str, int] = {}
    for posting in postings:
        meter = posting.meter
        if meter.tallied and posting.act == "charge":
            amount = 1 if meter.kind == "count" else amounts.get(meter.id, 0)
            if amount:
                used[meter.id] = amount
    return used


def charges(postings: Iterable[Posting], unit: str) -> list[MeterUpdate]:
    """Return the updates that a successful call owes to a store that did not let it through itself."""
    found = charged(postings)
    counts = [MeterUpdate(each.key, "add", 1, int(each.meter.monthly)) for each in found if each.meter.kind == "count"]
    return counts + [
        MeterUpdate(each.key, "put", each.meter.lasts_ms, unit=unit) for each in found if each.meter.kind == "level"
    ]


def concurrency_releases(postings: Iterable[Posting], unit: str) -> list[MeterUpdate]:
    """Return the updates by which every call gives its units of concurrency back when it is over."""
    return [MeterUpdate(each.key, "drop", unit=unit) for each in postings if each.meter.kind == "concurrency"]
