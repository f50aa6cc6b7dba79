"""Who may hold how many connections to one target.

Laws:
 - One caller holds at most its share of them: others always find one. Its further calls wait for its own to end, in a queue
   of their own, as long and as many as may wait for a free connection.
 - Bodies that are passed on while they arrive, from a client or to one, hold at most theirs: clients decide how long these take.
"""

import asyncio
import sys
from collections import deque
from typing import TYPE_CHECKING, Protocol

from gateway.kernel.faults import UPSTREAM_SHARE_SPENT, GatewayError

if TYPE_CHECKING:
    from gateway.upstream.connection import Connection


class Owner(Protocol):
    """The pool that connections belong to."""

    def release(self, connection: "Connection", idle_hint_s: float | None) -> None:
        """It is free for another call. The upstream keeps it for `idle_hint_s` seconds; None when it did not say."""
        ...

    def discarded(self, connection: "Connection") -> None:
        """It is of no more use. Called once for each."""
        ...

    def may_stream(self, connection: "Connection") -> bool:
        """Whether the reply may be passed on while it arrives. It then counts until the connection is free, or of no more use."""
        ...


def share(most: int, percent: int) -> int:
    """How many of `most` connections `percent` of them are: at least one, and not all. At 100, or of one, there is no bound."""
    if percent >= 100 or most == 1:
        return sys.maxsize
    return min(-(-most * percent // 100), most - 1)


class Shares:
    """Counts for the target called `name`. `most_waiting` calls of one caller may wait."""

    def __init__(self, name: str, most_of_a_caller: int, most_streams: int, most_waiting: int) -> None:
        self._name = name
        self._most_of_a_caller = most_of_a_caller
        self._most_streams = most_streams
        self._most_waiting = most_waiting
        self._held: dict[str, int] = {}
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._streams = 0

    @property
    def waiting(self) -> int:
        """Calls that wait for another one of their caller to end."""
        return sum(len(queue) for queue in self._waiting.values())

    def take(self, caller: str) -> bool:
        """One more for `caller`, if it has not got its share."""
        held = self._held.get(caller, 0)
        if held >= self._most_of_a_caller:
            return False
        self._held[caller] = held + 1
        return True

    async def wait(self, caller: str, within_s: float) -> None:
        """As `take`, as soon as there is one. Raises GatewayError (UPSTREAM_SHARE_SPENT)."""
        queue = self._waiting.setdefault(caller, deque())
        if len(queue) >= self._most_waiting:
            raise self._spent(caller, "and as many of its calls wait as may")
        waiting = asyncio.get_running_loop().create_future()
        queue.append(waiting)
        try:
            async with asyncio.timeout(within_s):
                await waiting
        except BaseException as error:
            if waiting in queue:
                queue.remove(waiting)
                self._forget(caller)
            elif not waiting.cancelled():
                self.give_back(caller)
            if isinstance(error, TimeoutError):
                raise self._spent(caller, "and none of them ended in time") from None
            raise

    def give_back(self, caller: str) -> None:
        """One less, or for the call of the same caller that has waited longest."""
        queue = self._waiting.get(caller)
        while queue:
            waiting = queue.popleft()
            self._forget(caller)
            if not waiting.done():
                waiting.set_result(None)
                return
        held = self._held[caller] - 1
        if held:
            self._held[caller] = held
        else:
            del self._held[caller]

    def may_stream(self, connection: "Connection") -> bool:
        """Count one that passes on a body while that arrives, if those have not got their share."""
        if not connection.streams and self._streams < self._most_streams:
            self._streams += 1
            connection.streams = True
        return connection.streams

    def ended(self, connection: "Connection") -> None:
        """Whoever held it holds it no more."""
        caller, connection.caller = connection.caller, None
        if caller is not None:
            self.give_back(caller)
        if connection.streams:
            self._streams -= 1
            connection.streams = False

    def _forget(self, caller: str) -> None:
        if caller in self._waiting and not self._waiting[caller]:
            del self._waiting[caller]

    def _spent(self, caller: str, why: str) -> GatewayError:
        self._forget(caller)
        return GatewayError(UPSTREAM_SHARE_SPENT, cause=f"{self._name}: the caller has its share of the connections, {why}")
