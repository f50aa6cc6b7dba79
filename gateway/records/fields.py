"""Makes access records and records of the last errors: every field, and where its value comes from.

Most exchanges are like one before: their access records have JSON that is ready for what they have in common, and the
fields in `VARYING` are filled in. Both ways give the same line.
"""

from itertools import groupby
from math import floor
from typing import Any

import msgspec

from gateway.exchange import Exchange
from gateway.kernel.limits.token_bucket import Decision
from gateway.observe.access_log import FIELD_NAMES, AccessRecord
from gateway.observe.json_line import encoded
from gateway.observe.recent_errors import ErrorRecord, clipped

VARYING = (
    "timestamp", "request_id", "trace_id", "path", "total_ms", "upstream_ms", "client_ms", "overhead_ms",
    "request_bytes", "response_bytes", "client", "key_id", "organization", "limiter_remaining", "upstream_request_id",
    "cache_age_s",
)  # fmt: skip
"""The fields of an access record that differ between exchanges of one `ExchangeSeries`, with a whole reply and nothing
unusual about them."""

_SHARED = ("level", "method", "limiter_result", "limiter_store", "target", "code", "reason", "cache_result")
"""Fields of whose values there is ready JSON. It goes on with the next fields as far as those do not vary either: so
the others need no place."""

AlikeRecord = msgspec.defstruct(
    "AlikeRecord",
    [(name, Any, None) for name in AccessRecord.__struct_fields__ if name in VARYING or name in _SHARED],
    omit_defaults=True,
    gc=False,
    rename=FIELD_NAMES,
    tag_field="event",
    tag="request",
)
"""An access record whose fields in `_SHARED` are JSON: its line is the same, byte for byte, and takes half the time."""

_START = len(encoded(AccessRecord())) - len("}\n")
"""The length of the beginning of every line, which names the event."""


def access_record(x: Exchange, status: int, source: str, total_s: float, path: str | None) -> AccessRecord:
    """Return the access record of `x`, which took `total_s`. `AccessLog` sets its timestamp."""
    caller, decision, reply, error = x.caller, x.decision, x.reply, x.error
    total_ms, upstream_ms, client_ms, overhead_ms = _durations_ms(x, total_s)
    return AccessRecord(
        level="info" if status < 500 else "error",
        request_id=x.request_id,
        method=x.method,
        route=None if x.route is None else x.route.id,
        status=status,
        source=source,
        outcome=x.outcome,
        total_ms=total_ms,
        upstream_ms=upstream_ms,
        client_ms=client_ms,
        overhead_ms=overhead_ms,
        request_bytes=0 if x.body is None else x.body.received,
        response_bytes=x.sent_bytes,
        client=x.client,
        trace_id=x.trace_id,
        span_id=x.span_id,
        key_id=None if caller is None else caller.id,
        organization=None if caller is None else caller.organization,
        limiter_result=None if decision is None or x.peeked else "allowed" if decision.allowed else "refused",
        limiter_store=None if decision is None else decision.store,
        limiter_remaining=_remaining(decision),
        limiter_shadows=tuple([each.id for each in decision.shadows]) if decision and decision.shadows else None,
        limiter_spent=tuple([each.meter.id for each in decision.spent]) if decision and decision.spent else None,
        request_faults=x.request_faults or None,
        target=None if x.answer is None else x.answer.target,
        upstream_request_id=None if reply is None else reply.upstream_request_id,
        code=reply.code if reply is not None and reply.status >= 400 else None,
        reason=None if error is None else error.fault.name,
        cause=None if error is None else error.cause,
        path=path,
        coding=None if x.coded is None else x.coded.coding,
        saved_bytes=None if x.coded is None else x.coded.saved_bytes,
        cache_result=None if x.cache is None else x.cache.result,
        cache_age_s=None if x.cache is None else int(x.cache.age_s),
        idempotency=x.idempotency,
        hedge=None if x.call is None else x.call.hedge,
    )


def shared_members(record: AccessRecord) -> tuple[Any, ...]:
    """Return what the lines of exchanges have in common that are like that of `record`: JSON for the fields `_SHARED`.

    It is None for a field that is left out.
    """
    shared: dict[str, msgspec.Raw] = {}
    for varies, names in groupby(AccessRecord.__struct_fields__, VARYING.__contains__):
        present = [] if varies else [name for name in names if getattr(record, name) is not None]
        if present:
            members = encoded(AccessRecord(**{name: getattr(record, name) for name in present}))[_START:-2]
            shared[present[0]] = msgspec.Raw(members.partition(b":")[2])
    return tuple(map(shared.get, _SHARED))


def alike_record(
    shared: tuple[Any, ...], timestamp: str, x: Exchange, total_s: float, path: str | None
) -> msgspec.Struct:
    """Return the `AlikeRecord` of an exchange with these `shared_members`."""
    caller, reply = x.caller, x.reply
    total_ms, upstream_ms, client_ms, overhead_ms = _durations_ms(x, total_s)
    level, method, limiter_result, limiter_store, target, code, reason, cache_result = shared
    record: msgspec.Struct = AlikeRecord(  # by position: a third of the time
        timestamp,
        level,
        x.request_id,
        method,
        total_ms,
        upstream_ms,
        client_ms,
        overhead_ms,
        0 if x.body is None else x.body.received,
        x.sent_bytes,
        x.client,
        x.trace_id,
        None if caller is None else caller.id,
        None if caller is None else caller.organization,
        limiter_result,
        limiter_store,
        _remaining(x.decision),
        target,
        None if reply is None else reply.upstream_request_id,
        code,
        reason,
        path,
        cache_result,
        None if x.cache is None else int(x.cache.age_s),
    )
    return record


def error_record(x: Exchange, status: int, source: str, total_s: float, path: str | None, at: float) -> ErrorRecord:
    """Return the record of the last errors for `x`, which has ended at Unix time `at`. Its texts are `clipped`."""
    caller, reply, error = x.caller, x.reply, x.error
    total_ms, upstream_ms, _, _ = _durations_ms(x, total_s)
    return ErrorRecord(
        at,
        x.request_id,
        x.trace_id,
        status,
        reply.code if reply is not None and reply.status >= 400 else None,
        x.method,
        None if x.route is None else x.route.id,
        clipped(path),
        source,
        x.outcome,
        None if error is None else error.fault.name,
        None if error is None else clipped(error.cause),
        None if x.answer is None else clipped(x.answer.target),
        None if caller is None else caller.id,
        None if caller is None else caller.organization,
        total_ms,
        upstream_ms,
    )


def _durations_ms(x: Exchange, total_s: float) -> tuple[float, float, float, float]:
    """Return how long it took in all, what of it was the service's, the client's and our own, in whole microseconds."""
    total_us, upstream_us, client_us = floor(total_s * 1e6), floor(x.upstream_s * 1e6), floor(x.client_s * 1e6)
    own_us = total_us - upstream_us - client_us  # to cut digits off costs half as much as to round
    return total_us / 1e3, upstream_us / 1e3, client_us / 1e3, own_us / 1e3 if own_us > 0 else 0.0


def _remaining(decision: Decision | None) -> int | None:
    """Return what is left of the first limit."""
    return None if decision is None or not decision.states else decision.states[0].remaining
