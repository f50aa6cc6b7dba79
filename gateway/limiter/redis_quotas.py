"""Decides about meters in Redis in one step with the windows of a call, and updates them when the call has ended.

What becomes of a call that Redis does not answer is decided by `gateway.limiter.outage`.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from functools import partial
from importlib.resources import files

from gateway.kernel.clock import Clock
from gateway.kernel.limits.quota import (
    MeterState,
    MeterUpdate,
    Posting,
    Reservation,
    charged,
    concurrency_releases,
    month_of,
    refunds,
    reports,
    state,
)
from gateway.kernel.limits.token_bucket import Claim, Decision, decision, tag_of
from gateway.kernel.memo import MANY_CALLERS, Memo
from gateway.limiter.calls_in_flight import CallsInFlight
from gateway.limiter.memory_quotas import NAME_LENGTH, UnitNames
from gateway.limiter.quota_shares import QuotaShares
from gateway.limiter.settlements import MARKED_MS, METERS, Settlements
from gateway.redis_client.address import RedisConnectionError
from gateway.redis_client.client import RedisCall
from gateway.redis_client.connection import RedisReply, pack, sha_of
from gateway.redis_client.server import AWAY

QUOTA = files("gateway.limiter").joinpath("scripts/quota.lua").read_bytes()
READ = METERS + files("gateway.limiter").joinpath("scripts/read.lua").read_bytes()
READ_SHA = sha_of(READ)
MAX_COMMANDS = MANY_CALLERS
"""Packed commands kept, one a claim, some 500 bytes each."""
_ANY = "?" * NAME_LENGTH
"""Stands for the name of a unit."""


def quota_script(bucket: bytes) -> bytes:
    """Return the script that decides about meters, around `bucket`, the one that decides about windows."""
    return METERS + b"local function windows(KEYS, ARGV)\n" + bucket + b"end\n" + QUOTA


def rates(claim: Claim) -> list[bytes]:
    """Return the arguments of bucket.lua."""
    numbers = [claim.cost, *(number for window in claim.windows for number in (window.emission_us, window.full_us))]
    return [b"%d" % number for number in (*numbers, *([claim.enforced] if claim.shadowed else []))]


def shadows_over(numbers: Sequence[int]) -> list[int]:
    """Return the indexes of the shadow windows that bucket.lua numbers at the end of its reply."""
    return [number - 1 for number in numbers]


class RedisQuotas:
    """`prefix` begins every key; `bucket` is the script that decides about windows.

    `settlements` are how updates reach Redis, `shares` and `in_flight` what has to be known in case that Redis goes
    away.
    """

    def __init__(
        self,
        prefix: str,
        call: RedisCall,
        bucket: bytes,
        clock: Clock,
        settlements: Settlements,
        shares: QuotaShares,
        in_flight: CallsInFlight,
    ) -> None:
        self._prefix = prefix
        self._wall = clock.wall
        self._call = call
        self._sha = sha_of(quota_script(bucket))
        self._settlements = settlements
        self._shares = shares
        self._in_flight = in_flight
        self._names = UnitNames()
        self._commands: Memo[Claim, list[bytes]] = Memo(MAX_COMMANDS)
        self._pending: set[asyncio.Task[RedisReply]] = set()

    def __repr__(self) -> str:
        return f"<RedisQuotas {len(self._pending)} decisions pending>"

    async def decide(self, claim: Claim) -> Decision | RedisConnectionError:
        """Decide as `Limiter.decide`, or return why Redis did not.

        If the caller is cancelled meanwhile, what it was charged is refunded.
        """
        unit = self._names.next()
        pending = asyncio.get_running_loop().create_task(self._call(self._command(claim, unit), claim.tag))
        self._pending.add(pending)
        pending.add_done_callback(self._pending.discard)
        try:
            reply = await asyncio.shield(pending)
        except asyncio.CancelledError:
            pending.add_done_callback(lambda done: self._abandon(claim, unit, done.result()))
            raise
        if isinstance(reply, list):
            return self._decided(claim, unit, reply)
        assert isinstance(reply, RedisConnectionError)
        self._undo_if_charged(claim, unit, reply)
        return reply

    async def read(self, postings: Sequence[Posting]) -> list[MeterState] | RedisConnectionError:
        """Read as `Limiter.read`, one meter or more, or return why Redis did not answer."""
        keys = [f"{self._prefix}{posting.key}".encode() for posting in postings]
        kinds = [b"%d" % (posting.meter.monthly if posting.meter.tallied else 2) for posting in postings]
        reply = await self._call(pack(b"EVALSHA", READ_SHA, b"%d" % len(keys), *keys, *kinds), tag_of(postings[0].key))
        if not isinstance(reply, list):
            assert isinstance(reply, RedisConnectionError)
            return reply
        month, now_ms = reply[:2]
        found = zip(postings, reply[2::2], reply[3::2], strict=True)
        return [
            state(posting.meter, used, (ends_ms - now_ms) / 1e3, now_ms / 1e3, month)
            for posting, used, ends_ms in found
        ]

    async def forget(self, key: str) -> bool:
        """See `Limiter.forget`."""
        return not isinstance(
            await self._call(pack(b"DEL", f"{self._prefix}{key}".encode()), tag_of(key)), RedisConnectionError
        )

    async def finish(self) -> None:
        """Wait for the decisions that are under way, before the connection is cut."""
        await asyncio.gather(*self._pending)

    def _decided(self, claim: Claim, unit: str, reply: list[int]) -> Decision:
        postings = charged(claim.postings)
        end, after = len(claim.windows) + 2, len(reply) - 2 * len(postings) - 1
        allowed, now_us = reply[0] == 1, reply[1]
        decided = decision("redis", reply[2:end], claim, now_us, shadows_over(reply[end:after]), allowed=allowed)
        month = reply[after]
        used = reply[after + 1 :: 2]
        self._shares.redis_replied(list(zip([posting.key for posting in postings], used, strict=True)), month)
        if not allowed:
            found = zip(postings, used, reply[after + 2 :: 2], strict=True)
            decided.spent = tuple(
                [
                    state(posting.meter, number, ends_ms / 1e3 - now_us / 1e6, now_us / 1e6, month)
                    for posting, number, ends_ms in found
                    if number >= posting.meter.max
                ]
            )
            return decided
        self._in_flight.track(claim, unit, in_redis=True)
        release = partial(self._in_flight.untrack, claim, unit)
        decided.reservation = Reservation(claim.postings, partial(self._commit, claim, unit, month), release)
        return decided

    def _commit(
        self, claim: Claim, unit: str, month: int, amounts: Mapping[str, int], *, succeeded: bool
    ) -> Awaitable[None] | None:
        """Return None when nobody needs to wait: a call that only adds to meters has been let through already."""
        updates: list[MeterUpdate] = (
            reports(claim.postings, amounts) if succeeded else refunds(claim.postings, unit, month)
        )
        if not updates:
            return None
        sent = self._settlements.send(updates, claim.tag, unit)
        return None if all(update.what == "add" for update in updates) else asyncio.shield(sent)

    def _abandon(self, claim: Claim, unit: str, reply: RedisReply) -> None:
        """Refund what the call of a cancelled caller took."""
        if not isinstance(reply, list):
            self._undo_if_charged(claim, unit, reply)
        elif (reservation := self._decided(claim, unit, reply).reservation) is not None:
            reservation.commit({}, succeeded=False)
            reservation.release()

    def _undo_if_charged(self, claim: Claim, unit: str, reply: RedisReply) -> None:
        """Refund a call that Redis did not answer: if the command was sent, Redis may have charged it."""
        if reply is AWAY:
            return
        updates = refunds(claim.postings, unit, month_of(int(self._wall()))) + concurrency_releases(
            claim.postings, unit
        )
        if updates:
            counted = any(update.what == "refund" for update in updates)
            self._settlements.send(updates, claim.tag, unit if counted else "", undoing=counted)

    def _command(self, claim: Claim, unit: str) -> bytes:
        pieces = self._commands.get(claim)
        if pieces is None:
            pieces = self._commands.keep(claim, self._pack(claim, _ANY).split(_ANY.encode()))
        return unit.encode().join(pieces)

    def _pack(self, claim: Claim, unit: str) -> bytes:
        postings = charged(claim.postings)
        keys = [f"{self._prefix}{key}".encode() for key in (*claim.keys, *(posting.key for posting in postings))]
        keys.append(self._settlements.mark(claim.tag, unit, counted=True))
        arguments = rates(claim)
        meters: list[bytes] = []
        for posting in postings:
            meter = posting.meter
            numbers = (meter.max, meter.monthly, 0 if meter.tallied else meter.lasts_ms, meter.kind != "sum")
            meters += [b"%d" % number for number in numbers]
        last = (b"%d" % MARKED_MS, unit.encode())
        return pack(b"EVALSHA", self._sha, b"%d" % len(keys), *keys, b"%d" % len(arguments), *arguments, *meters, *last)
