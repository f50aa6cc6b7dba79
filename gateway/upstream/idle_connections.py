"""The idle connections of one target, and the timer that closes those that idle for too long."""

import asyncio

from gateway.kernel.clock import Clock
from gateway.upstream.http1.connection import UpstreamConnection


class IdleConnections(dict[UpstreamConnection, None]):
    """Connections between two calls, in the order in which they became idle. `timeout_s` is how long one may idle.

    A dict, whose keys keep that order: one whose `expires_at` is set becomes idle as a key, and the last one is popped,
    which costs no call in Python, nor does the question how many there are. However many connections end at a time,
    each is found at once.
    """

    def __init__(self, timeout_s: float, clock: Clock) -> None:
        super().__init__()
        self._timeout_s = timeout_s
        self._clock = clock
        self._sweeper: asyncio.TimerHandle | None = None

    def watch(self) -> None:
        """Close those that idle for too long, from now on until `stop`."""
        if self._sweeper is None:
            self._sweep_in(self._timeout_s)

    def take(self, now: float) -> UpstreamConnection | None:
        """Return the connection that was used last, so that the others may expire. None if there is none to be used."""
        while self:
            connection, _ = self.popitem()
            if connection.usable(now):
                return connection
            connection.abandon()
        return None

    def abandon_oldest(self) -> None:
        """Close the connection that has been idle longest. There must be one."""
        next(iter(self)).abandon()

    def discard(self, connection: UpstreamConnection) -> bool:
        """Forget `connection`; return whether it was idle."""
        return self.pop(connection, connection) is None

    def stop(self) -> None:
        """Close no further one."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None

    def _sweep(self) -> None:
        now = self._clock.monotonic()
        for connection in [idle for idle in self if idle.expires_at <= now]:
            connection.abandon()
        soonest_s = min([idle.expires_at for idle in self], default=now + self._timeout_s) - now
        # One timer for many connections that expire shortly after one another.
        self._sweep_in(max(soonest_s, self._timeout_s / 10))

    def _sweep_in(self, delay_s: float) -> None:
        self._sweeper = asyncio.get_running_loop().call_later(delay_s, self._sweep)
