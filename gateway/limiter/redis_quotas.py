"""Meters in Redis, decided in the same step as the windows of the call, and settled when it is known what became of it.

While Redis is away, and calls are counted here, a gateway has its share of what a meter had left when Redis last said so. What
it lets through is charged in Redis afterwards.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from importlib.resources import files

from gateway.kernel.clock import Clock
from gateway.kernel.limits.quota import (
    LEASE_MS,
    MeterState,
    MeterUpdate,
    Posting,
    Reservation,
    charges,
    leavings,
    month_of,
    refunds,
    reports,
    state,
)
from gateway.kernel.limits.token_bucket import Claim, Decision, decision, tag_of
from gateway.kernel.memo import Memo
from gateway.limiter.memory_quotas import NAME_LENGTH, MemoryQuotas, Names
from gateway.limiter.settlements import MARKED_MS, METERS, Settlements
from gateway.redis_client.address import RedisConnectionError
from gateway.redis_client.client import Call
from gateway.redis_client.connection import Reply, pack, sha_of
from gateway.redis_client.server import AWAY

QUOTA = files("gateway.limiter").joinpath("scripts/quota.lua").read_bytes()
READ = METERS + files("gateway.limiter").joinpath("scripts/read.lua").read_bytes()
READ_SHA = sha_of(READ)
MAX_COMMANDS = 8192
"""Packed commands kept, one a claim, some 500 bytes each."""
MAX_KNOWN = 100_000
"""Meters of which it is known what they said last, and in which month."""
_ANY = "?" * NAME_LENGTH
"""In place of a unit's name."""
RENEWALS = 256
"""Units in one command: Redis works on it for less than a millisecond."""


def quota_script(bucket: bytes) -> bytes:
    """The script that decides, around the one that decides about windows."""
    return METERS + b"local function windows(KEYS, ARGV)\n" + bucket + b"end\n" + QUOTA


def rates(claim: Claim) -> list[bytes]:
    """The arguments of bucket.lua."""
    numbers = [claim.cost, *(number for window in claim.windows for number in (window.emission_us, window.full_us))]
    return [b"%d" % number for number in (*numbers, *([claim.enforced] if claim.shadowed else []))]


