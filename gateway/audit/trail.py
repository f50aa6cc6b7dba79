"""The audit trail of one process: a line in the log for each change, and the last records in memory."""

import secrets
from collections import deque
from collections.abc import Callable

import structlog

from gateway.audit.query import AuditQuery
from gateway.audit.records import AuditEntry, AuditRecord, record_of

REMEMBERED = 1000
"""Records in memory."""


def new_record_id() -> str:
    """Return 16 hexadecimal digits."""
    return secrets.token_hex(8)


def log_record(record: AuditRecord) -> None:
    """Write the line of a change."""
    names = zip(record.__struct_fields__, record.__struct_encode_fields__, strict=True)
    fields = {shown: value for name, shown in names if (value := getattr(record, name)) is not None}
    structlog.get_logger().warning("audit", **fields)


class AuditTrail:
    """Records what is changed through this gateway, which is on the host `gateway`. `wall` reads Unix time."""

    def __init__(self, wall: Callable[[], float], gateway: str, new_id: Callable[[], str] = new_record_id) -> None:
        self._wall = wall
        self.gateway = gateway
        self._new_id = new_id
        self._records: deque[AuditRecord] = deque(maxlen=REMEMBERED)
        self.waiting: deque[AuditRecord] = deque(maxlen=REMEMBERED)
        """Records that are not in Redis yet, the oldest first."""
        self.on_record: Callable[[], None] | None = None
        """Called after each record."""

    def __repr__(self) -> str:
        return f"<AuditTrail {len(self._records)} records, {len(self.waiting)} waiting for Redis>"

    def record(self, entry: AuditEntry) -> AuditRecord:
        """Record a change that was made, or was refused. Returns at once."""
        record = record_of(entry, self._new_id(), self._wall(), self.gateway)
        self.note(record)
        self.waiting.append(record)
        if self.on_record is not None:
            self.on_record()
        return record

    def note(self, record: AuditRecord) -> None:
        """Log and remember a record that is in Redis already."""
        log_record(record)
        self._records.append(record)

    def remembered(self, query: AuditQuery) -> list[AuditRecord]:
        """Return what is asked for of the records in memory, the newest first."""
        return list(query.selected(reversed(self._records)))[: query.limit]
