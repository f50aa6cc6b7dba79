"""The units of concurrency that calls in flight occupy: who holds them, and whether Redis knows.

A unit in Redis ends by itself after LEASE_MS. So a gateway renews those of its calls every few seconds, and those of a
gateway that has died end without it.
"""

import asyncio
from collections.abc import Awaitable, Iterable

from gateway.kernel.limits.quota import LEASE_MS, MeterUpdate, concurrency_releases
from gateway.kernel.limits.token_bucket import Claim, tag_of
from gateway.limiter.memory_quotas import MemoryQuotas
from gateway.limiter.settlements import Settlements
from gateway.redis_client.address import RedisConnectionError
from gateway.redis_client.client import RedisCall
from gateway.redis_client.server import AWAY

RENEWALS = 256
"""Units in one command: Redis works on it for less than a millisecond."""


class CallsInFlight:
    """The calls in flight of this process. `memory` counts in place of Redis while Redis is away."""

    def __init__(self, call: RedisCall, settlements: Settlements, memory: MemoryQuotas) -> None:
        self._call = call
        self._settlements = settlements
        self._memory = memory
        self._units: dict[str, dict[str, bool]] = {}
        """The units by meter, each with whether Redis may know of it."""

    def __repr__(self) -> str:
        return f"<CallsInFlight {sum(map(len, self._units.values()))} units of {len(self._units)} meters>"

    def units(self, key: str) -> Iterable[str]:
        """Return the names of the units that calls of this process have of the meter `key`."""
        return self._units.get(key, ())

    def track(self, claim: Claim, unit: str, *, in_redis: bool) -> None:
        """Begin to renew `unit` for a call that was let through. `in_redis` says whether Redis has it already."""
        for posting in claim.postings:
            if posting.meter.kind == "concurrency":
                self._units.setdefault(posting.key, {})[unit] = in_redis

    def untrack(self, claim: Claim, unit: str) -> Awaitable[None] | None:
        """Note that the call has ended: remove `unit` from memory, and from Redis where Redis may have it.

        Return what can be awaited until Redis has done so; None when Redis has nothing to do.
        """
        updates = concurrency_releases(claim.postings, unit)
        if not updates:
            return None
        if not self._memory.empty:
            self._memory.apply(updates)
        known: list[MeterUpdate] = []
        for update in updates:
            units = self._units.get(update.key, {})
            if units.pop(unit, False):
                known.append(update)
            if not units:
                self._units.pop(update.key, None)
        return asyncio.shield(self._settlements.send_releases(known, claim.tag)) if known else None

    async def renew(self) -> None:
        """Renew the units of all calls in flight, on every Redis server that can be reached."""
        for key, units in list(self._units.items()):
            names = list(units)
            for at in range(0, len(names), RENEWALS):
                some = [unit for unit in names[at : at + RENEWALS] if unit in units]
                if some and not await self._renew_some(key, units, some):
                    break

    async def _renew_some(self, key: str, units: dict[str, bool], some: list[str]) -> bool:
        """Return False when Redis did not answer. A command that was sent may have been done all the same."""
        tag = tag_of(key)
        before = {unit: units[unit] for unit in some}
        units.update(dict.fromkeys(some, True))
        updates = [MeterUpdate(key, "put", LEASE_MS, unit=unit) for unit in some]
        reply = await self._call(self._settlements.command(updates, tag), tag)
        if reply is AWAY:  # it was not sent
            units.update({unit: known for unit, known in before.items() if unit in units})
        return not isinstance(reply, RedisConnectionError)
