"""Buckets in Redis, shared by every gateway that uses it: one script, one round trip, one connection to each server.

While Redis is away calls meet the ladder, and what was counted here is told to Redis later. The limits' headers are there, as
the process sees them, unless the call is refused. A call that was sent and not answered in time may have been charged in Redis as well.

A refusal is remembered if a window that refused has not one token left, so that no call of any cost is let through meanwhile:
until its next token comes, and for a second at most, the same claim is refused without asking again. It is forgotten when this
process lets a call through that took from one of its buckets. Time is measured by this process's monotonic clock from before
Redis was asked, so that whatever the clocks of the two say, nothing is refused here that Redis would let through.

Keys are `<prefix>:1:<key of the claim>`: the version of what is stored, and a name that begins with a hash tag, which
keeps all windows of a claim on one node of a cluster. Besides there is `<prefix>:1:gateways`, by which gateways know
how many they are. All expire.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from importlib.resources import files
from math import inf

import msgspec

from gateway.kernel.clock import Clock
from gateway.kernel.envelope.dates import unix_date
from gateway.kernel.faults import LIMITER_UNAVAILABLE, GatewayError
from gateway.kernel.limits.quota import MeterState, Posting
from gateway.kernel.limits.token_bucket import UNLIMITED, Claim, Decision, OnFailure, Window, claim, decision, tag_of
from gateway.kernel.memo import Memo
from gateway.limiter.failure_policy import FailurePolicy
from gateway.limiter.fallback import Fallback
from gateway.limiter.heartbeat import SCRIPT as PRESENCE
from gateway.limiter.heartbeat import GatewayHeartbeat
from gateway.limiter.interface import Condition
from gateway.limiter.outage import Outage
from gateway.limiter.outage_memory import OutageMemory
from gateway.limiter.redis_quotas import READ, RedisQuotas, charged, quota_script, rates
from gateway.limiter.settlements import SCRIPT as SETTLE
from gateway.redis_client.address import RedisConnectionError
from gateway.redis_client.client import redis_store
from gateway.redis_client.connection import Reply, pack, sha_of
from gateway.redis_client.status import Redis

SCRIPT = files("gateway.limiter").joinpath("scripts/bucket.lua").read_bytes()
SCRIPT_SHA = sha_of(SCRIPT)
VERSION = 1
MAX_COMMANDS = 8192
"""Packed commands kept, one a claim, some 300 bytes each."""
MAX_REFUSALS = 8192
"""Refusals remembered, some 300 bytes each."""
REFUSED_S = 1.0
"""How long one is, at most: buckets that an operator empties, and limits changed elsewhere, take effect within that."""
CLOCK_RATE = 0.999
"""Two clocks that are corrected while they run (500 ppm each at most) agree to this on how long something takes."""
PROBE = claim("{probe}", (Window("probe", 1000, 1_000_000, None),))
RETRY_AFTER_S = 1
LEAVE_WITHIN_S = 0.1
"""Whoever stops does not wait for long to say so: it is forgotten anyway."""


def ignore_state(up: bool, reason: str) -> None:
    """For who does not care whether Redis is there."""


class _Refusal(msgspec.Struct):
    """What Redis said: the buckets' times and its own, in us. `until_s` and `told_s` are readings of the monotonic clock."""

    tats_us: list[int]
    now_us: int
    told_s: float
    until_s: float


