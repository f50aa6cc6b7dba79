"""Writes the changes that commands have made to keys into the log of a gateway.

A gateway logs its own changes when it makes them. Those of `gateway keys` are found in the audit trail in Redis, when
the gateway learns that keys have changed.
"""

from gateway.audit.records import decode_record
from gateway.audit.redis_stream import stream_of
from gateway.audit.trail import log_record
from gateway.keystore.reader import KeyReader

AT_ONCE = 100


class CommandLog:
    """Logs the records of commands that were added after `since_s`, in seconds of Unix time."""

    def __init__(self, reader: KeyReader, key_prefix: str, since_s: float) -> None:
        self._reader = reader
        self._stream = stream_of(key_prefix)
        self._last = b"%d-0" % int(since_s * 1000)

    async def log_new(self) -> None:
        """Log what was added since the last time. Raises RedisConnectionError."""
        entries: list[tuple[bytes, list[bytes]]] = [(b"", [])] * AT_ONCE
        while len(entries) == AT_ONCE:
            entries = await self._reader.entries(self._stream, self._last, AT_ONCE)
            for name, fields in entries:
                self._last = name
                try:
                    record = decode_record(fields[1])
                except (ValueError, IndexError, RecursionError):
                    continue  # of a newer release
                if record.gateway is None:
                    log_record(record)
