"""Brings the records of one gateway to Redis, where those of all gateways are, and reads them there.

A change never waits for this. While Redis is away its records wait in memory, and are tried again.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import structlog

from gateway.audit.query import AuditQuery
from gateway.audit.records import AuditRecord
from gateway.audit.redis_stream import read_records, write_records
from gateway.audit.trail import AuditTrail
from gateway.redis_client.address import RedisConnectionError
from gateway.settings.schema.server import RedisSettings
from gateway.system.one_shot_thread import Threads

AGAIN_S = 2.0
LONGEST_DELAY_S = 60.0
AT_ONCE = 100
LAST_S = 1.0


class AuditPage(NamedTuple):
    """Records, the newest first. `problem` is why those of other gateways are missing; None if they are not."""

    records: list[AuditRecord]
    shared: bool
    problem: str | None


class SharedAuditTrail:
    """Writes what `trail` records to the Redis that `settings` names at that time; None for no Redis.

    `run_in_background` runs a coroutine to its end.
    """

    def __init__(
        self,
        trail: AuditTrail,
        settings: Callable[[], RedisSettings | None],
        threads: Threads,
        run_in_background: Callable[[Coroutine[Any, Any, None]], None],
        again_s: float = AGAIN_S,
    ) -> None:
        self.trail = trail
        self._settings = settings
        self._threads = threads
        self._run_in_background = run_in_background
        self._again_s = self._next_try_s = again_s
        self._idle = asyncio.Event()
        self._idle.set()
        self._problem: str | None = None
        trail.on_record = self._begin

    async def read(self, query: AuditQuery) -> AuditPage:
        """Return the records of all gateways; those of this one where there is no Redis, or it is away."""
        own, settings = self.trail.remembered(query), self._settings()
        if settings is None:
            return AuditPage(own, shared=False, problem=None)
        reading = partial(read_records, settings.login_url(), settings.key_prefix, query)
        try:
            stored = await self._threads.run(reading)
        except (RedisConnectionError, OSError, ValueError) as error:
            return AuditPage(own, shared=False, problem=str(error))
        known = {record.id for record in stored}
        waiting = {record.id for record in self.trail.waiting}
        both = [*stored, *(record for record in own if record.id in waiting - known)]
        return AuditPage(sorted(both, key=lambda record: record.at, reverse=True)[: query.limit], True, None)  # noqa: FBT003

    async def close(self) -> None:
        """Wait for records on their way to Redis, for a moment."""
        try:
            await asyncio.wait_for(self._idle.wait(), LAST_S)
        except TimeoutError:
            structlog.get_logger().error("audit records are not in redis", number=len(self.trail.waiting))

    def _begin(self) -> None:
        if self._settings() is not None and self._idle.is_set():
            self._idle.clear()
            self._run_in_background(self._write_all())

    async def _write_all(self) -> None:
        try:
            while self.trail.waiting and (settings := self._settings()) is not None:
                await self._write_some(settings)
        finally:
            self._idle.set()

    async def _write_some(self, settings: RedisSettings) -> None:
        waiting = self.trail.waiting
        records = list(islice(waiting, AT_ONCE))
        try:
            await self._threads.run(partial(write_records, settings.login_url(), settings.key_prefix, records))
        except (RedisConnectionError, OSError, ValueError) as error:
            if self._problem is None:
                self._problem = str(error)
                structlog.get_logger().error("audit records wait for redis", reason=self._problem)
            await asyncio.sleep(self._next_try_s)
            self._next_try_s = min(2 * self._next_try_s, LONGEST_DELAY_S)
            return
        self._problem, self._next_try_s = None, self._again_s
        written = {record.id for record in records}
        while waiting and waiting[0].id in written:
            waiting.popleft()
