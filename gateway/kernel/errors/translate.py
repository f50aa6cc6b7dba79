"""Rule 7: translates errors of backends into those of the contract.

And the contract's table "Status and code".
"""

from typing import Literal, NamedTuple, TypeAlias

import msgspec

from gateway.kernel.envelope.charsets import BOM, guessed, utf8_of
from gateway.kernel.envelope.media_type import media
from gateway.kernel.envelope.raw_json import WHITE, decode
from gateway.kernel.errors.formats import ErrorContents, found_in
from gateway.kernel.errors.sanitize import clean
from gateway.kernel.fault_types import (
    ANALYTICS,
    INFRASTRUCTURE,
    INVALID_METHOD,
    INVALID_PARAMETER,
    LIMIT_EXCEEDED,
    MESSAGES,
    MISSING_ATTRIBUTE,
    NOTIFICATION,
    UNAUTHORIZED,
    UNDEFINED,
)
from gateway.kernel.faults import Detail, Fault, Link

ErrorFamily: TypeAlias = Literal["general", "analytics", "notification"]

LARGEST_BODY = 262_144
"""The largest error that is read, in bytes. A larger one gets the generic texts."""

UNDEFINED_OF: dict[str, int] = {"general": UNDEFINED, "analytics": ANALYTICS, "notification": NOTIFICATION}
"""The code of a backend's undefined error, by the route's error family."""

_CODES = {401: UNAUTHORIZED, 403: UNAUTHORIZED, 405: INVALID_METHOD, 429: LIMIT_EXCEEDED}
_STATUSES = {
    1000: 400, 1001: 400, 1002: 401, 1003: 403, 1005: 404, 1006: 405,
    8000: 429, 8001: 429, 8003: 429, 8004: 429, 8005: 429, 8006: 429, 8007: 403,
}  # fmt: skip
_OPENING = 1024
"""The most white space before JSON under a type of its own."""
_ANY = msgspec.json.Decoder(object)


class Translation(NamedTuple):
    """An error as the contract writes it. The texts are not empty."""

    code: int
    message: str
    developer_message: str
    details: tuple[Detail, ...] = ()
    links: tuple[Link, ...] = ()


def code_of(status: int, family: str) -> int:
    """Return the code for a backend's `status`, 400 or more."""
    if status >= 500:
        return UNDEFINED_OF[family]
    return _CODES.get(status, INVALID_PARAMETER)


def code_and_message(fault: Fault, family: str) -> tuple[int, str]:
    """Return code and message of `fault` on a route of `family`. A message that the operator has configured is kept."""
    code = fault.code
    if code == UNDEFINED and family != "general" and fault.of_upstream:
        code = NOTIFICATION if family == "notification" else ANALYTICS if fault.reached_service else INFRASTRUCTURE
    message = MESSAGES[code] if code != fault.code and fault.message == MESSAGES[UNDEFINED] else fault.message
    return code, message


def status_of(code: int) -> int:
    """Return the status for an error that came without one, by its code."""
    return _STATUSES.get(code, 503)


def generic(status: int, family: str) -> Translation:
    """Return the translation of an error of which only the status is known."""
    code = code_of(status, family)
    return Translation(
        code, MESSAGES[code], f"The service answered with status {status}, and no explanation that could be passed on."
    )


def translate(status: int, content_type: bytes, body: bytes, family: str) -> Translation:
    """Return the translation of an error of a backend.

    `status` is 400 or more, `body` as large as it likes, and in no coding.
    """
    plain = generic(status, family)
    found = _read(content_type, body) if len(body) <= LARGEST_BODY else None
    if found is None or not (found.text or found.details):
        return plain._replace(links=tuple(found.links)) if found is not None else plain
    missing = status in {400, 422} and any(entry.missing for entry in found.entries)
    code = MISSING_ATTRIBUTE if missing else plain.code
    listed = "; ".join([f"{detail.field}: {detail.text}" if detail.field else detail.text for detail in found.details])
    message = found.title or found.text or (found.details[0].text if len(found.details) == 1 else MESSAGES[code])
    developer_message = found.explanation or found.text or clean(listed)
    return Translation(code, message, developer_message, tuple(found.details), tuple(found.links))


def _read(content_type: bytes, body: bytes) -> ErrorContents | None:
    """Return the contents of an error's body; None if it has none.

    A body that is JSON is read as such, whatever its type.
    """
    kind = media(content_type)
    try:
        body, shown = utf8_of(body, kind.charset), kind.shown or kind.kind == "unknown"
    except UnicodeError:
        body, shown = body.removeprefix(BOM), False
    begun = body[:_OPENING].lstrip(WHITE)[:1]
    if kind.kind == "json" or begun in {b"{", b"["} or (begun == b'"' and kind.kind == "unknown"):
        value = decode(_ANY, body)
        if value is None and kind.kind == "json" and (wide := guessed(body)) is not None:
            value = decode(_ANY, wide)
        if value is not None or kind.kind == "json":
            return found_in(value)
    if not shown:
        return None
    try:
        return found_in(body.decode())
    except UnicodeError:
        return None
