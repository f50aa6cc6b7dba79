"""Timestamps for log lines."""

from datetime import UTC, datetime

_MILLISECONDS = [f".{ms:03d}Z" for ms in range(1000)]


class Timestamp:
    """Spells Unix time (seconds) as ISO 8601 in UTC, to the millisecond.

    All lines of a second begin alike, and that beginning is kept.
    """

    __slots__ = ("_prefix", "_second")

    def __init__(self) -> None:
        self._second = -1
        self._prefix = ""

    def __call__(self, wall: float) -> str:
        second, millisecond = divmod(int(wall * 1000), 1000)
        if second != self._second:
            self._prefix = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            self._second = second
        return self._prefix + _MILLISECONDS[millisecond]
