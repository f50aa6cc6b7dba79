"""Buckets in Redis, shared by every gateway that uses it: one script, one round trip, one connection to each server.

While Redis is away calls are answered by the ladder that the operator chose: `local` counts this gateway's share of the
limit in memory and has Redis know of it later, `allow` counts nothing, `deny` refuses. The limit's headers are there on the
first two, as the process sees it. A call that was sent and not answered in time may have been charged in Redis as well.

Keys are `<prefix>:1:{<bucket>}:<window id>`: the version of what is stored, and a hash tag that keeps all windows of a
caller on one node of a cluster. Besides there is `<prefix>:1:gateways`, by which gateways know how many they are. All expire.
"""

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from hashlib import sha1
from importlib.resources import files
from typing import Literal, TypeAlias

from gateway.kernel.bucket import UNLIMITED, Decision, Window, WindowState, decision
from gateway.kernel.clock import Clock
from gateway.kernel.faults import LIMITER_UNAVAILABLE, GatewayError
from gateway.remote.fallback import Fallback
from gateway.remote.presence import SCRIPT as PRESENCE
from gateway.remote.presence import Presence
from gateway.remote.redis_link import pack
from gateway.remote.redis_store import redis_store

OnFailure: TypeAlias = Literal["local", "allow", "deny"]

SCRIPT = files("gateway.remote").joinpath("bucket.lua").read_bytes()
SCRIPT_SHA = sha1(SCRIPT, usedforsecurity=False).hexdigest().encode()
VERSION = 1
MAX_COMMANDS = 8192
"""Packed commands kept, one a caller, some 300 bytes each."""
PROBE = (Window("probe", 1000, 1_000_000, None),)
RETRY_AFTER_S = 1
LEAVE_WITHIN_S = 0.1
"""Whoever stops does not wait for long to say so: it is forgotten anyway."""


def ignore_state(up: bool, reason: str) -> None:
    """For who does not care whether Redis is there."""


class RedisLimiter:
    """A Limiter on a Redis, which it finds, loses and finds again by itself.

    `timeout_s` is the whole budget of a decision, waiting for a connection included. `on_state(up, reason)` is called
    when Redis is reached or found away for the first time, and at each change after that, never per request; the first
    word of `reason` is one of few and fits a metric's label, the rest is for the log. Raises ValueError for a URL that
    cannot be used; an absent Redis is no error.
    """

    def __init__(
        self,
        url: str,
        key_prefix: str,
        timeout_s: float,
        on_failure: OnFailure,
        clock: Clock,
        on_state: Callable[[bool, str], None] = ignore_state,
    ) -> None:
        self._key_prefix = key_prefix
        self._on_failure = on_failure
        self._on_state = on_state
        self.fallback = Fallback(clock)
        self._presence = Presence(f"{key_prefix}:{VERSION}:gateways")
        self._woken = asyncio.Event()
        self._tender: asyncio.Task[None] | None = None
        self._commands: dict[str, tuple[tuple[Window, ...], int, bytes]] = {}
        self._store = redis_store(url, timeout_s, (SCRIPT, PRESENCE), lambda tag: command(key_prefix, tag, PROBE, 1), self._changed)

    def __repr__(self) -> str:
        return f"<RedisLimiter {self._store!r}>"

    async def start(self) -> None:
        """Returns when Redis was reached, or found away: after a few seconds at most. Before it, calls meet the ladder."""
        await self._store.start()
        self._tender = asyncio.get_running_loop().create_task(self._tend(), name="gateways and debts")

    async def close(self) -> None:
        """Cut the connection. Calls in flight and later ones meet the ladder."""
        if self._tender is not None:
            self._tender.cancel()
            await asyncio.wait([self._tender])
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._presence.leave(self._store.call), LEAVE_WITHIN_S)
        await self._store.close()

    async def decide(self, bucket: str, windows: tuple[Window, ...], cost: int = 1) -> Decision:
        """As `Limiter.decide`. The decision's `store` says whether Redis made it."""
        if not windows:
            return UNLIMITED
        known = self._commands.get(bucket)
        as_before = known is not None and known[0] is windows and known[1] == cost
        reply = await self._store.call(known[2] if known and as_before else self._pack(bucket, windows, cost), bucket)
        if isinstance(reply, list):
            return decision(reply[0] == 1, "redis", reply[2:], windows, cost, reply[1])
        if self._on_failure == "local":
            return self.fallback.decide_now(bucket, windows, cost)
        if self._on_failure == "allow":
            return Decision(True, "allow", tuple(_as_if_fresh(window, cost) for window in windows))
        raise GatewayError(LIMITER_UNAVAILABLE, retry_after_s=RETRY_AFTER_S, cause=f"redis {self._store.address}: {reply!s}")

    def _changed(self, up: bool, reason: str) -> None:
        if up:
            self._woken.set()
        self._on_state(up, reason)

    async def _tend(self) -> None:
        """What is done outside of requests: say that this gateway is there, and pay what it owes."""
        while True:
            self._woken.clear()
            if await self._presence.beat(self._store.call):
                self.fallback.gateways = self._presence.gateways
                await self.fallback.settle(self._store.call, partial(command, self._key_prefix))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._presence.pause_s()):
                    await self._woken.wait()

    def _pack(self, bucket: str, windows: tuple[Window, ...], cost: int) -> bytes:
        packed = command(self._key_prefix, bucket, windows, cost)
        if len(self._commands) >= MAX_COMMANDS:
            self._commands.clear()
        self._commands[bucket] = (windows, cost, packed)
        return packed


def command(key_prefix: str, bucket: str, windows: tuple[Window, ...], cost: int) -> bytes:
    """The call of the script, in Redis's wire format."""
    keys = [f"{key_prefix}:{VERSION}:{{{bucket}}}:{window.id}".encode() for window in windows]
    rates = [b"%d" % number for window in windows for number in (window.emission_us, window.full_us)]
    return pack(b"EVALSHA", SCRIPT_SHA, b"%d" % len(keys), *keys, b"%d" % cost, *rates)


def _as_if_fresh(window: Window, cost: int) -> WindowState:
    return WindowState(window, max(window.max - cost, 0), cost * window.emission_us / 1e6, 0.0)
