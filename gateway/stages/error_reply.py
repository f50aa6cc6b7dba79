"""Turns an error of the gateway into a reply."""

import msgspec

from gateway.exchange import Reply
from gateway.kernel.envelope.write import error_frame, framed_error
from gateway.kernel.errors.translate import code_and_message
from gateway.kernel.faults import Fault, GatewayError
from gateway.kernel.http.response_headers import JSON_TYPE, Line, as_text
from gateway.kernel.http.status_rules import CHALLENGE, NO_STORE
from gateway.kernel.memo import Memo

_MOST_PREPARED = 256
_METHOD_NOT_ALLOWED, _UPGRADE_REQUIRED = 405, 426
_ORDINARY_HTTP: tuple[Line, ...] = (("Upgrade", "HTTP/1.1"), ("Connection", "Upgrade"))
"""RFC 9110, 15.5.22: a 426 names a protocol that is spoken here."""


class _Prepared(msgspec.Struct, frozen=True):
    """What all replies to one `fault` have in common, where the occurrence has no text of its own."""

    fault: Fault
    code: int
    message: str
    text: str
    frame: bytes


_prepared: Memo[tuple[int, str], _Prepared] = Memo(_MOST_PREPARED)
"""By the identity of the fault and the family: to hash the texts of a fault costs as much as all else."""


def error_reply(error: GatewayError, fault: Fault, request_id: str, family: str, own_text: str = "") -> Reply:
    """Return the reply for `error`. Its header lines are text, which is joined once for all replies to a fault.

    `fault` is the row of the catalogue in force, with the operator's overrides. `family` is the error family of the
    route, and `own_text` are the lines that it sets on the gateway's own replies.
    """
    known = _prepared.get((id(fault), family))
    if known is None or known.fault is not fault:
        known = _prepared.keep((id(fault), family), _prepare(fault, family))
    text, frame = known.text, known.frame
    if fault.retryable or error.retry_after_s is not None:
        text = f"{text}Retry-After: {max(1, error.retry_after_s or 1)}\r\n"
    if error.allow is not None or fault.status == _METHOD_NOT_ALLOWED:
        text = f"{text}Allow: {error.allow or ''}\r\n"
    if error.developer_message:
        frame = error_frame(known.code, known.message, error.developer_message, fault.links)
    body = framed_error(frame, request_id, error.details)
    # by position: faster than by name
    return Reply(
        fault.status,
        [],
        body,
        known.code,
        "gateway",
        None,
        b"",
        None,
        fault.ends_connection,
        None,
        b"",
        text + own_text,
    )


def _prepare(fault: Fault, family: str) -> _Prepared:
    code, message = code_and_message(fault, family)
    frame = error_frame(code, message, fault.developer_message, fault.links)
    return _Prepared(fault, code, message, as_text(_fields(fault)), frame)


def _fields(fault: Fault) -> list[Line]:
    """Return the header fields that depend on the fault only and not on the occurrence."""
    fields = [JSON_TYPE, NO_STORE]
    if fault.status == 401:
        fields.append(CHALLENGE)
    if fault.status == _UPGRADE_REQUIRED:
        fields += _ORDINARY_HTTP
    if fault.proxy_status is not None:
        fields.append(("Proxy-Status", f"gateway; error={fault.proxy_status}"))
    return fields
