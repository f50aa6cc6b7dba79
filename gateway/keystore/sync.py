"""Hears what becomes of keys in Redis, and tells Redis which of them were used: beside the requests, for as long as a worker lives.

Changes have names, in the order in which they were made. Those after the last one that is known are asked for when a notice
comes, and more than once a second anyway: a notice may get lost, and the connection that it comes over.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from gateway.kernel.clock import Clock
from gateway.keystore.cache import RESULTS, StoredKeys
from gateway.keystore.notifications import KeyNotices, addresses_of
from gateway.keystore.reader import KeyReader, RefusedCommandError
from gateway.keystore.records import KeyNames
from gateway.limiter.interface import Limiter
from gateway.observe.metrics import Metrics
from gateway.redis_client.address import RedisConnectionError
from gateway.settings import Config
from gateway.settings.checks.stored_keys import References
from gateway.table.keys import KeyMaker

POLL_S = 0.5
USED_AT_ONCE = 256


def key_watch(config: Config, limiter: Limiter, metrics: Metrics, clock: Clock) -> "KeyWatch | None":
    """Return the KeyWatch of the keys that `config` has in Redis, over the connection of `limiter`; None when it has none there."""
    if config.redis is None or config.key_store is None or limiter.call is None:
        return None
    store, maker = KeyReader(limiter.call, config.redis.key_prefix), KeyMaker(config)
    keys = StoredKeys(store, References(config), maker.make, {result: metrics.key_lookups.labels(result) for result in RESULTS}, clock)
    metrics.keys_in_memory.watch(lambda: float(len(keys)))
    notices = KeyNotices(addresses_of(config.redis.login_url()), KeyNames.of(config.redis.key_prefix).changed)
    return KeyWatch(keys, store, notices)


class KeyWatch:
    """Keeps `keys`, those of `store`, up to date. `start` once, `close` at the end. `chance` returns a number from 0 up to 1."""

    def __init__(self, keys: StoredKeys, store: KeyReader, notices: KeyNotices, chance: Callable[[], float] = random.random) -> None:
        self.keys = keys
        self._store = store
        self._notices = notices
        self._chance = chance
        self._newest = b""
        self._told: set[str] = set()
        self._woken = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._tend(), name="changes of keys"),
            loop.create_task(self._notices.listen(self._woken.set, partial(self._complain, "notices")), name="notices of changes of keys"),
        ]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._try("last uses", self._tell_used)

    async def _tend(self) -> None:
        while True:
            self._woken.clear()
            if not await self._try("changes", self._hear):
                self.keys.forget(None)
            await self._try("last uses", self._tell_used)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S * (0.75 + self._chance() / 2)):
                    await self._woken.wait()

    async def _hear(self) -> None:
        changes = await self._store.changes(self._newest)
        if changes is not None:
            self._newest = changes.newest
            self.keys.forget(changes.proofs)
            structlog.get_logger().debug("keys changed", number=None if changes.proofs is None else len(changes.proofs))

    async def _tell_used(self) -> None:
        while used := self.keys.take_used(USED_AT_ONCE):
            await self._store.note_used(used)

    async def _try(self, what: str, work: Callable[[], Awaitable[None]]) -> bool:
        """False when Redis is there and refuses, or there is a bug: it says so once, and it may be years before somebody looks."""
        try:
            await work()
        except RefusedCommandError as refused:
            self._complain(what, str(refused))
            return False
        except RedisConnectionError:
            return True  # that Redis is away is known, and what is known of keys counts until it is back
        except Exception as bug:  # nobody would hear of changes any more
            self._complain(what, repr(bug))
            return False
        self._told.discard(what)
        return True

    def _complain(self, what: str, reason: str) -> None:
        if what not in self._told:
            self._told.add(what)
            structlog.get_logger().error("keys in redis", refused=what, reason=reason)
