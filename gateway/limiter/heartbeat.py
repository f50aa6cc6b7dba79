"""Counts the gateways that share a Redis: each announces itself every few seconds and learns the number of others.

The number that was last known holds while Redis is away, which is when it is needed.
"""

import random
from collections import deque
from collections.abc import Callable
from importlib.resources import files

from gateway.redis_client.client import RedisCall
from gateway.redis_client.connection import pack, sha_of

SCRIPT = files("gateway.limiter").joinpath("scripts/heartbeat.lua").read_bytes()
SCRIPT_SHA = sha_of(SCRIPT)
BEAT_S = 2.0
ALIVE_S = 7.0
"""A gateway counts for so long after its last beat: three may come late or get lost."""
BEATS_REMEMBERED = 4
"""Beats whose highest number counts: a Redis that came back without its data hears of all gateways within that time."""


class GatewayHeartbeat:
    """One gateway process among those that use the sorted set `key`. `chance` returns a number from 0 up to 1."""

    def __init__(self, key: str, chance: Callable[[], float] = random.random) -> None:
        self._key = key
        self._chance = chance
        self._id = f"{random.getrandbits(64):016x}".encode()
        self._command = pack(b"EVALSHA", SCRIPT_SHA, b"1", key.encode(), self._id, b"%d" % round(ALIVE_S * 1000))
        self._seen: deque[int] = deque([1], BEATS_REMEMBERED)

    @property
    def gateways(self) -> int:
        """The number of gateways, this one included."""
        return max(self._seen)

    def expect(self, gateways: int) -> None:
        """Assume so many gateways until the next beats, as another process or the configuration says."""
        self._seen.append(gateways)

    async def beat(self, call: RedisCall) -> bool:
        """Announce this gateway. Return False when Redis did not answer."""
        reply = await call(self._command, self._key)
        if not isinstance(reply, int):
            return False
        self._seen.append(max(reply, 1))
        return True

    async def leave(self, call: RedisCall) -> None:
        """Sign off, so that the others know at once that this gateway has ended."""
        await call(pack(b"ZREM", self._key.encode(), self._id), self._key)

    def pause_s(self) -> float:
        """Return the time before the next beat: not the same for all gateways that were started together."""
        return BEAT_S * (0.75 + self._chance() / 2)
