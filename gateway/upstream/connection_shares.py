"""Limits the connections to one target that a caller may use at a time.

Laws:
 - One caller uses at most its share of the connections, so that other callers always find one. Its further calls wait
   for its own to end, in a queue of their own, for as long and as many of them as may wait for a free connection.
 - Bodies that are passed on while they arrive, from a client or to one, use at most their share: clients decide how
   long such bodies take.
"""

import asyncio
import sys
from collections import deque
from typing import Protocol, TypeVar

from gateway.kernel.faults import UPSTREAM_SHARE_SPENT, GatewayError
from gateway.net.coroutine_driver import in_task
from gateway.upstream.http1.connection_socket import ConnectionSocket

C_contra = TypeVar("C_contra", contravariant=True)
"""The connections of the pool."""


class ConnectionOwner(Protocol[C_contra]):
    """The pool that a connection belongs to."""

    def release(self, connection: C_contra, idle_hint_s: float | None) -> None:
        """Take back a connection that is free for another call.

        The upstream keeps it for `idle_hint_s` seconds; None when it did not announce any.
        """
        ...

    def discarded(self, connection: C_contra) -> None:
        """Note that a connection can serve no other call. It is called once for each connection."""
        ...

    def may_stream(self, connection: C_contra) -> bool:
        """Return whether the reply may be passed on while it arrives.

        It then counts until the connection is released or discarded.
        """
        ...


def share(most: int, percent: int) -> int:
    """Return `percent` of `most` connections: at least one, but not all.

    At 100 percent, or of one, there is no bound.
    """
    if percent >= 100 or most == 1:
        return sys.maxsize
    return min(-(-most * percent // 100), most - 1)


class ConnectionShares:
    """Counts the connections of each caller to the target called `name`.

    `most_waiting` calls of one caller may wait.
    """

    def __init__(self, name: str, most_of_a_caller: int, most_streams: int, most_waiting: int) -> None:
        self._name = name
        self._most_of_a_caller = most_of_a_caller
        self._most_streams = most_streams
        self._most_waiting = most_waiting
        self._used: dict[str, int] = {}
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._streams = 0

    @property
    def waiting(self) -> int:
        """The number of calls that wait for another call of their caller to end."""
        return sum(map(len, self._waiting.values())) if self._waiting else 0

    def take(self, caller: str) -> bool:
        """Count one more connection of `caller`. False when it uses its share already."""
        used = self._used.get(caller, 0)
        if used >= self._most_of_a_caller:
            return False
        self._used[caller] = used + 1
        return True

    async def wait(self, caller: str, within_s: float) -> None:
        """Do what `take` does as soon as it is possible. Raises GatewayError (UPSTREAM_SHARE_SPENT)."""
        await in_task()
        if self.take(caller):  # a call has ended meanwhile
            return
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
                self._drop_empty_queue(caller)
            elif not waiting.cancelled():
                self.give_back(caller)
            if isinstance(error, TimeoutError):
                raise self._spent(caller, "and none of them ended in time") from None
            raise

    def give_back(self, caller: str) -> None:
        """Count one connection less, or pass it to the call of the same caller that has waited longest."""
        if self._waiting and self._pass_on(caller):
            return
        used = self._used[caller] - 1
        if used:
            self._used[caller] = used
        else:
            del self._used[caller]

    def may_stream(self, connection: ConnectionSocket) -> bool:
        """Count a connection that passes on a body while it arrives.

        False when such connections use their share already.
        """
        if not connection.streams and self._streams < self._most_streams:
            self._streams += 1
            connection.streams = True
        return connection.streams

    def ended(self, connection: ConnectionSocket) -> None:
        """Note that the call on `connection` has ended: its caller uses it no longer, and it streams no longer."""
        caller = connection.caller
        if caller is not None:
            connection.caller = None
            self.give_back(caller)
        if connection.streams:
            self._streams -= 1
            connection.streams = False

    def _pass_on(self, caller: str) -> bool:
        """Give the connection of a call that has ended to one that waits. False when the caller has none."""
        queue = self._waiting.get(caller)
        while queue:
            waiting = queue.popleft()
            self._drop_empty_queue(caller)
            if not waiting.done():
                waiting.set_result(None)
                return True
        return False

    def _drop_empty_queue(self, caller: str) -> None:
        if caller in self._waiting and not self._waiting[caller]:
            del self._waiting[caller]

    def _spent(self, caller: str, why: str) -> GatewayError:
        self._drop_empty_queue(caller)
        return GatewayError(
            UPSTREAM_SHARE_SPENT, cause=f"{self._name}: the caller has its share of the connections, {why}"
        )