class RedisLimiter:
    """A Limiter on a Redis, which it finds, loses and finds again by itself.

    `timeout_s` is the whole budget of a decision, waiting for a connection included. `on_state(up, reason)` is called
    when Redis is reached or found away for the first time, and at each change after that, never per request; the first
    word of `reason` is one of few and fits a metric's label, the rest is for the log. Raises ValueError for a URL that
    cannot be used; an absent Redis is no error. `script` is the one that decides: tests give it another source of time.
    `more_scripts` are for others who use the connection. `workers` is how many processes of this program have such a limiter,
    `memory` where one writes down what has to outlive it.
    """

    def __init__(
        self,
        url: str,
        key_prefix: str,
        timeout_s: float,
        on_failure: OnFailure,
        clock: Clock,
        on_state: Callable[[bool, str], None] = ignore_state,
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
        self.fallback = Fallback(clock)
        self._failure_policy = FailurePolicy(on_failure, self.fallback)
        self._heartbeat = GatewayHeartbeat(f"{key_prefix}:{VERSION}:gateways")
        self.fallback.gateways = workers
        self._woken = asyncio.Event()
        self._tender: asyncio.Task[None] | None = None
        self._commands: Memo[Claim, bytes] = Memo(MAX_COMMANDS)
        self._refusals: dict[Claim, _Refusal] = {}
        self._refused: dict[str, set[Claim]] = {}
        self._sha = sha_of(script)
        scripts = (script, PRESENCE, quota_script(script), SETTLE, READ, *more_scripts)
        self._store = redis_store(url, timeout_s, scripts, self._probe, self._changed)
        self.call = self._store.call
        self.quotas = RedisQuotas(f"{key_prefix}:{VERSION}:", self.call, script, clock)
        self.outage = Outage(self.fallback, self.quotas, memory, workers)
        self._heartbeat.expect(workers)

    def __repr__(self) -> str:
        return f"<RedisLimiter {self._store!r}>"

    def condition(self) -> Condition:
        """As `TendedLimiter.condition`."""
        since = None if self._changed_at is None else unix_date(int(self._changed_at))
        redis = Redis(self._up, since, self._reason, self._store.servers(), self.fallback.gateways)
        decides = "redis" if self._up else self._failure_policy.on_failure
        return Condition(repr(self), decides, redis, self.fallback.memory.buckets, self.fallback.debts, len(self._refusals))

    async def renew(self, keys: Sequence[str]) -> bool:
        """As `TendedLimiter.renew`. A bucket whose time has come is full: so nothing is needed that deciding does not need."""
        self.fallback.renew_now(keys)
        names = [f"{self._key_prefix}:{VERSION}:{key}".encode() for key in keys]
        replies = [self._store.call(pack(b"SET", name, b"0:1", b"PX", b"1"), tag_of(key)) for name, key in zip(names, keys, strict=True)]
        told = await asyncio.gather(*replies)
        self._forget_refusals(keys)
        return not any(isinstance(reply, RedisConnectionError) for reply in told)

    async def read(self, postings: Sequence[Posting]) -> list[MeterState]:
        """As `Limiter.read`. While Redis is away it is what this process would go by."""
        if not postings:
            return []
        told = await self.quotas.read(postings)
        if isinstance(told, list):
            return told
        if self._failure_policy.on_failure == "deny":
            raise self._unavailable(told)
        self.quotas.seed_share(postings, self.fallback.memory.memory_quotas, self.fallback.gateways)
        return self.fallback.memory.memory_quotas.read(postings)

    async def forget(self, key: str) -> bool:
        """As `TendedLimiter.forget`."""
        self.fallback.memory.memory_quotas.forget(key)
        return await self.quotas.forget(key)

    def hand_over(self) -> bytes:
        """What is known beside Redis, for `adopt` in another process. What is owed is owed by that one."""
        return self.outage.hand_over()

    def adopt(self, content: bytes, *, share_only: bool = False) -> None:
        """As `Outage.adopt`."""
        self.outage.adopt(content, share_only=share_only)
        self._heartbeat.expect(self.fallback.gateways)
        self._woken.set()

    async def start(self) -> None:
        """Returns when Redis was reached, or found away: after a few seconds at most. Before it, calls meet the ladder."""
        self.outage.recover()
        self._heartbeat.expect(self.fallback.gateways)
        await self._store.start()
        self._tender = asyncio.get_running_loop().create_task(self._tend(), name="gateways and debts")

    async def close(self) -> None:
        """Finish what is under way, and cut the connection. Later calls meet the ladder."""
        if self._tender is not None:
            self._tender.cancel()
            await asyncio.wait([self._tender])
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._heartbeat.leave(self._store.call), LEAVE_WITHIN_S)
            await self.quotas.finish()
        await self._store.close()

    async def decide(self, claim: Claim) -> Decision:
        """As `Limiter.decide`. The decision's `store` says whether Redis made it."""
        if claim.postings:
            decided = await self.quotas.decide(claim)
            if not isinstance(decided, Decision):
                return self._metered_without(claim, decided)
            if decided.allowed and self._refused:
                self._forget_refusals(claim.keys)
            return decided
        if not claim.windows:
            return UNLIMITED
        asked_s = self._monotonic()
        if self._refusals and (refusal := self._refusals.get(claim)) is not None:
            if asked_s < refusal.until_s:
                now_us = refusal.now_us + int((asked_s - refusal.told_s) * CLOCK_RATE * 1e6)
                return decision(False, "cache", refusal.tats_us, claim, now_us)
            self._forget_refusals(claim.keys)
        reply = await self._store.call(self._commands.get(claim) or self._pack(claim), claim.tag)
        if isinstance(reply, list):
            decided = decision(reply[0] == 1, "redis", reply[2:], claim, reply[1])
            if not decided.allowed:
                self._remember(claim, reply, asked_s)
            elif self._refused:
                self._forget_refusals(claim.keys)
            return decided
        return self._without(claim, reply)

    def _metered_without(self, claim: Claim, reply: Reply) -> Decision:
        """As `_without`; Redis is to be told how the call ends."""
        if self._failure_policy.on_failure == "local":
            self.quotas.seed_share(charged(claim), self.fallback.memory.memory_quotas, self.fallback.gateways)
        decided = self._without(claim, reply)
        if decided.hold is not None:
            decided.hold = self.quotas.deferred(claim, decided.hold)
        elif decided.allowed:
            decided.hold = self.quotas.uncounted(claim)
        return decided

    def _without(self, claim: Claim, reply: Reply) -> Decision:
        """What the ladder says, because `reply` is none. Raises GatewayError LIMITER_UNAVAILABLE."""
        without = self._failure_policy.decide_now(claim)
        if without is None:
            raise self._unavailable(reply)
        return without

    def _unavailable(self, reply: Reply) -> GatewayError:
        return GatewayError(LIMITER_UNAVAILABLE, retry_after_s=RETRY_AFTER_S, cause=f"redis {self._store.address}: {reply!s}")

    async def _tend(self) -> None:
        """What is done outside of requests: say that this gateway is there, and pay what it owes."""
        while True:
            self._woken.clear()
            heard = await self._heartbeat.beat(self._store.call)
            await self.quotas.renew()
            if heard:
                self.outage.heard(self._heartbeat.gateways)
                await self.fallback.settle(self._store.call, partial(command, self._key_prefix, sha=self._sha))
                await self.quotas.settlements.pay()
                self.outage.told()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._heartbeat.pause_s()):
                    await self._woken.wait()

    def _remember(self, claim: Claim, reply: list[int], asked_s: float) -> None:
        now_us, tats_us = reply[1], reply[2:]
        wait_us = inf
        for window, tat_us in zip(claim.windows[: claim.enforced], tats_us, strict=False):
            room_us = now_us + window.full_us - tat_us
            if claim.cost * window.emission_us > room_us:
                wait_us = min(wait_us, window.emission_us - room_us)
        if wait_us <= 0:
            return  # a cheaper call may take what there is, and this one has to wait for longer then
        if len(self._refusals) >= MAX_REFUSALS:
            self._refusals.clear()
            self._refused.clear()
        self._refusals[claim] = _Refusal(tats_us, now_us, self._monotonic(), asked_s + min(wait_us / 1e6 * CLOCK_RATE, REFUSED_S))
        for key in claim.keys:
            self._refused.setdefault(key, set()).add(claim)

    def _forget_refusals(self, keys: Sequence[str]) -> None:
        """Something became of these buckets."""
        for refused in {refused for key in keys for refused in self._refused.get(key, ())}:
            self._refusals.pop(refused, None)
            for key in refused.keys:
                self._refused[key].discard(refused)
                if not self._refused[key]:
                    del self._refused[key]

    def _changed(self, up: bool, reason: str) -> None:
        """Another Redis may have come, or the same without its data."""
        self._refusals.clear()
        self._refused.clear()
        self._up, self._reason, self._changed_at = up, reason, self._wall()
        if up:
            self.fallback.memory.memory_quotas.clear()
            self.quotas.settlements.give_places_back()
            self._woken.set()
        self.outage.changed(up=up)
        self._on_state(up, reason)

    def _probe(self, tag: str) -> bytes:
        return command(self._key_prefix, claim(tag, PROBE.windows), self._sha)

    def _pack(self, claim: Claim) -> bytes:
        return self._commands.keep(claim, command(self._key_prefix, claim, self._sha))


def command(key_prefix: str, claim: Claim, sha: bytes = SCRIPT_SHA) -> bytes:
    """The call of the script, in Redis's wire format."""
    keys = [f"{key_prefix}:{VERSION}:{key}".encode() for key in claim.keys]
    return pack(b"EVALSHA", sha, b"%d" % len(keys), *keys, *rates(claim))
