"""Which records of the audit trail somebody asks for."""

from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

from gateway.audit.records import AuditRecord

LIMIT = 100
MOST = 1000


class AuditQuery(msgspec.Struct, frozen=True):
    """Selects the newest `limit` records.

    `since_s` is Unix time, None for as far back as there are records. `object` and `action` are whole names, or end in
    `*` for all that begin so; "" is all of them.
    """

    since_s: float | None = None
    object: str = ""
    action: str = ""
    limit: int = LIMIT

    def selected(self, records: Iterable[AuditRecord]) -> Iterator[AuditRecord]:
        """Yield those of `records` that are asked for, in their order, without regard to the limit."""
        for each in records:
            if (
                _is_named(each.object, self.object)
                and _is_named(each.action, self.action)
                and (self.since_s is None or datetime.fromisoformat(each.at).timestamp() >= self.since_s)
            ):
                yield each


def _is_named(name: str, wanted: str) -> bool:
    return not wanted or (name.startswith(wanted[:-1]) if wanted.endswith("*") else name == wanted)
