"""Time stamps for lines of a log."""

from datetime import UTC, datetime

_MILLISECONDS = [f".{ms:03d}Z" for ms in range(1000)]


class Stamp:
    """Spells Unix time as ISO 8601 in UTC, to the millisecond. The second is spelled once, not once a line."""

    __slots__ = ("_prefix", "_second")

    def __init__(self) -> None:
        self._second = -1
        self._prefix = ""

    def __call__(self, wall: float) -> str:
        second = int(wall)
        prefix = self._prefix
        if second != self._second:
            prefix = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            self._prefix = prefix
            self._second = second
        return prefix + _MILLISECONDS[int((wall - second) * 1000)]
