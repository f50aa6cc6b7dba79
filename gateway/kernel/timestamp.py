"""Timestamps for log lines."""

from datetime import UTC, datetime

_MILLISECONDS = [f".{ms:03d}Z" for ms in range(1000)]


class Timestamp:
    """Spells Unix time (seconds) as ISO 8601 in UTC, to the millisecond.

    Under load many lines share a millisecond, and all share a second: what was spelled is kept.
    """

    __slots__ = ("_millisecond", "_prefix", "_second", "_text")

    def __init__(self) -> None:
        self._millisecond = -1
        self._text = ""
        self._second = -1
        self._prefix = ""

    def __call__(self, wall: float) -> str:
        millisecond = int(wall * 1000)
        if millisecond == self._millisecond:
            return self._text
        second, fraction = divmod(millisecond, 1000)
        if second != self._second:
            self._prefix = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            self._second = second
        self._millisecond = millisecond
        self._text = text = self._prefix + _MILLISECONDS[fraction]
        return text
