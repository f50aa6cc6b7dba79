"""Buckets in Redis, shared by every gateway that uses it: one script, one round trip, one connection to each server.

While Redis is away calls are answered by the ladder that the operator chose: `local` counts in this process's memory,
`allow` counts nothing, `deny` refuses. The limit's headers are there on the first two, as the process sees it. A call
that was sent and not answered in time may have been charged in Redis as well.

Keys are `<prefix>:1:{<bucket>}:<window id>`: the version of what is stored, and a hash tag that keeps all windows of a
caller on one node of a cluster. There is nothing else in Redis, and every key expires.
"""

from collections.abc import Callable
from hashlib import sha1
from importlib.resources import files
from typing import Literal, TypeAlias

from gateway.kernel.bucket import UNLIMITED, Decision, Window, WindowState, decision
from gateway.kernel.clock import Clock
from gateway.kernel.faults import LIMITER_UNAVAILABLE, GatewayError
from gateway.remote.local import LocalLimiter
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
        self._fallback = LocalLimiter(clock, store="fallback")
        self._commands: dict[str, tuple[tuple[Window, ...], int, bytes]] = {}
        self._store = redis_store(url, timeout_s, (SCRIPT,), lambda tag: command(key_prefix, tag, PROBE, 1), on_state)

    def __repr__(self) -> str:
        return f"<RedisLimiter {self._store!r}>"

    async def start(self) -> None:
        """Returns when Redis was reached, or found away: after a few seconds at most. Before it, calls meet the ladder."""
        await self._store.start()

    async def close(self) -> None:
        """Cut the connection. Calls in flight and later ones meet the ladder."""
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
            return self._fallback.decide_now(bucket, windows, cost)
        if self._on_failure == "allow":
            return Decision(True, "allow", tuple(_as_if_fresh(window, cost) for window in windows))
        raise GatewayError(LIMITER_UNAVAILABLE, retry_after_s=RETRY_AFTER_S, cause=f"redis {self._store.address}: {reply!s}")

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
