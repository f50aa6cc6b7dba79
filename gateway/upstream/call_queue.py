"""The calls that wait for a free connection to one target."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from gateway.kernel.faults import UPSTREAM_SATURATED, GatewayError
from gateway.upstream.http1.connection import UpstreamConnection

Freed: TypeAlias = UpstreamConnection | None
"""What a waiting call gets: a free connection, or None for the right to make one."""


class CallQueue(deque["asyncio.Future[Freed]"]):
    """Waiting calls of the target called `name`, in order of arrival; at most `most` of them.

    A deque, so that it costs no call in Python to find that none waits. `give_back` takes what a call was given after
    it had given up.
    """

    def __init__(self, name: str, most: int, give_back: Callable[[Freed], None]) -> None:
        super().__init__()
        self._name = name
        self._most = most
        self._give_back = give_back

    async def wait(self, deadline: float, *, at_head: bool) -> Freed:
        """Wait for `give`, at the head of the queue for a call that has waited before.

        `deadline` is a reading of the loop's clock.
        Raises GatewayError (UPSTREAM_SATURATED) when the queue is full, which does not apply at its head, or at the
        deadline.
        """
        if len(self) >= self._most and not at_head:
            raise GatewayError(UPSTREAM_SATURATED, cause=f"{self._name}: all connections and the queue are full")
        waiting: asyncio.Future[Freed] = asyncio.get_running_loop().create_future()
        if at_head:
            self.appendleft(waiting)
        else:
            self.append(waiting)
        try:
            async with asyncio.timeout_at(deadline):
                return await waiting
        except BaseException as error:
            if waiting in self:
                self.remove(waiting)
            elif waiting.done() and not waiting.cancelled() and waiting.exception() is None:
                self._give_back(waiting.result())
            if isinstance(error, TimeoutError):
                raise GatewayError(
                    UPSTREAM_SATURATED, cause=f"{self._name}: no connection became free in time"
                ) from None
            raise

    def give(self, freed: Freed) -> bool:
        """Pass `freed` to the call that has waited longest. False when no call waits."""
        while self:
            waiting = self.popleft()
            if not waiting.done():
                waiting.set_result(freed)
                return True
        return False

    def fail(self, error: GatewayError) -> None:
        """Fail all waiting calls with `error`."""
        while self:
            waiting = self.popleft()
            if not waiting.done():
                waiting.set_exception(error)
