"""Meters in the memory of this process: the quotas of a gateway without Redis, and those of one whose Redis is away.

Months are those of this machine's clock. Memory is bounded: at MAX_KEYS those that are not yet known share SHARED_SLOTS
entries a meter, as in `gateway.limiter.memory_limiter`; tallies of a month that is over are dropped when another one
begins.
"""

import random
from collections.abc import Iterable, Mapping
from functools import partial
from itertools import count
from math import inf

import msgspec

from gateway.kernel.clock import Clock
from gateway.kernel.limits.quota import (
    MOST,
    Meter,
    MeterState,
    MeterUpdate,
    Posting,
    Reservation,
    carried,
    concurrency_releases,
    month_of,
    refunds,
    reports,
    state,
)

MAX_KEYS = 1_000_000
SHARED_SLOTS = 256
NAME_LENGTH = 28


class UnitNames:
    """Names of units that no other process makes, of NAME_LENGTH letters."""

    def __init__(self) -> None:
        self._process = f"{random.getrandbits(64):016x}"
        self._numbers = count()

    def next(self) -> str:
        """Return a new name."""
        return f"{self._process}{next(self._numbers):012x}"


class Tally(msgspec.Struct):
    """A meter that is a number. `month` is 0 for one that is for ever."""

    used: int
    month: int


class Units(msgspec.Struct):
    """A meter that is a set of units: when each ends, in seconds of the monotonic clock.

    `others` counts those of other processes.
    """

    ends_s: dict[str, float]
    others: int = 0


class Entries(msgspec.Struct):
    """The tallies and levels that are handed over to another process.

    Units of concurrency are not: the calls that have them stay where they are.
    """

    tallies: dict[str, Tally]
    levels: dict[str, Units]


