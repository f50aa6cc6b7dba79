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
from collections.abc import Awaitable
from typing import Generic, Protocol, TypeVar

from gateway.kernel.faults import UPSTREAM_SHARE_SPENT, GatewayError
from gateway.net.coroutine_driver import in_task
from gateway.upstream.call import Answer, Call

C = TypeVar("C")
"""The connections of the pool."""


class ConnectionOwner(Generic[C]):
    """The pool that a connection belongs to."""

    __slots__ = ()

    def release(self, connection: C, idle_hint_s: float | None) -> None:
        """Take back a connection that is free for another call.

        The upstream keeps it for `idle_hint_s` seconds; None when it did not announce any.
        """
        raise NotImplementedError

    def discarded(self, connection: C) -> None:
        """Note that a connection can serve no other call. It is called once for each connection."""
        raise NotImplementedError

    def send_again(self, connection: C, call: Call, sent_at: float) -> Awaitable[Answer] | None:
        """Send `call` again, which was sent on `connection` and has failed. Return its answer.

        None when it may not be sent again.
        """
        raise NotImplementedError

    def may_stream(self, connection: C) -> bool:
        """Return whether the reply may be passed on while it arrives.

        It then counts until the connection is released or discarded.
        """
        raise NotImplementedError


def share(most: int, percent: int) -> int:
    """Return `percent` of `most` connections: at least one, but not all.

    At 100 percent, or of one, there is no bound.
    """
    if percent >= 100 or most == 1:
        return sys.maxsize
    return min(-(-most * percent // 100), most - 1)


class CallerShare:
    """The connections to a target that `caller` has `used`, and its calls that wait, None if none ever has."""

    __slots__ = ("caller", "used", "waiting")

    def __init__(self, caller: str) -> None:
        self.caller = caller
        self.used = 0
        self.waiting: deque[asyncio.Future[None]] | None = None


class SharedConnection(Protocol):
    """A connection. `share` is that of its caller while it counts; `streams`: it passes on a body that arrives."""

    share: CallerShare | None
    streams: bool


class ConnectionShares:
    """Counts the connections of each caller to the target called `name`.

    `most_waiting` calls of one caller may wait, and `waiting` is how many of all callers do. `by_caller` has the shares
    of callers that use a connection, and of nobody else: it stays small, however many callers there are.
    """

    def __init__(self, name: str, most_of_a_caller: int, most_streams: int, most_waiting: int) -> None:
        self._name = name
        self.most_of_a_caller = most_of_a_caller
        self._most_streams = most_streams
        self._most_waiting = most_waiting
        self.by_caller: dict[str, CallerShare] = {}
        self.waiting = 0
        self._streams = 0

    def take(self, caller: str) -> CallerShare | None:
        """Count one more connection of `caller`. None when all that its share allows are used already."""
        share = self.by_caller.get(caller)
        if share is None:
            return self.take_first(caller)
        if share.used >= self.most_of_a_caller:
            return None
        share.used += 1
        return share

    def take_first(self, caller: str) -> CallerShare:
        """Count the first connection of `caller`, which uses no other."""
        share = self.by_caller[caller] = CallerShare(caller)
        share.used = 1
        return share

    async def wait(self, caller: str, within_s: float) -> CallerShare:
        """Take from the share of `caller` as soon as it is possible. Raises GatewayError (UPSTREAM_SHARE_SPENT)."""
        await in_task()
        taken = self.take(caller)
        if taken is not None:  # a call has ended meanwhile
            return taken
        share = self.by_caller[caller]
        queue = share.waiting
        if queue is None:
            queue = share.waiting = deque()
        if len(queue) >= self._most_waiting:
            raise self._spent("and as many of its calls wait as may")
        waiting = asyncio.get_running_loop().create_future()
        queue.append(waiting)
        self.waiting += 1
        try:
            async with asyncio.timeout(within_s):
                await waiting
        except BaseException as error:
            if waiting in queue:
                queue.remove(waiting)
                self.waiting -= 1
            elif not waiting.cancelled():
                self.give_back(share)
            if isinstance(error, TimeoutError):
                raise self._spent("and none of them ended in time") from None
            raise
        return share

    def give_back(self, share: CallerShare) -> None:
        """Count one connection less, or pass it to the call of the same caller that has waited longest."""
        share.used -= 1
        while share.waiting:
            waiting = share.waiting.popleft()
            self.waiting -= 1
            if not waiting.done():
                share.used += 1
                waiting.set_result(None)
                return
        if not share.used:
            del self.by_caller[share.caller]

    def may_stream(self, connection: SharedConnection) -> bool:
        """Count a connection that passes on a body while it arrives.

        False when such connections use their share already.
        """
        if not connection.streams and self._streams < self._most_streams:
            self._streams += 1
            connection.streams = True
        return connection.streams

    def ended(self, connection: SharedConnection) -> None:
        """Note that the call on `connection` has ended: its caller uses it no longer, and it streams no longer."""
        share = connection.share
        if share is not None:
            connection.share = None
            self.give_back(share)
        if connection.streams:
            self._streams -= 1
            connection.streams = False

    def _spent(self, why: str) -> GatewayError:
        return GatewayError(
            UPSTREAM_SHARE_SPENT, cause=f"{self._name}: the caller has its share of the connections, {why}"
        )
