"""Which records of the audit trail somebody asks for."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

import msgspec

from gateway.audit.records import AuditRecord
from gateway.kernel.units import parse_count, parse_duration
from gateway.settings.schema.values import instant

PARAMETERS = ("since", "object", "action", "limit")
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


def audit_query(parameters: Mapping[str, str], now_s: float) -> AuditQuery:
    """Return the query that `parameters`, by the names of PARAMETERS, ask for at the Unix time `now_s`.

    `since` is a duration before then, or an instant. Raises ValueError with a text for whoever asks.
    """
    for name in parameters:
        if name not in PARAMETERS:
            raise ValueError(f"there is no parameter `{name[:40]}`; there are {', '.join(PARAMETERS)}")
    limit, since = parameters.get("limit", str(LIMIT)), parameters.get("since")
    try:
        count = parse_count(limit, MOST)
    except ValueError as error:
        raise ValueError(f"limit: {error}") from None
    return AuditQuery(
        None if since is None else _since(since, now_s),
        parameters.get("object", ""),
        parameters.get("action", ""),
        count,
    )


def _since(written: str, now_s: float) -> float:
    """Return Unix time."""
    if "T" in written.upper():
        return instant(written).timestamp()
    return now_s - parse_duration(written)


def _is_named(name: str, wanted: str) -> bool:
    return not wanted or (name.startswith(wanted[:-1]) if wanted.endswith("*") else name == wanted)
