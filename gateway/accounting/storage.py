"""The usage of calls in Redis: one hash for each day, and the HyperLogLogs of its open routes.

    <prefix>:1:{usage}:2026-11-30            a field for each row, `organisation|key|route|quota`; its numbers as text
    <prefix>:1:{usage}:2026-11-30:callers/R  HyperLogLog of the client addresses on the open route R
    <prefix>:1:{usage}:2026-11-30:writer/W   the number of the last batch of the writer W that was added

All have one hash tag, so a node of a Cluster has them all, and all expire.
"""

from datetime import UTC, date, datetime, timedelta
from importlib.resources import files

import msgspec

from gateway.accounting.counts import UsageRow
from gateway.redis_client.connection import pack, sha_of

TAG = "usage"
VERSION = 1
SCRIPT = files("gateway.accounting").joinpath("add_usage.lua").read_bytes()
_SHA = sha_of(SCRIPT)
MARKED_MS = 7 * 86_400_000
"""The lifetime of the mark of a writer, in ms: for so long a batch whose answer was lost can be sent again."""


class Batch(msgspec.Struct, tag="b", array_like=True):
    """A part of the usage of a day, which is added once. `number` goes up with each batch of the same `writer`."""

    writer: str
    number: int
    day: str
    rows: list[tuple[UsageRow, list[int]]]
    callers: dict[str, list[str]]

    @property
    def calls(self) -> int:
        """The number of calls."""
        return sum(numbers[0] for row, numbers in self.rows if not row[3])


class UsageStore(msgspec.Struct, frozen=True):
    """The format for one prefix of keys. A day is kept for `retention_s` after its end; it has at most `max_rows`."""

    key_prefix: str
    retention_s: float
    max_rows: int

    def command(self, batch: Batch) -> bytes:
        """Return the call of the script that adds `batch`, in Redis's wire format."""
        rows = rows_key(self.key_prefix, batch.day)
        keys = [rows, f"{rows}:writer/{batch.writer}", *[f"{rows}:callers/{route}" for route in batch.callers]]
        ends = datetime.fromisoformat(batch.day).replace(tzinfo=UTC) + timedelta(days=1)
        until_s = int(ends.timestamp() + self.retention_s)
        arguments = [batch.number, MARKED_MS, until_s, self.max_rows, len(batch.rows)]
        parts = [b"%d" % number for number in arguments]
        for row, numbers in batch.rows:
            parts += [part.encode() for part in row]
            parts.append(" ".join(map(str, numbers)).encode())
        for callers in batch.callers.values():
            parts += [b"%d" % len(callers), *[caller.encode() for caller in callers]]
        return pack(b"EVALSHA", _SHA, b"%d" % len(keys), *[key.encode() for key in keys], *parts)


def rows_key(key_prefix: str, day: str) -> str:
    """Return the name of the hash of a day (`2026-11-30`)."""
    return f"{key_prefix}:{VERSION}:{{{TAG}}}:{day}"


def callers_key(key_prefix: str, day: date, route: str) -> str:
    """Return the name of the HyperLogLog of the callers of an open route."""
    return f"{rows_key(key_prefix, day.isoformat())}:callers/{route}"


def read_row(field: bytes, value: bytes) -> tuple[UsageRow, list[int]] | None:
    """Return a row of the hash of a day; None if that is not one."""
    parts = field.decode(errors="replace").split("|")
    numbers = value.split()
    if len(parts) != 4 or not numbers or not all(number.isdigit() and len(number) < 20 for number in numbers):
        return None
    return (parts[0], parts[1], parts[2], parts[3]), [int(number) for number in numbers]