class MemoryQuotas:
    """Decides about meters, and counts them."""

    def __init__(self, clock: Clock, max_keys: int = MAX_KEYS) -> None:
        self._clock = clock
        self._max_keys = max_keys
        self._names = UnitNames()
        self._tallies: dict[str, Tally] = {}
        self._units: dict[str, Units] = {}
        self._month = 0

    def __repr__(self) -> str:
        return f"<MemoryQuotas {len(self._tallies)} tallies, {len(self._units)} sets of units>"

    @property
    def month(self) -> int:
        """The calendar month by this machine's clock."""
        return self._now()[1]

    @property
    def empty(self) -> bool:
        """Whether nothing is counted."""
        return not self._tallies and not self._units

    def spent(self, postings: Iterable[Posting]) -> tuple[MeterState, ...]:
        """Return the states of the meters that refuse to be charged."""
        now_s, month = self._now()
        found = []
        for posting in postings:
            meter = posting.meter
            if posting.act == "charge" and (used := self._used(posting.key, meter, now_s, month)) >= meter.max:
                found.append(self._state(posting, used, now_s, month))
        return tuple(found)

    def read(self, postings: Iterable[Posting]) -> list[MeterState]:
        """Return the states of all of them."""
        now_s, month = self._now()
        return [self._state(each, self._used(each.key, each.meter, now_s, month), now_s, month) for each in postings]

    def reserve(self, postings: tuple[Posting, ...]) -> Reservation:
        """Charge all of them, of which none is spent."""
        now_s, month = self._now()
        unit = self._names.next()
        for posting in postings:
            meter = posting.meter
            if posting.act == "charge" and meter.kind == "count":
                self._add(posting.key, 1, month, monthly=meter.monthly)
            elif posting.act == "charge" and meter.kind != "sum":
                lasts_s = inf if meter.kind == "concurrency" else meter.lasts_ms / 1000
                self._units_of(posting.key).ends_s[unit] = now_s + lasts_s
        return Reservation(
            postings, partial(self._commit, postings, unit, month), partial(self._release, postings, unit)
        )

    def apply(self, updates: Iterable[MeterUpdate]) -> None:
        """Make all updates that `gateway.kernel.limits.quota` knows."""
        now_s, month = self._now()
        for update in updates:
            if update.what == "add":
                self._add(update.key, update.number, month, monthly=update.month > 0)
            elif update.what == "refund":
                tally = self._tallies.get(self._name(update.key, self._tallies))
                if tally is not None and tally.month == update.month:
                    tally.used = max(tally.used - 1, 0)
            elif update.what == "put":
                self._units_of(update.key).ends_s[update.unit] = now_s + update.number / 1000
            elif (units := self._units.get(self._name(update.key, self._units))) is not None:
                self._drop_ended(units, now_s)
                dropped = (
                    update.unit
                    if update.what == "drop"
                    else min(units.ends_s, key=units.ends_s.__getitem__, default="")
                )
                units.ends_s.pop(dropped, None)
                if not units.ends_s and not units.others:
                    del self._units[self._name(update.key, self._units)]

    def knows(self, posting: Posting) -> bool:
        """Return whether anything was counted of that meter, this month if it is monthly."""
        _, month = self._now()
        tally = self._tallies.get(posting.key)
        return posting.key in self._units if tally is None else not posting.meter.monthly or tally.month >= month

    def begin(self, posting: Posting, used: int, units: Iterable[str] = ()) -> None:
        """Begin with what was counted elsewhere: `used`, besides `units` of this process.

        Do nothing when memory is full.
        """
        if len(self._tallies if posting.meter.tallied else self._units) >= self._max_keys:
            return
        if posting.meter.tallied:
            self._tallies[posting.key] = Tally(used, self._now()[1] if posting.meter.monthly else 0)
        else:
            self._units[posting.key] = Units(dict.fromkeys(units, inf), used)

    def forget(self, key: str) -> None:
        """Set a meter back to nothing used. A meter that shares an entry stays as it is."""
        self._tallies.pop(key, None)
        self._units.pop(key, None)

    def clear(self) -> None:
        """Set all meters back to nothing used."""
        self._tallies.clear()
        self._units.clear()

    def names(self) -> list[str]:
        """Return the keys of all meters of which something is counted."""
        return [*self._tallies, *self._units]

    def export(self, keys: Iterable[str] | None = None) -> Entries:
        """Return the entries of the meters `keys`, None for all."""
        tallies, units = self._tallies, self._units
        if keys is not None:
            chosen = set(keys)
            tallies = {key: tallies[key] for key in chosen & tallies.keys()}
            units = {key: units[key] for key in chosen & units.keys()}
        levels = {
            key: Units(ends, each.others)
            for key, each in units.items()
            if (ends := {unit: end_s for unit, end_s in each.ends_s.items() if end_s < inf})
        }
        return Entries(dict(tallies), levels)

    def merge(self, entries: Entries) -> None:
        """Add what another process counted of a share of its own: of each meter, the one that has less left counts."""
        for key, tally in entries.tallies.items():
            known = self._tallies.get(key)
            if known is None or (known.month, known.used) < (tally.month, tally.used):
                self._tallies[key] = tally
        for key, level in entries.levels.items():
            units = self._units.setdefault(key, Units({}))
            units.ends_s |= level.ends_s
            units.others = max(units.others, level.others)

    def adopt(self, entries: Entries) -> None:
        """Take over what another process counted, of meters that are not known here."""
        self._tallies = entries.tallies | self._tallies
        self._units = entries.levels | self._units

    def _commit(
        self, postings: tuple[Posting, ...], unit: str, month: int, amounts: Mapping[str, int], *, succeeded: bool
    ) -> None:
        self.apply(reports(postings, amounts) if succeeded else refunds(postings, unit, month))

    def _release(self, postings: tuple[Posting, ...], unit: str) -> None:
        self.apply(concurrency_releases(postings, unit))

    def _now(self) -> tuple[float, int]:
        """Return the monotonic clock's reading in seconds, and the month."""
        month = max(month_of(int(self._clock.wall())), self._month)
        if month > self._month:
            self._month = month
            self._tallies = {key: tally for key, tally in self._tallies.items() if not 0 < tally.month < month}
        return self._clock.monotonic(), month

    def _used(self, key: str, meter: Meter, now_s: float, month: int) -> int:
        if meter.tallied:
            tally = self._tallies.get(self._name(key, self._tallies))
            return 0 if tally is None else carried(tally.used, tally.month, month, monthly=meter.monthly)[0]
        units = self._units.get(self._name(key, self._units))
        if units is None:
            return 0
        self._drop_ended(units, now_s)
        return len(units.ends_s) + units.others

    def _state(self, posting: Posting, used: int, now_s: float, month: int) -> MeterState:
        units = None if posting.meter.tallied else self._units.get(self._name(posting.key, self._units))
        ends_s = now_s if units is None else min(units.ends_s.values(), default=now_s)
        return state(posting.meter, used, ends_s - now_s if ends_s < inf else 0.0, self._clock.wall(), month)

    def _add(self, key: str, amount: int, month: int, *, monthly: bool) -> None:
        name = self._name(key, self._tallies)
        tally = self._tallies.setdefault(name, Tally(0, month if monthly else 0))
        used, tally.month = carried(tally.used, tally.month, month, monthly=monthly)
        tally.used = min(used + amount, MOST)

    def _units_of(self, key: str) -> Units:
        return self._units.setdefault(self._name(key, self._units), Units({}))

    def _name(self, key: str, known: Mapping[str, object]) -> str:
        if len(known) < self._max_keys or key in known:
            return key
        meter = key[key.rfind(":", 0, key.find("/")) + 1 :]  # what follows the owner
        return f"{meter}/{hash(key) % SHARED_SLOTS}"

    @staticmethod
    def _drop_ended(units: Units, now_s: float) -> None:
        ended = [unit for unit, end_s in units.ends_s.items() if end_s <= now_s]
        for unit in ended:
            del units.ends_s[unit]
