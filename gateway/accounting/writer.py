"""The task of a worker that collects usage and sends it to Redis.

Collected every second: that is what a worker that is killed loses. Sent every few seconds (every
second while Redis has not accepted all), and when the worker stops.
While Redis is away, and when an answer is lost, everything is kept and sent later, and counted once.
"""

import asyncio
from itertools import count

import structlog

from gateway.accounting.counts import UsageCounts
from gateway.accounting.journal import UsageJournal, owed_in
from gateway.accounting.owed import OwedUsage
from gateway.accounting.storage import TAG, Batch, UsageStore
from gateway.limiter.outage_memory import OutageMemory
from gateway.redis_client.client import RedisCall

COLLECT_S = 1.0
COLLECTIONS_TO_SEND = 5


class UsageWriter:
    """Collects from `counts`, and sends with `call`, the connection of the limiter, which has loaded SCRIPT.

    `writer` is unique to this process. `memory` is where what is owed outlives it.
    """

    def __init__(
        self,
        counts: UsageCounts,
        store: UsageStore,
        call: RedisCall,
        writer: str,
        memory: OutageMemory | None = None,
        *,
        collect_s: float = COLLECT_S,
    ) -> None:
        self.counts = counts
        self._store = store
        self._call = call
        self._writer = writer
        self._owed = OwedUsage()
        self._journal = UsageJournal(self._owed, memory)
        self._numbers = count(1)
        self._task: asyncio.Task[None] | None = None
        self._sending = asyncio.Lock()
        self._refused = ""
        self._is_late = False
        self._collect_s = collect_s

    def __repr__(self) -> str:
        return f"<UsageWriter {self._writer} {self._owed!r}>"

    @property
    def owed_calls(self) -> int:
        """The number of calls that were collected and that Redis does not have."""
        return self._owed.calls

    def start(self) -> None:
        """Continue with what the worker owed whose memory this was, and begin to collect."""
        try:
            self._take_over(self._journal.recover())
        except Exception as bug:  # the worker after this one would meet it, too
            structlog.get_logger().error("bug", what="usage that a worker left is lost", exc_info=bug)
            self._journal.rewrite()
        self._task = asyncio.get_running_loop().create_task(self._run(), name="usage")

    def adopt(self, content: bytes) -> None:
        """Take over what another worker has left in its memory. Raises msgspec.MsgspecError."""
        self._take_over(owed_in(content))

    def collect(self) -> None:
        """Let what was counted since the last time wait for Redis, and record it."""
        self._journal.collected([self._owed.add(counts) for counts in self.counts.take()])

    async def send(self) -> bool:
        """Send all that waits. Return False if Redis has not accepted all of it."""
        async with self._sending:
            while (batch := self._next()) is not None:
                reply = await self._call(self._store.command(batch), TAG)
                if not isinstance(reply, int):
                    self._is_late = True
                    self._report(reply.decode(errors="replace") if isinstance(reply, bytes) else str(reply))
                    return False
                self._owed.accepted(batch.writer, batch.number)
                self._journal.accepted(batch)
            self._is_late = False
            self._report("")
            return True

    async def close(self) -> None:
        """Collect and send the last time. What Redis does not accept now is sent by a successor, if there is one."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self.collect()
        if not await self.send():
            structlog.get_logger().warning("usage is left to a successor", calls=self.owed_calls)

    def _next(self) -> Batch | None:
        if self._owed.batches:
            return self._owed.batches[0]
        batch = self._owed.make_batch(self._writer, next(self._numbers))
        if batch is not None:
            self._journal.made(batch)
        return batch

    def _take_over(self, owed: OwedUsage) -> None:
        self._owed.merge(owed)
        self._is_late = self._is_late or owed.calls > 0
        self._journal.rewrite()

    def _report(self, refused: str) -> None:
        """Log once that Redis refuses what it could do, and once that it does not any more."""
        log = structlog.get_logger()
        if refused and not self._refused:
            log.warning("usage waits for redis", reason=refused, calls=self.owed_calls)
        elif self._refused and not refused:
            log.info("usage is in redis again")
        self._refused = refused

    async def _run(self) -> None:
        for collections in count(1):
            await asyncio.sleep(self._collect_s)
            try:
                self.collect()
                if self._is_late or collections % COLLECTIONS_TO_SEND == 0:
                    await self.send()
            except Exception as bug:  # what comes later must not be lost with it
                structlog.get_logger().error("bug", what="usage was not sent", exc_info=bug)
