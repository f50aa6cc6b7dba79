"""Applies changes of keys in Redis to a worker, and records when keys were used. It runs beside the requests.

Changes have names, in the order in which they were made. Those after the last one that is known are asked for when a
notification comes, and more than once a second anyway: notifications, and the connection that they use, may get lost.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from gateway.kernel.clock import Clock
from gateway.keystore.cache import RESULTS, StoredKeys
from gateway.keystore.command_log import CommandLog
from gateway.keystore.notifications import KeyNotifications, addresses_of
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


def key_sync(
    config: Config, limiter: Limiter, metrics: Metrics, clock: Clock, *, logs_commands: bool = False
) -> "KeySync | None":
    """Return the KeySync for the keys that `config` has in Redis, over `limiter`'s connection; None without any.

    `logs_commands`: changes by `gateway keys` are lines in the log of this process.
    """
    if config.redis is None or config.key_store is None or limiter.call is None:
        return None
    store, maker = KeyReader(limiter.call, config.redis.key_prefix), KeyMaker(config)
    keys = StoredKeys(
        store, References(config), maker.make, {result: metrics.key_lookups.labels(result) for result in RESULTS}, clock
    )
    metrics.keys_in_memory.watch(lambda: float(len(keys)))
    notifications = KeyNotifications(
        addresses_of(config.redis.login_url()), KeyNames.of(config.redis.key_prefix).changed
    )
    log = CommandLog(store, config.redis.key_prefix, clock.wall()) if logs_commands else None
    return KeySync(keys, store, notifications, command_log=log)


class KeySync:
    """Keeps `keys`, those of `store`, up to date. `chance` returns a number from 0 up to 1."""

    def __init__(
        self,
        keys: StoredKeys,
        store: KeyReader,
        notifications: KeyNotifications,
        chance: Callable[[], float] = random.random,
        command_log: CommandLog | None = None,
    ) -> None:
        self._command_log = command_log
        self.keys = keys
        self._store = store
        self._notifications = notifications
        self._chance = chance
        self._newest = b""
        self._logged: set[str] = set()
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to listen and poll."""
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._maintain(), name="changes of keys"),
            loop.create_task(
                self._notifications.listen(self._wake.set, partial(self._log_problem, "notices")),
                name="notices of changes of keys",
            ),
        ]

    async def close(self) -> None:
        """End, after the last uses were written."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._try("last uses", self._write_used)

    async def _maintain(self) -> None:
        while True:
            self._wake.clear()
            if not await self._try("changes", self._apply_changes):
                self.keys.forget(None)
            await self._try("last uses", self._write_used)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S * (0.75 + self._chance() / 2)):
                    await self._wake.wait()

    async def _apply_changes(self) -> None:
        changes = await self._store.changes(self._newest)
        if changes is not None:
            self._newest = changes.newest
            self.keys.forget(changes.proofs)
            if self._command_log is not None:
                await self._try("audit trail", self._command_log.log_new)
            structlog.get_logger().debug("keys changed", number=None if changes.proofs is None else len(changes.proofs))

    async def _write_used(self) -> None:
        while used := self.keys.take_used(USED_AT_ONCE):
            await self._store.note_used(used)

    async def _try(self, what: str, work: Callable[[], Awaitable[None]]) -> bool:
        """Return False when Redis answers and refuses, or there is a bug; that is logged once until it works again."""
        try:
            await work()
        except RefusedCommandError as refused:
            self._log_problem(what, str(refused))
            return False
        except RedisConnectionError:
            return True  # the limiter reports it, and what is known of keys counts until Redis is back
        except Exception as bug:  # changes would never be applied any more
            self._log_problem(what, f"bug: {type(bug).__name__}: {bug}")
            return False
        self._logged.discard(what)
        return True

    def _log_problem(self, what: str, reason: str) -> None:
        if what not in self._logged:
            self._logged.add(what)
            structlog.get_logger().error("keys in redis", refused=what, reason=reason)
