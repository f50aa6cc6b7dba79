"""Reads the lines of an access log, and what became of each call."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

import msgspec

from gateway.kernel.faults import CLIENT_CLOSED, INTERNAL_ERROR, KEYS_UNAVAILABLE, LIMITER_UNAVAILABLE
from gateway.observe.access_log import AccessRecord

_UNDECIDED = frozenset(fault.name for fault in (CLIENT_CLOSED, INTERNAL_ERROR, KEYS_UNAVAILABLE, LIMITER_UNAVAILABLE))
_NO_RULE_STORES = frozenset({"fallback", "allow", "cache"})
"""Who decides while Redis is away, or from memory of it: a replay does not know what they knew."""


class CallOutcome(NamedTuple):
    """What a gateway did with a call. `status` is None for one that it passed on or answered with a success.

    `reason` is the name of the fault, "" without one. `limits` names the limits and quotas that refused it.
    """

    route: str | None
    status: int | None
    reason: str = ""
    limits: tuple[str, ...] = ()


class LoggedCall(NamedTuple):
    """One call of the log. Times are Unix times in seconds. `limits_known` says that its limits were decided by rule.

    `anonymous` calls were refused before the caller was known. `succeeded` decides what its quotas are charged.
    """

    started_s: float
    ended_s: float
    request_id: str
    method: str
    path: str
    client: str
    key_id: str
    organization: str
    verdict: CallOutcome
    anonymous: bool
    limits_known: bool
    succeeded: bool


class LogLines:
    """Reads calls from the lines of a log.

    `other_lines` counts those that are no access lines. `unplayable` counts calls that cannot be repeated: the path was
    not logged (it may have contained a key), or what became of them says nothing about the rules.
    """

    def __init__(self) -> None:
        self.other_lines = 0
        self.unplayable = 0

    def read(self, lines: Iterable[bytes]) -> Iterator[LoggedCall]:
        """Yield the calls in the order of the lines."""
        decoder = msgspec.json.Decoder(AccessRecord)
        for line in lines:
            try:
                record = decoder.decode(line)
                ended_s = datetime.fromisoformat(record.timestamp).timestamp()
            except (msgspec.MsgspecError, ValueError, RecursionError):
                self.other_lines += bool(line.strip())
                continue
            call = _call(record, ended_s)
            if call is None:
                self.unplayable += 1
            else:
                yield call


def _call(record: AccessRecord, ended_s: float) -> LoggedCall | None:
    """Return the call of a line, None when it cannot be repeated."""
    verdict = _verdict(record)
    if record.path is None or verdict is None:
        return None
    key_id = "" if record.key_id in (None, "anonymous") else record.key_id or ""
    return LoggedCall(
        started_s=ended_s - (record.total_ms or 0.0) / 1000,
        ended_s=ended_s,
        request_id=record.request_id,
        method=record.method,
        path=record.path,
        client=record.client or "",
        key_id=key_id,
        organization=record.organization or "",
        verdict=verdict,
        anonymous=record.key_id is None,
        limits_known=record.limiter_store not in _NO_RULE_STORES,
        succeeded=record.status < 400,
    )


def _verdict(record: AccessRecord) -> CallOutcome | None:
    """Return what was decided about a call; None when nothing was.

    A body is not logged, so a call that its limits have let through was let through.
    """
    if record.limiter_result == "allowed":
        return CallOutcome(record.route, None)
    reason = record.reason or ""
    if record.limiter_result is None and (not reason or reason in _UNDECIDED):
        return None
    return CallOutcome(record.route, record.status, reason, record.limiter_spent or ())
