"""The state that a worker reports several times a second, in a page of memory that the supervisor reads."""

import mmap

_BEAT, _LAG, _CONNECTIONS, _IN_FLIGHT, _CUT, _REDIS = range(6)


class Heartbeat:
    """Created before the fork; the worker writes it, the supervisor reads it.

    Times are seconds of the monotonic clock, 0.0 for never.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)
        self._slots = memoryview(self._memory).cast("d")

    def __repr__(self) -> str:
        return f"<Heartbeat at {self.at:.2f}, {self.connections} connections>"

    def beat(self, now: float, lag_s: float, connections: int, in_flight: int) -> None:
        """`lag_s` is the recent delay of the event loop."""
        self._slots[_LAG] = lag_s
        self._slots[_CONNECTIONS] = connections
        self._slots[_IN_FLIGHT] = in_flight
        self._slots[_BEAT] = now

    @property
    def at(self) -> float:
        return self._slots[_BEAT]

    @property
    def lag_s(self) -> float:
        return self._slots[_LAG]

    @property
    def connections(self) -> int:
        return int(self._slots[_CONNECTIONS])

    @property
    def in_flight(self) -> int:
        return int(self._slots[_IN_FLIGHT])

    @property
    def cut(self) -> int:
        """The number of requests that the drain has cut."""
        return int(self._slots[_CUT])

    @cut.setter
    def cut(self, requests: int) -> None:
        self._slots[_CUT] = requests

    @property
    def redis_up(self) -> bool:
        """Whether Redis answers this worker; False if the configuration has no Redis."""
        return bool(self._slots[_REDIS])

    @redis_up.setter
    def redis_up(self, up: bool) -> None:
        self._slots[_REDIS] = up

    def close(self) -> None:
        self._slots.release()
        self._memory.close()
