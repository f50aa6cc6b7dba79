"""Names every field of an access record and of a record of the last errors, and where its value comes from.

Functions are compiled from this table when the module is imported, so that it costs nothing for each request. Most
exchanges are like one before: their access records have the fields in `VARYING`, and JSON that is ready for the others.
"""

import re
from collections.abc import Callable
from itertools import groupby
from math import floor
from typing import Any

import msgspec

from gateway.kernel.struct_attributes import set_as_slots
from gateway.observe.access_log import FIELD_NAMES, AccessRecord, encoded
from gateway.observe.recent_errors import ErrorRecord, clipped

_PARAMETERS = "x, status, source, total_s, path, at=None, timestamp=''"
"""The parameters of the compiled functions. `total_s` is the duration, `at` Unix time for a record of the last errors.
`AccessLog` sets the timestamp of an access record where none is given."""

_LOCALS = {
    "caller": "x.caller",
    "decision": "x.decision",
    "reply": "x.reply",
    "error": "x.error",
    "total_us": "floor(total_s * 1e6)",  # whole microseconds: to round a number costs twice as much
    "upstream_us": "floor(x.upstream_s * 1e6) if x.upstream_s else 0",
    "client_us": "floor(x.client_s * 1e6) if x.client_s else 0",
    "own_us": "total_us - upstream_us - client_us",
}
"""What the compiled functions find out once for several fields, each only if it uses it."""

FIELDS = {
    "timestamp": "timestamp",
    "level": "'info' if status < 500 else 'error'",
    "at": "at",
    "request_id": "x.request_id",
    "trace_id": "x.trace_id",
    "span_id": "x.span_id",
    "method": "x.method",
    "route": "x.route and x.route.id",
    "path": "path",
    "status": "status",
    "source": "source",
    "outcome": "x.outcome",
    "total_ms": "total_us / 1e3",
    "upstream_ms": "upstream_us / 1e3 if upstream_us else 0.0",
    "client_ms": "client_us / 1e3 if client_us else 0.0",
    "overhead_ms": "own_us / 1e3 if own_us > 0 else 0.0",
    "request_bytes": "0 if x.body is None else x.body.received",
    "response_bytes": "x.sent_bytes",
    "client": "x.client",
    "key_id": "None if caller is None else caller.id",
    "organization": "None if caller is None else caller.organization",
    "limiter_result": "None if decision is None or x.peeked else 'allowed' if decision.allowed else 'refused'",
    "limiter_store": "None if decision is None else decision.store",
    "limiter_remaining": "None if decision is None or not (states := decision.states) else states[0].remaining",
    "limiter_shadows": "tuple([each.id for each in decision.shadows]) if decision and decision.shadows else None",
    "request_faults": "x.request_faults or None",
    "limiter_spent": "tuple([each.meter.id for each in decision.spent]) if decision and decision.spent else None",
    "cache_result": "x.cache and x.cache.result",
    "cache_age_s": "x.cache and int(x.cache.age_s)",
    "idempotency": "x.idempotency",
    "hedge": "x.call and x.call.hedge",
    "coding": "x.coded and x.coded.coding",
    "saved_bytes": "x.coded and x.coded.saved_bytes",
    "target": "x.answer and x.answer.target",
    "upstream_request_id": "reply and reply.upstream_request_id",
    "code": "reply.code if reply is not None and reply.status >= 400 else None",
    "reason": "error and error.fault.name",
    "cause": "error and error.cause",
}
"""Expressions in Python, by the names of the fields. None leaves a field out."""

_CLIPPED = {name: f"clipped({FIELDS[name]})" for name in ("path", "cause", "target")}
"""The fields whose length is limited where the last errors are kept."""

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

_VARYING_IN_ERRORS = ("at", "request_id", "trace_id", "path", "key_id", "organization", "total_ms", "upstream_ms")
"""The same of a record of the last errors."""

AlikeRecord = set_as_slots(
    msgspec.defstruct(
        "AlikeRecord",
        [(name, Any, None) for name in AccessRecord.__struct_fields__ if name in VARYING or name in _SHARED],
        omit_defaults=True,
        gc=False,
        rename=FIELD_NAMES,
        tag_field="event",
        tag="request",
    )
)
"""An access record whose fields in `_SHARED` are JSON: its line is the same, byte for byte, and takes half the time."""

_NAMES = {"AccessRecord": AccessRecord, "clipped": clipped, "floor": floor}
"""What the compiled functions use."""


def _compiled(parameters: str, *lines: str) -> Callable[..., Any]:
    """Compile a function with these lines, after those that set the `_LOCALS` which they use."""
    words = set(re.findall(r"\w+", " ".join(lines)))
    for name, value in reversed(_LOCALS.items()):
        if name in words:
            lines = (f"{name} = {value}", *lines)
            words.update(re.findall(r"\w+", value))
    names: dict[str, Any] = dict(_NAMES)
    exec("\n    ".join([f"def compiled({parameters}):", *lines]), names)  # noqa: S102  no input
    made: Callable[..., Any] = names["compiled"]
    return made


def _maker(made: str, record: type[msgspec.Struct], fields: dict[str, str]) -> Callable[..., Any]:
    """Compile a function of `_PARAMETERS` that makes a `record` by position, which is three times as fast as by name.

    `made` is the expression for it, in which `values` are those of its fields.
    """
    values = ", ".join(fields[name] for name in record.__struct_fields__)
    return _compiled(_PARAMETERS, f"return {made.replace('values', values)}")


_START = len(encoded(AccessRecord())) - len("}\n")
"""The length of the beginning of every line, which names the event."""


def alike_record(record: AccessRecord) -> msgspec.Struct:
    """Return an `AlikeRecord` with what the lines of exchanges have in common that are like that of `record`."""
    shared: dict[str, msgspec.Raw] = {}
    for varies, names in groupby(AccessRecord.__struct_fields__, VARYING.__contains__):
        present = [] if varies else [name for name in names if getattr(record, name) is not None]
        if present:
            members = encoded(AccessRecord(**{name: getattr(record, name) for name in present}))[_START:-2]
            shared[present[0]] = msgspec.Raw(members.partition(b":")[2])
    return AlikeRecord(**shared)


def _record_refiller() -> Callable[..., msgspec.Struct]:
    """Compile a function that sets what varies in an `AlikeRecord`, and returns it."""
    lines = [f"record.{name} = {FIELDS[name]}" for name in AlikeRecord.__struct_fields__ if name in VARYING]
    return _compiled("record, timestamp, x, total_s, path", *lines, "return record")


def _error_refiller() -> Callable[..., None]:
    """Compile a function that sets the varying ones of `error_values`."""
    numbers = [(ErrorRecord.__struct_fields__.index(name), name) for name in _VARYING_IN_ERRORS]
    lines = [f"values[{number}] = {_ERROR_FIELDS[name]}" for number, name in numbers]
    return _compiled("values, x, total_s, path, at", *lines)


_ERROR_FIELDS = FIELDS | _CLIPPED

access_record: Callable[..., AccessRecord] = _maker("AccessRecord(values)", AccessRecord, FIELDS)
error_values: Callable[..., list[Any]] = _maker("[values]", ErrorRecord, _ERROR_FIELDS)
"""Makes the values of an error record, in their order: msgspec encodes them like the record, and a list is cheaper to
set values in."""
refill_record = _record_refiller()
"""Sets what varies in an `AlikeRecord`, given that, the time, the exchange, `total_s` and the path, and returns it.

That costs less than to make a record."""
refill_error = _error_refiller()
"""Sets what varies in a list of the values of an error record, given that, the exchange, `total_s`, the path and `at`.
"""
