"""Buckets in Redis, shared by every gateway that uses it: one script, one round trip, one connection to each server.

Calls that Redis does not answer are decided by `gateway.limiter.outage`. Their replies have the limits' headers, as
this process sees the limits, unless the call is refused. A call that was sent and not answered in time may have been
charged in Redis as well.

A refusal is remembered for a moment (`gateway.limiter.refusals`), so that a client that goes on costs Redis nothing.

Keys are `<prefix>:1:<key of the claim>`: the version of what is stored, and a name that begins with a hash tag, which
keeps all windows of a claim on one node of a cluster. Besides there is `<prefix>:1:gateways`, by which gateways know
how many they are. All expire.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Sequence
from functools import partial
from importlib.resources import files

import msgspec
from msgspec.structs import force_setattr

from gateway.kernel.clock import Clock
from gateway.kernel.envelope.dates import unix_date
from gateway.kernel.faults import LIMITER_UNAVAILABLE, GatewayError
from gateway.kernel.limits.quota import MeterState, Posting
from gateway.kernel.limits.token_bucket import (
    UNLIMITED,
    Claim,
    Decision,
    OnFailure,
    Window,
    claim,
    decision,
    granted,
    tag_of,
)
from gateway.limiter.heartbeat import SCRIPT as HEARTBEAT
from gateway.limiter.heartbeat import GatewayHeartbeat
from gateway.limiter.interface import Condition, LimiterState
from gateway.limiter.outage import Outage
from gateway.limiter.outage_memory import OutageMemory
from gateway.limiter.pending_decision import KnownDecision, PendingDecision, ReplyReader
from gateway.limiter.redis_quotas import READ, RedisQuotas, quota_script, rates, shadows_over
from gateway.limiter.refusals import RememberedRefusals
from gateway.limiter.settlements import SCRIPT as SETTLE
from gateway.redis_client.address import RedisConnectionError
from gateway.redis_client.client import redis_store
from gateway.redis_client.connection import RedisReply, pack, sha_of
from gateway.redis_client.status import RedisStatus, StateListener

SCRIPT = files("gateway.limiter").joinpath("scripts/bucket.lua").read_bytes()
SCRIPT_SHA = sha_of(SCRIPT)
VERSION = 1
PROBE = claim("{probe}", (Window("probe", 1000, 1_000_000, None),))
RETRY_AFTER_S = 1
LEAVE_WITHIN_S = 0.1
"""A gateway that stops waits no longer to sign off: it is forgotten anyway."""


class _PackedCommand(msgspec.Struct, frozen=True, eq=False):
    """The call of the script for one claim, which keeps it, as `limiter` sends it.

    It has some 300 bytes.
    """

    limiter: "RedisLimiter"
    command: bytes


def ignore_state(*, up: bool, reason: str) -> None:
    """Do nothing, by default, when the state of Redis changes."""


class RedisLimiter(ReplyReader):
    """A Limiter on a Redis, to which it connects again by itself when the connection was lost.

    `timeout_s` is the whole budget of a decision, waiting for a connection included. `on_state` is called
    when Redis is reached or found away for the first time, and at each change after that, never per request; the first
    word of `reason` is one of few and fits a metric's label, the rest is for the log. Raises ValueError for a URL that
    cannot be used; an absent Redis is no error. `script` is the one that decides: tests give it another source of time.
    `more_scripts` are for others who use the connection. `workers` is how many processes of this program have such a
    limiter, `memory` where one writes down what has to outlive it.
    """

    def __init__(
        self,
        url: str,
        key_prefix: str,
        timeout_s: float,
        on_failure: OnFailure,
        clock: Clock,
        on_state: StateListener = ignore_state,
        *,
        script: bytes = SCRIPT,
        more_scripts: tuple[bytes, ...] = (),
        workers: int = 1,
        memory: OutageMemory | None = None,
    ) -> None:
        self._key_prefix = key_prefix
        self._up = False
        self._reason = "not looked for yet"
        self._changed_at: float | None = None
        self._on_state = on_state
        self._monotonic = clock.monotonic
        self._wall = clock.wall
        self._heartbeat = GatewayHeartbeat(f"{key_prefix}:{VERSION}:gateways")
        self._heartbeat.expect(workers)
        self._wake = asyncio.Event()
        self._maintenance: asyncio.Task[None] | None = None
        self._refusals = RememberedRefusals(clock)
        self._refused = self._refusals.by_claim
        self._sha = sha_of(script)
        scripts = (script, HEARTBEAT, quota_script(script), SETTLE, READ, *more_scripts)
        self._store = redis_store(url, timeout_s, scripts, self._probe, self._changed)
        self._send = self._store.send
        self.call = call = self._store.call
        prefix = f"{key_prefix}:{VERSION}:"
        self.outage = outage = Outage(on_failure, call, prefix, clock, memory, workers)
        self._quotas = RedisQuotas(prefix, call, script, clock, outage.settlements, outage.shares, outage.in_flight)

    def __repr__(self) -> str:
        return f"<RedisLimiter {self._store!r}>"

    @property
    def owed(self) -> int:
        """See `Limiter.owed`."""
        return self.outage.settlements.owed

    @property
    def lost(self) -> int:
        """See `Limiter.lost`."""
        return self.outage.settlements.lost

    def condition(self) -> Condition:
        """See `Limiter.condition`."""
        since = None if self._changed_at is None else unix_date(int(self._changed_at))
        redis = RedisStatus(self._up, since, self._reason, self._store.servers(), self.outage.gateways)
        decides = "redis" if self._up else self.outage.on_failure
        fallback = self.outage.fallback
        return Condition("redis", decides, redis, fallback.memory.buckets, fallback.debts, len(self._refusals.by_claim))

    async def renew(self, keys: Sequence[str]) -> bool:
        """See `Limiter.renew`.

        A bucket whose time has come is full: so nothing is needed that deciding does not need.
        """
        self.outage.fallback.renew_now(keys)
        names = [f"{self._key_prefix}:{VERSION}:{key}".encode() for key in keys]
        calls = [
            self._store.call(pack(b"SET", name, b"0:1", b"PX", b"1"), tag_of(key))
            for name, key in zip(names, keys, strict=True)
        ]
        replies = await asyncio.gather(*calls)
        self._refusals.forget(keys)
        return not any(isinstance(reply, RedisConnectionError) for reply in replies)

    async def read(self, postings: Sequence[Posting]) -> list[MeterState]:
        """See `Limiter.read`. While Redis is away these are the states by which this process goes."""
        if not postings:
            return []
        states = await self._quotas.read(postings)
        if isinstance(states, list):
            return states
        without = self.outage.read(postings)
        if without is None:
            raise self._unavailable(states)
        return without

    async def forget(self, key: str) -> bool:
        """See `Limiter.forget`."""
        self.outage.shares.forget(key)
        return await self._quotas.forget(key)

    def hand_over(self) -> LimiterState:
        """See `Limiter.hand_over`."""
        return LimiterState(outage=self.outage.hand_over())

    def adopt(self, state: LimiterState, *, share_only: bool = False) -> None:
        """See `Limiter.adopt`. What a limiter without Redis had counted counts while Redis is away."""
        self.outage.fallback.memory.adopt(state)
        if state.outage:
            self.outage.adopt(state.outage, share_only=share_only)
            self._heartbeat.expect(self.outage.gateways)
            self._wake.set()

    async def start(self) -> None:
        """See `Limiter.start`. Calls that come before it are decided as while Redis is away."""
        self.outage.recover()
        self._heartbeat.expect(self.outage.gateways)
        await self._store.start()
        self._maintenance = asyncio.get_running_loop().create_task(self._maintain(), name="gateways and debts")

    async def close(self) -> None:
        """See `Limiter.close`. Later calls are decided as while Redis is away."""
        if self._maintenance is not None:
            self._maintenance.cancel()
            await asyncio.wait([self._maintenance])
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._heartbeat.leave(self._store.call), LEAVE_WITHIN_S)
            await self._quotas.finish()
            await self.outage.settlements.finish()
        await self._store.close()

    def decide(self, claim: Claim) -> Awaitable[Decision]:
        """See `Limiter.decide`. The decision's `store` says whether Redis made it."""
        packed = claim.command
        if not isinstance(packed, _PackedCommand) or packed.limiter is not self:
            if claim.postings:
                return self._decide_with_quotas(claim)
            if not claim.windows:
                return KnownDecision(UNLIMITED)
            packed = _PackedCommand(self, command(self._key_prefix, claim, self._sha))
            force_setattr(claim, "command", packed)
        asked_s = self._monotonic()
        if self._refused and (refused := self._refusals.find(claim, asked_s)) is not None:
            return KnownDecision(refused)
        pending = PendingDecision(claim, self, asked_s)
        self._send(packed.command, claim.tag, pending)
        return pending

    async def _decide_with_quotas(self, claim: Claim) -> Decision:
        metered = await self._quotas.decide(claim)
        if not isinstance(metered, Decision):
            return self._without_redis(claim, metered)
        if metered.allowed and self._refused:
            self._refusals.forget(claim.keys)
        return metered

    def decided(self, claim: Claim, reply: RedisReply, asked_s: float) -> Decision:
        """See `ReplyReader.decided`."""
        if not isinstance(reply, list):
            return self._without_redis(claim, reply)
        if reply[0] == 1 and claim.alone is not None and not self._refused:  # nearly every call: the same as below
            return granted("redis", claim.alone, reply[2] - reply[1])
        over = shadows_over(reply[len(claim.windows) + 2 :]) if claim.shadowed else ()
        decided = decision("redis", reply[2:], claim, reply[1], over, allowed=reply[0] == 1)
        if not decided.allowed:
            self._refusals.remember(claim, reply, asked_s)
        elif self._refused:
            self._refusals.forget(claim.keys)
        return decided

    def _without_redis(self, claim: Claim, failure: RedisReply) -> Decision:
        """Decide because of `failure`. Raises GatewayError LIMITER_UNAVAILABLE."""
        decided = self.outage.decide(claim)
        if decided is None:
            raise self._unavailable(failure)
        return decided

    def _unavailable(self, failure: RedisReply) -> GatewayError:
        return GatewayError(
            LIMITER_UNAVAILABLE, retry_after_s=RETRY_AFTER_S, cause=f"redis {self._store.address}: {failure!s}"
        )

    async def _maintain(self) -> None:
        """Do the work outside of requests: announce this gateway, renew calls in flight, and charge what is owed."""
        while True:
            self._wake.clear()
            answered = await self._heartbeat.beat(self._store.call)
            await self.outage.in_flight.renew()
            if answered:
                await self.outage.pay(self._heartbeat.gateways, partial(command, self._key_prefix, sha=self._sha))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._heartbeat.pause_s()):
                    await self._wake.wait()

    def _changed(self, *, up: bool, reason: str) -> None:
        """Note that Redis was reached, or found away. It may be another Redis, or the same without its data."""
        self._refusals.clear()
        self._up, self._reason, self._changed_at = up, reason, self._wall()
        self.outage.redis_changed(up=up)
        if up:
            self._wake.set()
        self._on_state(up=up, reason=reason)

    def _probe(self, tag: str) -> bytes:
        return command(self._key_prefix, claim(tag, PROBE.windows), self._sha)


def command(key_prefix: str, claim: Claim, sha: bytes = SCRIPT_SHA) -> bytes:
    """Return the call of the script, in Redis's wire format."""
    keys = [f"{key_prefix}:{VERSION}:{key}".encode() for key in claim.keys]
    return pack(b"EVALSHA", sha, b"%d" % len(keys), *keys, *rates(claim))