class RedisQuotas:
    """`prefix` begins every key; `bucket` is the script that decides about windows."""

    def __init__(self, prefix: str, call: Call, bucket: bytes, clock: Clock) -> None:
        self._prefix = prefix
        self._wall = clock.wall
        self._call = call
        self._sha = sha_of(quota_script(bucket))
        self._names = Names()
        self._commands: Memo[Claim, list[bytes]] = Memo(MAX_COMMANDS)
        self._asking: set[asyncio.Task[Reply]] = set()
        self.known: dict[str, tuple[int, int]] = {}
        """What meters said last, and in which month."""
        self._flying: dict[str, dict[str, bool]] = {}
        """The units of calls in flight, by meter, and whether Redis was told of them."""
        self.lent: dict[str, int] = {}
        """Meters that memory counts in Redis's stead, and the most that each may say."""
        self.on_change: Callable[[Iterable[str]], None] = ignore_keys
        """Called with the meters of which memory says something else than before."""
        self._ledger: MemoryQuotas | None = None
        self.settlements = Settlements(prefix, call, clock.monotonic)

    async def decide(self, claim: Claim) -> Decision | RedisConnectionError:
        """As `Limiter.decide`, or why Redis did not. Whoever is cancelled meanwhile leaves nothing behind."""
        unit = self._names.next()
        asking = asyncio.get_running_loop().create_task(self._call(self._command(claim, unit), claim.tag))
        self._asking.add(asking)
        asking.add_done_callback(self._asking.discard)
        try:
            reply = await asyncio.shield(asking)
        except asyncio.CancelledError:
            asking.add_done_callback(lambda done: self._abandon(claim, unit, done.result()))
            raise
        if isinstance(reply, list):
            return self._decided(claim, unit, reply)
        assert isinstance(reply, RedisConnectionError)
        self._undo_if_charged(claim, unit, reply)
        return reply

    def uncounted(self, claim: Claim) -> Reservation:
        """For a call that was let through, and nobody counted."""
        return Reservation(claim.postings, partial(self._settle_away, claim, self._names.next(), None), _nothing)

    async def read(self, postings: Sequence[Posting]) -> list[MeterState] | RedisConnectionError:
        """As `Limiter.read`, of one or more, or why Redis did not answer."""
        keys = [f"{self._prefix}{posting.key}".encode() for posting in postings]
        kinds = [b"%d" % (posting.meter.monthly if posting.meter.tallied else 2) for posting in postings]
        reply = await self._call(pack(b"EVALSHA", READ_SHA, b"%d" % len(keys), *keys, *kinds), tag_of(postings[0].key))
        if not isinstance(reply, list):
            assert isinstance(reply, RedisConnectionError)
            return reply
        month, now_ms = reply[:2]
        said = zip(postings, reply[2::2], reply[3::2], strict=True)
        return [state(posting.meter, used, (ends_ms - now_ms) / 1e3, now_ms / 1e3, month) for posting, used, ends_ms in said]

    async def forget(self, key: str) -> bool:
        """As `TendedLimiter.forget`."""
        self.known.pop(key, None)
        return not isinstance(await self._call(pack(b"DEL", f"{self._prefix}{key}".encode()), tag_of(key)), RedisConnectionError)

    def seed_share(self, postings: Iterable[Posting], memory_quotas: MemoryQuotas, gateways: int) -> None:
        """Before `memory_quotas` decides, or tells: let it begin with this gateway's share, at least 1, of what is left.

        It begins again when Redis has been heard of since: an answer that came too late is no outage.
        """
        self._ledger = memory_quotas
        for posting in postings:
            if posting.key not in self.lent or not memory_quotas.knows(posting):
                self.lent[posting.key] = posting.meter.max
                left = max(posting.meter.max - self._used(posting, memory_quotas.month), 0)
                share = max(left // gateways, 1) if left else 0
                memory_quotas.begin(posting, posting.meter.max - share, self._flying.get(posting.key, ()))

    def deferred(self, claim: Claim, counted: Reservation) -> Reservation:
        """For a call that is `counted` here, and has to be charged in Redis."""
        unit = self._names.next()
        self._track(claim, unit, told=False)
        self.on_change(posting.key for posting in claim.postings)

        def leave() -> None:
            counted.end()
            self._untrack(claim, unit)

        return Reservation(claim.postings, partial(self._settle_away, claim, unit, counted), leave)

    async def renew(self) -> None:
        """Say of every call in flight that it still is, to every node that there is."""
        for key, units in list(self._flying.items()):
            names = list(units)
            tag = tag_of(key)
            for at in range(0, len(names), RENEWALS):
                moves = [MeterUpdate(key, "put", LEASE_MS, unit=unit) for unit in names[at : at + RENEWALS] if unit in units]
                before = {move.unit: units[move.unit] for move in moves}
                units.update(dict.fromkeys(before, True))
                if moves and isinstance(reply := await self._call(self.settlements.command(moves, tag), tag), RedisConnectionError):
                    if reply is AWAY:  # it was not sent
                        units.update({unit: told for unit, told in before.items() if unit in units})
                    break

    async def finish(self) -> None:
        """Before the connection is cut."""
        await asyncio.gather(*self._asking)
        await self.settlements.finish()

    def _settle(self, claim: Claim, unit: str, month: int, succeeded: bool, amounts: Mapping[str, int]) -> Awaitable[None] | None:
        moves = reports(claim.postings, amounts) if succeeded else refunds(claim.postings, unit, month)
        return self._send(moves, claim, unit)

    def _settle_away(self, claim: Claim, unit: str, counted: Reservation | None, succeeded: bool, amounts: Mapping[str, int]) -> None:
        """Nobody waits: Redis has cost this call its time already."""
        moves = reports(claim.postings, amounts) if succeeded else []
        if counted is not None:
            counted.settle(succeeded, amounts)
            self.on_change(posting.key for posting in claim.postings)
            moves += charges(claim.postings, unit) if succeeded else []
        self._send(moves, claim, unit)

    def _send(self, moves: list[MeterUpdate], claim: Claim, unit: str) -> Awaitable[None] | None:
        """Nobody needs to wait for what is only added: this call has been let through."""
        if not moves:
            return None
        sent = self.settlements.send(moves, claim.tag, unit)
        return None if all(move.what == "add" for move in moves) else asyncio.shield(sent)

    def _track(self, claim: Claim, unit: str, *, told: bool) -> None:
        for posting in claim.postings:
            if posting.meter.kind == "concurrency":
                self._flying.setdefault(posting.key, {})[unit] = told

    def _untrack(self, claim: Claim, unit: str) -> Awaitable[None] | None:
        """Redis learns of places that it knows, and the memory that counts in its stead of those that it began with."""
        moves = leavings(claim.postings, unit)
        if moves and self._ledger is not None:
            self._ledger.apply(moves)
        told = []
        for move in moves:
            units = self._flying.get(move.key, {})
            if units.pop(unit, False):
                told.append(move)
            if not units:
                self._flying.pop(move.key, None)
        return asyncio.shield(self.settlements.leave(told, claim.tag)) if told else None

    def _used(self, posting: Posting, month: int) -> int:
        """When Redis last said so. Calls in flight elsewhere will have ended: only ours are known."""
        used, known_month = self.known.get(posting.key, (0, 0))
        return 0 if posting.meter.kind == "concurrency" or (posting.meter.monthly and known_month < month) else used

    def _decided(self, claim: Claim, unit: str, reply: list[int]) -> Decision:
        after = len(claim.windows) + 2
        allowed, now_us = reply[0] == 1, reply[1]
        decided = decision(allowed, "redis", reply[2:after], claim, now_us)
        month = reply[after]
        said = zip(charged(claim), reply[after + 1 :: 2], reply[after + 2 :: 2], strict=True)
        if len(self.known) > MAX_KNOWN:
            self.known.clear()
        if self.lent:
            for posting in charged(claim):
                self.lent.pop(posting.key, None)
        spent = []
        for posting, used, ends_ms in said:
            self.known[posting.key] = (used, month)
            if not allowed and used >= posting.meter.max:
                spent.append(state(posting.meter, used, ends_ms / 1e3 - now_us / 1e6, now_us / 1e6, month))
        decided.spent = tuple(spent)
        if allowed:
            self._track(claim, unit, told=True)
            decided.hold = Reservation(claim.postings, partial(self._settle, claim, unit, month), partial(self._untrack, claim, unit))
        return decided

    def _abandon(self, claim: Claim, unit: str, reply: Reply) -> None:
        if not isinstance(reply, list):
            self._undo_if_charged(claim, unit, reply)
        elif (hold := self._decided(claim, unit, reply).hold) is not None:
            hold.settle(False, {})
            hold.end()

    def _undo_if_charged(self, claim: Claim, unit: str, reply: Reply) -> None:
        """Redis did not answer, and may have charged the call all the same. If it was sent, it is taken back."""
        if reply is AWAY:
            return
        moves = refunds(claim.postings, unit, month_of(int(self._wall()))) + leavings(claim.postings, unit)
        if moves:
            counted = any(move.what == "refund" for move in moves)
            self.settlements.send(moves, claim.tag, unit if counted else "", undoing=counted)

    def _command(self, claim: Claim, unit: str) -> bytes:
        pieces = self._commands.get(claim)
        if pieces is None:
            pieces = self._commands.keep(claim, self._pack(claim, _ANY).split(_ANY.encode()))
        return unit.encode().join(pieces)

    def _pack(self, claim: Claim, unit: str) -> bytes:
        postings = charged(claim)
        keys = [f"{self._prefix}{key}".encode() for key in (*claim.keys, *(posting.key for posting in postings))]
        keys.append(self.settlements.mark(claim.tag, unit, counted=True))
        arguments = rates(claim)
        meters: list[bytes] = []
        for posting in postings:
            meter = posting.meter
            numbers = (meter.max, meter.monthly, 0 if meter.tallied else meter.lasts_ms, meter.kind != "sum")
            meters += [b"%d" % number for number in numbers]
        last = (b"%d" % MARKED_MS, unit.encode())
        return pack(b"EVALSHA", self._sha, b"%d" % len(keys), *keys, b"%d" % len(arguments), *arguments, *meters, *last)


def charged(claim: Claim) -> list[Posting]:
    """What the call is to be charged to."""
    return [posting for posting in claim.postings if posting.act == "charge"]


def _nothing() -> None:
    """What a call leaves that was counted nowhere."""


def ignore_keys(keys: Iterable[str]) -> None:
    """For who does not care what changes."""
