"""What a gateway process does and owes while Redis is away, kept where it outlives the process, and handed on to the next one.

    phase      who decides                          what is written down
    shared     Redis                                how many gateways share it; calls that it did not answer
    away       each limit as its `on_failure` says  besides: what quotas said last, shares that were used, debts, settlements
    returning  Redis                                what it has not been told of yet

Whoever takes over begins with all of that: a worker that replaces a dead one, the workers after a reload, also when there are
more or fewer of them, and the rest of what a worker owes when it has drained. Shares stay what they were: when there are more
workers each has a smaller one. What was used of a share is used for everybody who gets a part of it, so that all together
never let through more than those before them would have.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, TypeAlias

import msgspec
import structlog

from gateway.kernel.limits.token_bucket import Guarantee, Window
from gateway.limiter.fallback import Debt, Fallback
from gateway.limiter.memory_quotas import Entries, Tally, Units
from gateway.limiter.outage_memory import OutageMemory
from gateway.limiter.redis_quotas import RedisQuotas

Phase: TypeAlias = Literal["shared", "away", "returning"]


class _Gateways(msgspec.Struct, tag="g", array_like=True):
    """`count` share Redis, `workers` of them are of this program. `rest`: the others knew of it all but what follows."""

    count: int
    workers: int
    rest: bool


class _Bucket(msgspec.Struct, tag="b", array_like=True):
    """When a share is full again and the price of a token of it, 0 where it has no bucket; what is owed of it."""

    key: str
    tat_us: int
    emission_us: int
    debt: "_Debt | None"


class _Debt(msgspec.Struct, array_like=True):
    """A Debt, of the limit with this id, max, length and guarantee."""

    id: str
    max: int
    per_us: int
    guarantee: Guarantee
    tokens: int
    tat_us: int
    emission_us: int


class _Tally(msgspec.Struct, tag="t", array_like=True):
    key: str
    max: int
    tally: Tally


class _Units(msgspec.Struct, tag="u", array_like=True):
    key: str
    max: int
    units: Units


class _Known(msgspec.Struct, tag="k", array_like=True):
    """What a meter said last, and in which month."""

    key: str
    used: int
    month: int


class _Owed(msgspec.Struct, tag="o", array_like=True):
    number: int
    command: bytes
    tag: str


class _Paid(msgspec.Struct, tag="p", array_like=True):
    number: int


_Record: TypeAlias = _Gateways | _Bucket | _Tally | _Units | _Known | _Owed | _Paid
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Record).decode
_SIZE_BYTES = 4


def _written(record: _Record) -> bytes:
    content = _encode(record)
    return len(content).to_bytes(_SIZE_BYTES) + content


def _read(content: bytes) -> Iterator[_Record]:
    at = 0
    while at < len(content):
        size = int.from_bytes(content[at : at + _SIZE_BYTES])
        at += _SIZE_BYTES + size
        yield _decode(content[at - size : at])


class Outage:
    """Of one process. `memory` is None for one whose knowledge dies with it; `workers` is how many of them the program has."""

    def __init__(self, fallback: Fallback, quotas: RedisQuotas, memory: OutageMemory | None, workers: int) -> None:
        self.phase: Phase = "shared"
        self._fallback = fallback
        self._quotas = quotas
        self._memory = memory
        self._workers = workers
        self._rest = False
        self._buckets: set[str] = set()
        self._meters: set[str] = set()
        self._settlements: set[int] = set()
        self._due = False
        if memory is not None:
            fallback.on_change = self._bucket_changed
            quotas.on_change = self._meters_changed
            quotas.settlements.on_change = self._settlement_changed
            quotas.settlements.outlives = True

    def __repr__(self) -> str:
        return f"<Outage {self.phase}, {self._fallback.debts} debts, {self._quotas.settlements.owed} settlements>"

    def changed(self, *, up: bool) -> None:
        """Redis is there, or is not."""
        self.phase = "away" if not up else "returning" if self._owing() else "shared"
        self._write_all()

    def heard(self, gateways: int) -> None:
        """Redis said how many share it."""
        self._fallback.gateways = gateways
        if self._memory is not None:
            self._memory.gateways = gateways

    def told(self) -> None:
        """Redis was told what could be told. If nothing is owed all is as if it had never been away."""
        if self.phase != "away" and not self._owing():
            self.phase = "shared"
            if self._memory is not None and self._memory.used:
                self._write_all()

    def recover(self) -> None:
        """Go on where the process ended that wrote to this memory before."""
        if self._memory is None:
            return
        self._fallback.gateways = max(self._memory.gateways, self._fallback.gateways)
        try:
            self.adopt(self._memory.read())
        except Exception as bug:  # the worker after this one would meet it, too
            structlog.get_logger().error("bug", what="what a worker left of an outage is lost", exc_info=bug)
            self._memory.replace(b"")

    def export(self) -> bytes:
        """All that is known, for `adopt` in another process of this machine, whose monotonic clock is the same."""
        fallback, quotas, memory_quotas = self._fallback, self._quotas, self._fallback.memory.memory_quotas
        records: list[_Record] = [_Gateways(fallback.gateways, self._workers, self._rest)]
        records += [_Known(key, *said) for key, said in quotas.known.items()]
        records += map(self._bucket, {**dict.fromkeys(fallback.memory.names()), **dict.fromkeys(fallback.debtors())})
        records += [record for key in memory_quotas.names() if (record := self._meter(key)) is not None]
        records += [_Owed(number, *entry) for number, entry in quotas.settlements.entries.items()]
        return b"".join(map(_written, records))

    def hand_over(self) -> bytes:
        """As `export`. What is owed from now on, by calls that are still under way here, is the rest."""
        content = self.export()
        self._fallback.forgive()
        self._quotas.settlements.entries.clear()
        self._rest = True
        self._write_all()
        return content

    def adopt(self, content: bytes, *, share_only: bool = False) -> None:
        """Take what another process knew besides what is known here; `share_only`: what it owes is somebody else's.

        Raises msgspec.MsgspecError.
        """
        factor, rest, latest = 1.0, False, dict[tuple[type, str | int], _Record]()
        for record in _read(content):
            if isinstance(record, _Gateways):
                factor, rest = max(self._workers / record.workers, 1.0), record.rest
                self._fallback.gateways = max(self._fallback.gateways, -(-record.count * self._workers // record.workers))
            else:
                latest[type(_Owed) if isinstance(record, _Owed | _Paid) else type(record), _name(record)] = record
        for record in latest.values():
            if isinstance(record, _Bucket):
                self._adopt_bucket(record, rest=rest, share_only=share_only)
            elif isinstance(record, _Known):
                self._quotas.known.setdefault(record.key, (record.used, record.month))
            elif isinstance(record, _Tally | _Units) and not rest:
                self._adopt_meter(record, factor)
            elif isinstance(record, _Owed) and not share_only:
                self._quotas.settlements.owe(record.command, record.tag)
        self._write_all()

    def _adopt_bucket(self, record: _Bucket, *, rest: bool, share_only: bool) -> None:
        if record.emission_us and not rest:
            self._fallback.memory.add(record.key, record.tat_us, record.emission_us)
        if (owed := record.debt) is None:
            return
        window = Window(owed.id, owed.max, owed.per_us, None, guarantee=owed.guarantee)
        debt = Debt(window, owed.tokens, owed.tat_us, owed.emission_us)
        if rest:
            self._fallback.memory.add(record.key, debt.tat_us, debt.emission_us)
        if not share_only:
            self._fallback.owe(record.key, debt)

    def _adopt_meter(self, record: _Tally | _Units, factor: float) -> None:
        """Of what is left of a share everybody gets a part who is one of several after one."""
        key, most = record.key, record.max
        if isinstance(record, _Tally):
            left = max(most - record.tally.used, 0)
            record.tally.used += left - int(left / factor)
            entries = Entries({key: record.tally}, {})
        else:
            left = max(most - record.units.others - len(record.units.ends_s), 0)
            record.units.others += left - int(left / factor)
            entries = Entries({}, {key: record.units})
        self._fallback.memory.memory_quotas.merge(entries)
        self._quotas.lent[key] = most

    def _bucket_changed(self, key: str) -> None:
        self._buckets.add(key)
        self._write_soon()

    def _meters_changed(self, keys: Iterable[str]) -> None:
        self._meters.update(keys)
        self._write_soon()

    def _settlement_changed(self, number: int) -> None:
        self._settlements.add(number)
        self._write_soon()

    def _write_soon(self) -> None:
        """Once for all calls of one turn of the loop, before any of them can have reached a service and come back."""
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._write)

    def _write(self) -> None:
        self._due = False
        assert self._memory is not None
        entries: Mapping[int, tuple[bytes, str]] = self._quotas.settlements.entries
        records: list[_Record] = [self._bucket(key) for key in self._buckets]
        records += [record for key in self._meters if (record := self._meter(key)) is not None]
        records += [_Owed(number, *entries[number]) if number in entries else _Paid(number) for number in self._settlements]
        if not self._memory.used:
            records.insert(0, _Gateways(self._fallback.gateways, self._workers, self._rest))
        changed = bool(self._buckets or self._meters or self._settlements)
        self._forget_changes()
        if changed and not self._memory.append(b"".join(map(_written, records))):
            self._write_all()

    def _write_all(self) -> None:
        """In place of all that was written. What does not fit any more is not kept: it is a bound, some 200,000 debtors."""
        if self._memory is not None:
            self._forget_changes()
            self._memory.replace(self.export() if self.phase == "away" or self._owing() else b"")

    def _owing(self) -> bool:
        return bool(self._fallback.debts or self._quotas.settlements.entries)

    def _forget_changes(self) -> None:
        self._buckets.clear()
        self._meters.clear()
        self._settlements.clear()

    def _bucket(self, key: str) -> _Bucket:
        tat_us, emission_us = self._fallback.memory.bucket(key) or (0, 0)
        debt = self._fallback.debt(key)
        if debt is None:
            return _Bucket(key, tat_us, emission_us, None)
        window = debt.window
        owed = _Debt(window.id, window.max, window.per_us, window.guarantee, debt.tokens, debt.tat_us, debt.emission_us)
        return _Bucket(key, tat_us, emission_us, owed)

    def _meter(self, key: str) -> _Tally | _Units | None:
        """None where it says nothing, or only what is in flight here: that ends with this process."""
        most = self._quotas.lent.get(key)
        if most is None:
            return None
        entries = self._fallback.memory.memory_quotas.export([key])
        if (tally := entries.tallies.get(key)) is not None:
            return _Tally(key, most, tally)
        units = entries.levels.get(key)
        return None if units is None else _Units(key, most, units)


def _name(record: _Record) -> str | int:
    if isinstance(record, _Owed | _Paid):
        return record.number
    return "" if isinstance(record, _Gateways) else record.key
