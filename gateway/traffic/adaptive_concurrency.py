"""Bounds the calls that an upstream serves at once by what it turns out to stand.

Laws:
 - Beyond the limit calls wait, those of a higher priority first, and nobody longer than `max_wait_s`. A call that would
   not get its turn in that time is refused at once, not after it.
 - A call whose client gives up does not wait any longer, and takes nobody's turn.
 - A call that waits for a connection counts as under way: the upstream's own queue is behind the limit.
"""

import asyncio
import math
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Protocol

from gateway.kernel.clock import Clock
from gateway.kernel.faults import UPSTREAM_CONNECT_TIMEOUT, UPSTREAM_SATURATED, UPSTREAM_TIMEOUT, GatewayError
from gateway.kernel.traffic.concurrency_limit import ConcurrencyLimit
from gateway.net.coroutine_driver import in_task
from gateway.upstream.call import Answer, Call
from gateway.upstream.circuit_breaker import CircuitBreaker
from gateway.upstream.target import Target
from gateway.upstream.upstream import Upstream

_SLOW = frozenset({UPSTREAM_TIMEOUT.name, UPSTREAM_CONNECT_TIMEOUT.name})
_MOST_WAITING = 10_000
_SPARE = 64


class SheddingObserver(Protocol):
    """Is notified of calls that were refused."""

    def shed(self, priority: int) -> None: ...


class AdaptiveConcurrency:
    """Passes calls on to `behind`, as many at once as `limit` allows."""

    def __init__(
        self,
        behind: Target | Upstream | CircuitBreaker,
        limit: ConcurrencyLimit,
        max_wait_s: float,
        observer: SheddingObserver,
        clock: Clock,
    ) -> None:
        self.id = behind.id
        self.behind = behind
        self.in_flight = 0
        self._limit = limit
        self._max_wait_s = max_wait_s
        self._observer = observer
        self._clock = clock
        self._queue: list[tuple[int, int, asyncio.Future[None]]] = []
        self._number = count()
        self._waiting: dict[int, int] = {}

    def __repr__(self) -> str:
        return f"<AdaptiveConcurrency {self.in_flight} of {self.limit}, {self.waiting} waiting, before {self.behind}>"

    @property
    def limit(self) -> int:
        return self._limit.limit

    @property
    def waiting(self) -> int:
        """The number of calls that wait for others to end."""
        return sum(self._waiting.values())

    @property
    def targets(self) -> tuple[Target, ...]:
        return self.behind.targets

    @property
    def idle(self) -> int:
        return self.behind.idle

    @property
    def active(self) -> int:
        return self.behind.active

    @property
    def pending(self) -> int:
        return self.behind.pending + self.waiting

    @property
    def most_tries(self) -> int:
        return self.behind.most_tries

    async def send(self, call: Call) -> Answer:
        """Do what `behind.send` does. Raises GatewayError (UPSTREAM_SATURATED) as well."""
        if self.in_flight >= self._limit.limit:
            await self._wait(call)
        else:
            self.in_flight += 1
        began = self._clock.monotonic()
        try:
            answer = await self.behind.send(call)
        except GatewayError as error:
            if error.fault.name in _SLOW:
                self._limit.done(began, self._clock.monotonic(), self.in_flight)
            raise
        else:
            self._limit.done(began, self._clock.monotonic(), self.in_flight)
            return answer
        finally:
            self.in_flight -= 1
            self._start_next()

    async def close(self) -> None:
        await self.behind.close()

    async def _wait(self, call: Call) -> None:
        """Wait for the end of another call, in whose place `call` is counted."""
        await in_task()
        priority, max_wait_s = call.priority, min(self._max_wait_s, call.total_timeout_s)
        ahead = sum(number for other, number in self._waiting.items() if other >= priority)
        expected_s = (ahead + 1) * self._limit.mean_s / self._limit.limit
        if expected_s > max_wait_s or self.waiting >= _MOST_WAITING:
            raise self._refused(priority, f"{ahead} calls wait before this one", expected_s)
        if len(self._queue) > 2 * self.waiting + _SPARE:  # most of them have given up
            self._queue = [entry for entry in self._queue if not entry[2].done()]
            heapify(self._queue)
        turn = asyncio.get_running_loop().create_future()
        heappush(self._queue, (-priority, next(self._number), turn))
        self._waiting[priority] = self._waiting.get(priority, 0) + 1
        began = self._clock.monotonic()
        try:
            async with asyncio.timeout(max_wait_s):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.in_flight -= 1
                self._start_next()
            if isinstance(error, TimeoutError):
                raise self._refused(priority, "its time to wait is over", expected_s) from None
            raise
        finally:
            self._waiting[priority] -= 1
            if not self._waiting[priority]:
                del self._waiting[priority]
        call.total_timeout_s = max(0.001, call.total_timeout_s - (self._clock.monotonic() - began))

    def _start_next(self) -> None:
        while self._queue and self.in_flight < self._limit.limit:
            turn = heappop(self._queue)[2]
            if not turn.done():
                self.in_flight += 1
                turn.set_result(None)

    def _refused(self, priority: int, why: str, expected_s: float) -> GatewayError:
        self._observer.shed(priority)
        return GatewayError(
            UPSTREAM_SATURATED,
            retry_after_s=max(1, math.ceil(expected_s)),
            cause=f"{self.id}: {self.in_flight} calls are under way, which is the limit at present: {why}",
        )
