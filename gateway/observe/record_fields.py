"""Names every field of an access record and of a record of the last errors, and where its value comes from.

Functions are compiled from this table when the module is imported, so that it costs nothing for each request. Most
exchanges are like one before: their access records have the fields in `VARYING`, and JSON that is ready for the others.
"""

from collections.abc import Callable
from itertools import groupby
from math import floor
from typing import Any, TypeAlias

import msgspec

from gateway.observe.access_log import FIELD_NAMES, AccessRecord, encoded
from gateway.observe.recent_errors import ErrorRecord, clipped

_PARAMETERS = "x, status, source, total_s, path, at=None, timestamp=''"
"""The parameters of the compiled functions. `total_s` is the duration, `at` Unix time for a record of the last errors.
`AccessLog` sets the timestamp of an access record where none is given."""

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
    "total_ms": "(total_us := floor(total_s * 1e6)) / 1e3",  # of whole microseconds: rounding costs twice as much
    "upstream_ms": "(upstream_us := floor(x.upstream_s * 1e6) if x.upstream_s else 0) / 1e3",
    "client_ms": "(client_us := floor(x.client_s * 1e6) if x.client_s else 0) / 1e3",
    "overhead_ms": "own_us / 1e3 if (own_us := total_us - upstream_us - client_us) > 0 else 0.0",
    "request_bytes": "x.body.received if x.body is not None else 0",
    "response_bytes": "x.sent_bytes",
    "client": "x.client",
    "key_id": "x.caller and x.caller.id",
    "organization": "x.caller and x.caller.organization",
    "limiter_result": (
        "('allowed' if x.decision.allowed else 'refused') if x.decision is not None and not x.peeked else None"
    ),
    "limiter_store": "x.decision and x.decision.store",
    "limiter_remaining": "x.decision.states[0].remaining if x.decision is not None and x.decision.states else None",
    "limiter_shadows": "tuple([each.id for each in x.decision.shadows]) if x.decision and x.decision.shadows else None",
    "request_faults": "x.request_faults or None",
    "limiter_spent": "tuple([each.meter.id for each in x.decision.spent]) if x.decision and x.decision.spent else None",
    "cache_result": "x.cache and x.cache.result",
    "cache_age_s": "x.cache and int(x.cache.age_s)",
    "idempotency": "x.idempotency",
    "hedge": "x.call and x.call.hedge",
    "coding": "x.coded and x.coded.coding",
    "saved_bytes": "x.coded and x.coded.saved_bytes",
    "target": "x.answer and x.answer.target",
    "upstream_request_id": "x.reply and x.reply.upstream_request_id",
    "code": "x.reply.code if x.reply is not None and x.reply.status >= 400 else None",
    "reason": "x.error and x.error.fault.name",
    "cause": "x.error and x.error.cause",
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

SharedFields: TypeAlias = tuple[msgspec.Raw | None, ...]
"""JSON for each field in `_SHARED`, None where it is left out."""

_ALIKE = [name for name in AccessRecord.__struct_fields__ if name in VARYING or name in _SHARED]
AlikeRecord = msgspec.defstruct(
    "AlikeRecord",
    [(name, Any, None) for name in _ALIKE],
    omit_defaults=True,
    gc=False,
    rename=FIELD_NAMES,
    tag_field="event",
    tag="request",
)
"""An access record whose fields in `_SHARED` are JSON: its line is the same, byte for byte, and takes half the time."""

_NAMES = {"AccessRecord": AccessRecord, "AlikeRecord": AlikeRecord, "clipped": clipped, "floor": floor}
"""What the compiled functions use."""


def _compiled(*lines: str) -> Callable[..., Any]:
    """Compile the source of a function that is called `compiled`."""
    names: dict[str, Any] = dict(_NAMES)
    exec("\n".join(lines), names)  # noqa: S102  no input
    made: Callable[..., Any] = names["compiled"]
    return made


def _maker(made: str, record: type[msgspec.Struct], fields: dict[str, str]) -> Callable[..., Any]:
    """Compile a function of `_PARAMETERS` that makes a `record` by position, which is three times as fast as by name.

    `made` is the expression for it, in which `values` are those of its fields.
    """
    values = ", ".join(fields[name] for name in record.__struct_fields__)
    return _compiled(f"def compiled({_PARAMETERS}):", f"    return {made.replace('values', values)}")


_START = len(encoded(AccessRecord())) - len("}\n")
"""The length of the beginning of every line, which names the event."""


def shared_fields(record: AccessRecord) -> SharedFields:
    """Return what the lines of exchanges have in common that are like that of `record`."""
    shared: dict[str, msgspec.Raw] = {}
    for varies, names in groupby(AccessRecord.__struct_fields__, VARYING.__contains__):
        present = [] if varies else [name for name in names if getattr(record, name) is not None]
        if present:
            members = encoded(AccessRecord(**{name: getattr(record, name) for name in present}))[_START:-2]
            shared[present[0]] = msgspec.Raw(members.partition(b":")[2])
    return tuple([shared.get(name) for name in _SHARED])


def _alike_maker() -> Callable[..., msgspec.Struct]:
    """Compile a function that makes an `AlikeRecord`."""
    values = ", ".join([name if name in _SHARED else FIELDS[name] for name in _ALIKE])
    return _compiled(
        "def compiled(shared, timestamp, x, total_s, path):",
        f"    {', '.join(_SHARED)} = shared",
        f"    return AlikeRecord({values})",
    )


def _refiller() -> Callable[..., None]:
    """Compile a function that sets the varying ones of `error_values`."""
    numbers = [(ErrorRecord.__struct_fields__.index(name), name) for name in _VARYING_IN_ERRORS]
    lines = [f"    values[{number}] = {_ERROR_FIELDS[name]}" for number, name in numbers]
    return _compiled("def compiled(values, x, total_s, path, at):", *lines)


_ERROR_FIELDS = FIELDS | _CLIPPED

access_record: Callable[..., AccessRecord] = _maker("AccessRecord(values)", AccessRecord, FIELDS)
error_values: Callable[..., list[Any]] = _maker("[values]", ErrorRecord, _ERROR_FIELDS)
"""Makes the values of an error record, in their order: msgspec encodes them like the record, and a list is cheaper to
set values in."""
alike_record = _alike_maker()
"""Makes the record of an exchange, given `shared_fields` of one that is like it, the time, it, `total_s` and the path.
"""
refill_error = _refiller()
"""Sets what varies in a list of the values of an error record, given that, the exchange, `total_s`, the path and `at`.
"""
