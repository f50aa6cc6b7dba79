"""Records at once what a process knows and owes while Redis is away, in memory that outlives the process.

Changes are appended once for all calls of one turn of the loop, before any of these calls can have reached a service
and come back. When the memory is full, or less has to be kept, all that still counts replaces what was written.
"""

import asyncio
from collections.abc import Callable, Iterable

from gateway.limiter.fallback import Fallback
from gateway.limiter.memory_quotas import Entries
from gateway.limiter.outage_memory import OutageMemory
from gateway.limiter.outage_records import (
    BucketRecord,
    GatewaysRecord,
    LastRecord,
    OwedRecord,
    PaidRecord,
    Record,
    TallyRecord,
    UnitsRecord,
    debt_of,
    debt_record,
    decoded,
    encoded,
    name_of,
)
from gateway.limiter.quota_shares import QuotaShares
from gateway.limiter.settlements import Settlements


class OutageJournal:
    """Records of `fallback`, `shares` and `settlements`, in `memory`; None: they end with the process.

    `workers` is how many processes of this program keep one. `is_needed` returns whether there is anything that a
    successor has to know.
    """

    def __init__(
        self,
        fallback: Fallback,
        shares: QuotaShares,
        settlements: Settlements,
        memory: OutageMemory | None,
        workers: int,
        is_needed: Callable[[], bool],
    ) -> None:
        self._fallback = fallback
        self._shares = shares
        self._settlements = settlements
        self._memory = memory
        self._workers = workers
        self._is_needed = is_needed
        self._rest = False
        self._buckets: set[str] = set()
        self._meters: set[str] = set()
        self._numbers: set[int] = set()
        self._scheduled = False
        if memory is not None:
            fallback.on_change = self._bucket_changed
            settlements.on_change = self._settlement_changed
            settlements.outlives = True

    def __repr__(self) -> str:
        return f"<OutageJournal {self._memory!r}>"

    @property
    def gateways(self) -> int:
        """The number of gateways that shared Redis when that was last recorded; 0 before."""
        return 0 if self._memory is None else self._memory.gateways

    @gateways.setter
    def gateways(self, count: int) -> None:
        if self._memory is not None:
            self._memory.gateways = count

    @property
    def content(self) -> bytes:
        """The records of this process, and of the one before it in the same memory."""
        return b"" if self._memory is None else self._memory.read()

    def discard(self) -> None:
        """Forget all that was written."""
        if self._memory is not None:
            self._memory.replace(b"")

    def meters_changed(self, keys: Iterable[str]) -> None:
        """Write down these meters, which memory counts."""
        if self._memory is not None:
            self._meters.update(keys)
            self._write_soon()

    def write(self) -> None:
        """Write down at once what has changed."""
        self._scheduled = False
        if self._memory is None:
            return
        entries = self._settlements.entries
        records: list[Record] = [self._bucket(key) for key in self._buckets]
        records += [record for key in self._meters if (record := self._meter(key)) is not None]
        records += [
            OwedRecord(number, *entries[number]) if number in entries else PaidRecord(number)
            for number in self._numbers
        ]
        if not self._memory.used:
            records.insert(0, self._gateways_record())
        changed = bool(self._buckets or self._meters or self._numbers)
        self._forget_changes()
        if changed and not self._memory.append(encoded(records)):
            self.rewrite()

    def rewrite(self) -> None:
        """Replace all that was written by what counts now. What does not fit is not kept: some 200,000 debts do."""
        if self._memory is not None:
            self._forget_changes()
            self._memory.replace(self.export() if self._is_needed() else b"")

    def clear(self) -> None:
        """Remove all records."""
        if self._memory is not None and self._memory.used:
            self.rewrite()

    def export(self) -> bytes:
        """Return all that is known, for `adopt` in another process of this machine (monotonic times stay valid)."""
        fallback = self._fallback
        records: list[Record] = [self._gateways_record()]
        records += [LastRecord(key, *last) for key, last in self._shares.last.items()]
        records += map(self._bucket, {**dict.fromkeys(fallback.memory.names()), **dict.fromkeys(fallback.debtors())})
        records += [record for key in self._shares.memory.names() if (record := self._meter(key)) is not None]
        records += [OwedRecord(number, *entry) for number, entry in self._settlements.entries.items()]
        return encoded(records)

    def export_and_forget_debts(self) -> bytes:
        """Export all, and keep only what calls that are still in flight here will owe."""
        content = self.export()
        self._fallback.forget_debts()
        self._settlements.entries.clear()
        self._rest = True
        self.rewrite()
        return content

    def adopt(self, content: bytes, *, share_only: bool) -> None:
        """Take over what another process exported, besides what is known here. Raises msgspec.MsgspecError.

        With `share_only` another process charges what it owes.
        """
        factor, rest = 1.0, False
        latest: dict[tuple[type, str | int], Record] = {}
        for record in decoded(content):
            if isinstance(record, GatewaysRecord):
                factor, rest = max(self._workers / record.workers, 1.0), record.rest
                gateways = -(-record.count * self._workers // record.workers)
                self._fallback.gateways = max(self._fallback.gateways, gateways)
            else:
                latest[name_of(record)] = record
        for record in latest.values():
            if isinstance(record, BucketRecord):
                self._adopt_bucket(record, rest=rest, share_only=share_only)
            elif isinstance(record, LastRecord):
                self._shares.last.setdefault(record.key, (record.used, record.month))
            elif isinstance(record, TallyRecord | UnitsRecord) and not rest:
                self._adopt_meter(record, factor)
            elif isinstance(record, OwedRecord) and not share_only:
                self._settlements.keep(record.command, record.tag)
        self.rewrite()

    def _adopt_bucket(self, record: BucketRecord, *, rest: bool, share_only: bool) -> None:
        memory = self._fallback.memory
        if record.emission_us and not rest:
            memory.add(record.key, record.tat_us, record.emission_us)
        if record.debt is None:
            return
        debt = debt_of(record.debt)
        if rest:
            memory.add(record.key, debt.tat_us, debt.emission_us)
        if not share_only:
            self._fallback.add_debt(record.key, debt)

    def _adopt_meter(self, record: TallyRecord | UnitsRecord, factor: float) -> None:
        """Take over a meter. If `factor` processes follow one, each gets that part of what is left of its share."""
        key, most = record.key, record.max
        if isinstance(record, TallyRecord):
            left = max(most - record.tally.used, 0)
            record.tally.used += left - int(left / factor)
            entries = Entries({key: record.tally}, {})
        else:
            left = max(most - record.units.others - len(record.units.ends_s), 0)
            record.units.others += left - int(left / factor)
            entries = Entries({}, {key: record.units})
        self._shares.memory.merge(entries)
        self._shares.counted_here[key] = most

    def _bucket_changed(self, key: str) -> None:
        self._buckets.add(key)
        self._write_soon()

    def _settlement_changed(self, number: int) -> None:
        self._numbers.add(number)
        self._write_soon()

    def _write_soon(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self.write)

    def _forget_changes(self) -> None:
        self._buckets.clear()
        self._meters.clear()
        self._numbers.clear()

    def _gateways_record(self) -> GatewaysRecord:
        return GatewaysRecord(self._fallback.gateways, self._workers, self._rest)

    def _bucket(self, key: str) -> BucketRecord:
        tat_us, emission_us = self._fallback.memory.bucket(key) or (0, 0)
        debt = self._fallback.debt(key)
        return BucketRecord(key, tat_us, emission_us, None if debt is None else debt_record(debt))

    def _meter(self, key: str) -> TallyRecord | UnitsRecord | None:
        """Return the record of a meter; None if memory counts nothing of it, or only calls in flight here."""
        most = self._shares.counted_here.get(key)
        if most is None:
            return None
        entries = self._shares.memory.export([key])
        if (tally := entries.tallies.get(key)) is not None:
            return TallyRecord(key, most, tally)
        units = entries.levels.get(key)
        return None if units is None else UnitsRecord(key, most, units)
