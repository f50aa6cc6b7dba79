"""Timestamps for log lines."""

from datetime import UTC, datetime
from math import floor

_MILLISECONDS = [f".{ms:03d}Z" for ms in range(1000)]


class Timestamp:
    """Spells Unix time (seconds) as ISO 8601 in UTC, to the millisecond.

    Many lines are written in one millisecond, and their text is kept. All lines of a second begin alike, and that
    beginning is kept.
    """

    __slots__ = ("_now_ms", "_prefix", "_second_ms", "_text")

    def __init__(self) -> None:
        self._second_ms = -1000
        self._prefix = ""
        self._now_ms = -1
        self._text = ""

    def __call__(self, wall_s: float) -> str:
        now_ms = floor(wall_s * 1000)
        if now_ms != self._now_ms:
            self._now_ms = now_ms
            millisecond = now_ms - self._second_ms
            if not 0 <= millisecond < 1000:
                second, millisecond = divmod(now_ms, 1000)
                self._prefix = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
                self._second_ms = now_ms - millisecond
            self._text = self._prefix + _MILLISECONDS[millisecond]
        return self._text
