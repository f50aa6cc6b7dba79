"""Turns an error of the gateway into a reply."""

import msgspec

from gateway.exchange import Reply
from gateway.kernel.envelope.write import error_frame, framed_error
from gateway.kernel.errors.translate import code_and_message
from gateway.kernel.faults import Fault, GatewayError
from gateway.kernel.http.response_headers import JSON_TYPE, Line
from gateway.kernel.http.status_rules import CHALLENGE, NO_STORE, RETRY_SHORTLY
from gateway.kernel.memo import Memo

_MOST_PREPARED = 256
_UPGRADE_REQUIRED = 426
_ORDINARY_HTTP: tuple[Line, ...] = (("Upgrade", "HTTP/1.1"), ("Connection", "Upgrade"))
"""RFC 9110, 15.5.22: a 426 names a protocol that is spoken here."""


class _Prepared(msgspec.Struct, frozen=True):
    """What all replies to one `fault` have in common, where the occurrence has no text of its own."""

    fault: Fault
    code: int
    message: str
    fields: tuple[Line, ...]
    frame: bytes


_prepared: Memo[tuple[int, str], _Prepared] = Memo(_MOST_PREPARED)
"""By the identity of the fault and the family: to hash the texts of a fault costs as much as all else."""


def error_reply(error: GatewayError, fault: Fault, request_id: str, family: str) -> Reply:
    """Return the reply for `error`.

    `fault` is the row of the catalogue in force, with the operator's overrides. `family` is the error family of the
    route.
    """
    known = _prepared.get((id(fault), family))
    if known is None or known.fault is not fault:
        known = _prepared.keep((id(fault), family), _prepare(fault, family))
    fields = [*known.fields]
    if fault.retryable or error.retry_after_s is not None:
        fields.append(("Retry-After", str(max(1, error.retry_after_s or 1))) if error.retry_after_s else RETRY_SHORTLY)
    if error.allow is not None or fault.status == 405:
        fields.append(("Allow", error.allow or ""))
    frame = known.frame
    if error.developer_message:
        frame = error_frame(known.code, known.message, error.developer_message, fault.links)
    body = framed_error(frame, request_id, error.details)
    return Reply(fault.status, fields, body, code=known.code, close=fault.ends_connection)


def _prepare(fault: Fault, family: str) -> _Prepared:
    code, message = code_and_message(fault, family)
    frame = error_frame(code, message, fault.developer_message, fault.links)
    return _Prepared(fault, code, message, _fields(fault), frame)


def _fields(fault: Fault) -> tuple[Line, ...]:
    """Return the header fields that depend on the fault only and not on the occurrence."""
    fields = [JSON_TYPE, NO_STORE]
    if fault.status == 401:
        fields.append(CHALLENGE)
    if fault.status == _UPGRADE_REQUIRED:
        fields += _ORDINARY_HTTP
    if fault.proxy_status is not None:
        fields.append(("Proxy-Status", f"gateway; error={fault.proxy_status}"))
    return tuple(fields)
