"""Turns an error of the gateway into a reply."""

import msgspec

from gateway.exchange import Reply
from gateway.kernel.envelope.write import error_frame, error_pieces, framed_error
from gateway.kernel.errors.translate import code_and_message
from gateway.kernel.faults import Fault, GatewayError
from gateway.kernel.http.response_headers import JSON_TYPE, Line, as_text
from gateway.kernel.http.status_rules import CHALLENGE, NO_STORE
from gateway.kernel.memo import Memo

_MOST_FAULTS = 256
_METHOD_NOT_ALLOWED, _UPGRADE_REQUIRED = 405, 426
_ORDINARY_HTTP: tuple[Line, ...] = (("Upgrade", "HTTP/1.1"), ("Connection", "Upgrade"))
"""RFC 9110, 15.5.22: a 426 names a protocol that is spoken here."""


class _Prepared(msgspec.Struct, frozen=True):
    """What all replies to one error have in common: its code, header lines as text, and envelope without an id.

    It holds for the row `fault` and the error family.
    """

    fault: Fault
    family: str
    code: int
    text: str
    pieces: tuple[bytes, ...]


class _Common(msgspec.Struct, frozen=True):
    """What all errors with one `fault` have in common. `usual` is for those that have nothing of their own."""

    fault: Fault
    code: int
    message: str
    text: str
    frame: bytes
    usual: _Prepared


_common: Memo[tuple[int, str], _Common] = Memo(_MOST_FAULTS)
"""By the identity of the fault and the family: to hash the texts of a fault costs as much as all else."""


def error_reply(error: GatewayError, fault: Fault, request_id: str, family: str, own_text: str = "") -> Reply:
    """Return the reply for `error`. What does not depend on the request is kept with the error for further replies.

    `fault` is the row of the catalogue in force, with the operator's overrides. `family` is the error family of the
    route, and `own_text` are the lines that it sets on the gateway's own replies.
    """
    known: _Prepared | None = error.prepared
    if known is None or known.fault is not fault or known.family != family:
        known = error.prepared = _prepare(error, fault, family)
    body, text = framed_error(known.pieces, request_id), known.text + own_text
    # by position: faster than by name
    return Reply(
        fault.status, [], body, known.code, "gateway", None, b"", None, fault.ends_connection, None, b"", text
    )  # fmt: skip


def _prepare(error: GatewayError, fault: Fault, family: str) -> _Prepared:
    common = _common.get((id(fault), family))
    if common is None or common.fault is not fault:
        code, message = code_and_message(fault, family)
        text, frame = as_text(_fields(fault)), error_frame(code, message, fault.developer_message, fault.links)
        pieces = error_pieces(frame)
        usual = _Prepared(fault, family, code, text + _occurrence_text(GatewayError(fault), fault), pieces)
        common = _common.keep((id(fault), family), _Common(fault, code, message, text, frame, usual))
    if not (error.developer_message or error.details or error.retry_after_s is not None or error.allow is not None):
        return common.usual
    frame = common.frame
    if error.developer_message:
        frame = error_frame(common.code, common.message, error.developer_message, fault.links)
    pieces = error_pieces(frame, error.details)
    return _Prepared(fault, family, common.code, common.text + _occurrence_text(error, fault), pieces)


def _occurrence_text(error: GatewayError, fault: Fault) -> str:
    """Return the header lines that depend on the occurrence, too."""
    text = ""
    if fault.retryable or error.retry_after_s is not None:
        text = f"Retry-After: {max(1, error.retry_after_s or 1)}\r\n"
    if error.allow is not None or fault.status == _METHOD_NOT_ALLOWED:
        text += f"Allow: {error.allow or ''}\r\n"
    return text


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
