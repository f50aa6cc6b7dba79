"""Turns an error of the gateway into a reply."""

from functools import lru_cache

from gateway.exchange import Reply
from gateway.kernel.envelope.write import error as error_envelope
from gateway.kernel.errors.translate import code_and_message
from gateway.kernel.faults import Fault, GatewayError
from gateway.kernel.http.response_headers import JSON_TYPE, Line
from gateway.kernel.http.status_rules import CHALLENGE, NO_STORE, RETRY_SHORTLY

_UPGRADE_REQUIRED = 426
_ORDINARY_HTTP: tuple[Line, ...] = (("Upgrade", "HTTP/1.1"), ("Connection", "Upgrade"))
"""RFC 9110, 15.5.22: a 426 names a protocol that is spoken here."""


def error_reply(error: GatewayError, fault: Fault, request_id: str, family: str) -> Reply:
    """Return the reply for `error`.

    `fault` is the row of the catalogue in force, with the operator's overrides. `family` is the error family of the
    route.
    """
    code, message = code_and_message(fault, family)
    fields = list(_fields(fault))
    if fault.retryable or error.retry_after_s is not None:
        fields.append(("Retry-After", str(max(1, error.retry_after_s or 1))) if error.retry_after_s else RETRY_SHORTLY)
    if error.allow is not None or fault.status == 405:
        fields.append(("Allow", error.allow or ""))
    developer_message = error.developer_message or fault.developer_message
    body = error_envelope(request_id, code, message, developer_message, fault.links, error.details)
    return Reply(fault.status, fields, body, code=code, close=fault.ends_connection)


@lru_cache(maxsize=256)
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
