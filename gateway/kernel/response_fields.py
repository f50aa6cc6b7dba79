"""Response header fields on their way to a client: which go on, which describe a body that is no longer there.

Laws: RFC 9110 7.6.1 (fields meant for one hop, and every field that Connection names, are not forwarded); the framing is
the edge's; what limits a caller, and the id of the exchange, can only come from the gateway; a validator or digest of a
body says nothing of the envelope around it.
"""

import re
from typing import TypeAlias

import msgspec

from gateway.kernel.faults import UPSTREAM_PROTOCOL_ERROR, GatewayError
from gateway.kernel.texts import fit
from gateway.kernel.weblinks import safe_links

Fields: TypeAlias = list[tuple[bytes, bytes]]
"""As they came from a backend: names in lower case."""

Line: TypeAlias = tuple[str, str]

JSON_TYPE: Line = ("Content-Type", "application/json")

_UNKNOWN, _TYPE, _CODING, _CONNECTION, _ENTITY_TAG, _BODY, _REQUEST_ID, _LINK = range(8)

_DROPPED = (
    b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authentication-info", b"te", b"trailer", b"transfer-encoding",
    b"upgrade", b"http2-settings", b"content-length",
    b"date", b"ratelimit", b"ratelimit-policy",
    b"alt-svc",  # another way to the backend, not to the gateway
    b"x-debug-exception", b"x-debug-exception-file",  # Symfony's, for its developers
)  # fmt: skip
_OF_THE_BODY = (b"content-md5", b"digest", b"content-digest", b"repr-digest", b"content-range", b"accept-ranges")
_PASSED = (
    "Accept-CH", "Access-Control-Allow-Credentials", "Access-Control-Allow-Headers", "Access-Control-Allow-Methods",
    "Access-Control-Allow-Origin", "Access-Control-Expose-Headers", "Access-Control-Max-Age", "Age", "Allow", "Cache-Control",
    "Content-Disposition", "Content-Language", "Content-Location", "Content-Security-Policy", "Cross-Origin-Opener-Policy",
    "Cross-Origin-Resource-Policy", "Expires", "Last-Modified", "Location", "Permissions-Policy", "Pragma",
    "Proxy-Status", "Referrer-Policy", "Retry-After", "Server", "Server-Timing", "Set-Cookie", "Strict-Transport-Security", "Vary", "Via",
    "WWW-Authenticate", "X-Content-Type-Options", "X-Correlation-Id", "X-Frame-Options", "X-Powered-By", "X-XSS-Protection",
)  # fmt: skip
_NOTICES = ("Deprecation", "Sunset", "Warning")

_RULES: dict[bytes, str | int | Line | None] = {
    **{name.lower().encode(): name for name in _PASSED},
    **dict.fromkeys(_DROPPED),
    **dict.fromkeys(_OF_THE_BODY, _BODY),
    **{name.lower().encode(): (name, "") for name in _NOTICES},
    b"content-type": _TYPE,
    b"content-encoding": _CODING,
    b"connection": _CONNECTION,
    b"etag": _ENTITY_TAG,
    b"link": _LINK,
    b"x-request-id": _REQUEST_ID,
}
"""What to do with a field: pass it on by this name (alone, or as a notice too), drop it (None), or one of the above."""

_PLAIN = frozenset({_UNKNOWN, _BODY})
_RANGES = frozenset({b"content-range", b"accept-ranges"})
_BYTES_UNIT = re.compile(rb"\s*bytes\b", re.IGNORECASE)
"""Ranges in other units are a service's own pages, and not parts of a body."""

_FORBIDDEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""RFC 9110, 5.5: no control characters but the tab in a field value."""
_TOKEN = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PLAIN_CONNECTION = frozenset({b"keep-alive", b"close", b"Keep-Alive", b"Close"})


class Screened(msgspec.Struct, gc=False):
    """The fields of one reply, sorted out.

    `lines` begin with the envelope's Content-Type and hold what goes on in any case; `of_the_body` only goes on with a
    body that stays as it is. `notices` says whether there are fields for `gateway.kernel.notices`.
    """

    lines: list[Line]
    of_the_body: list[Line]
    content_type: bytes
    coding: bytes
    notices: bool
    request_id: str | None


def screen(fields: Fields, removed: frozenset[bytes]) -> Screened:
    """Sorts out `fields`; those whose names are in `removed` do not go on.

    Raises GatewayError UPSTREAM_PROTOCOL_ERROR for what is no field.
    """
    lines = [JSON_TYPE]
    of_the_body: list[Line] = []
    content_type = coding = named = b""
    notices = False
    request_id = None
    rule_of = _RULES.get
    for name, value in fields:
        rule = rule_of(name, _UNKNOWN)
        if rule is None:
            continue
        if rule.__class__ is str:
            if removed and name in removed:
                continue
            text = value.decode("latin-1")
            if not text.isprintable() and _FORBIDDEN.search(text):
                raise GatewayError(UPSTREAM_PROTOCOL_ERROR, cause="control character in a header field")
            lines.append((rule, text))
        elif rule == _TYPE:
            content_type = content_type or value
        elif rule == _CONNECTION:
            if value not in _PLAIN_CONNECTION:
                named += b"," + value
        elif rule == _CODING:
            coding = coding + b"," + value if coding else value
        else:
            text = value.decode("latin-1")
            if _FORBIDDEN.search(text) or name.translate(None, _TOKEN):
                raise GatewayError(UPSTREAM_PROTOCOL_ERROR, cause="control character in a header field")
            if rule == _REQUEST_ID:
                request_id = text
            elif name in removed or name.startswith(b"x-ratelimit-"):
                continue
            elif rule == _BODY and (name not in _RANGES or _BYTES_UNIT.match(value)):
                of_the_body.append((name.decode("latin-1").title(), text))
            elif rule == _LINK:
                if text := safe_links(text):
                    lines.append(("Link", text))
            elif rule == _ENTITY_TAG:
                of_the_body.append(("ETag", text))
            elif rule in _PLAIN:
                lines.append((name.decode("latin-1"), text))
            else:
                notices = True
                if fit(text) == text:
                    lines.append((rule[0], text))  # type: ignore[index]
    if named:
        lines, of_the_body = _unnamed(lines, named), _unnamed(of_the_body, named)
    return Screened(lines, of_the_body, content_type, coding, notices, request_id)


def checked(value: bytes) -> str:
    """A field value as text. Raises GatewayError UPSTREAM_PROTOCOL_ERROR for control characters."""
    text = value.decode("latin-1")
    if not text.isprintable() and _FORBIDDEN.search(text):
        raise GatewayError(UPSTREAM_PROTOCOL_ERROR, cause="control character in a header field")
    return text


def replaced(lines: list[Line], by: tuple[Line, ...]) -> list[Line]:
    """`lines`, with those of `by` in place of all that have the same name."""
    names = {name.lower() for name, _ in by}
    return [line for line in lines if line[0].lower() not in names] + list(by)


def value_of(lines: list[Line], name: str) -> str | None:
    """The first value of a field; None when there is none. `name` in lower case."""
    for candidate, value in lines:
        if candidate.lower() == name:
            return value
    return None


def _unnamed(lines: list[Line], options: bytes) -> list[Line]:
    names = {option.strip().lower() for option in options.decode("latin-1").split(",")} - {"content-type"}
    return [line for line in lines if line[0].lower() not in names]
