"""Rules of HTTP and the contract for the status of a reply."""

from gateway.kernel.http.response_headers import Line, value_of

CHALLENGE: Line = ("WWW-Authenticate", 'ApiKey realm="api"')
"""RFC 9110, 15.5.2: a 401 has at least one challenge."""

NO_STORE: Line = ("Cache-Control", "no-store")
"""A 404, 405, 410, 414 or 501 may be stored by any cache without this field (RFC 9110 15.1).

The gateway's own are about now.
"""

RETRY_SHORTLY: Line = ("Retry-After", "1")
"""The Retry-After field, in seconds, of errors that pass by themselves after an unknown time."""

UNFRAMED = frozenset({204, 304})
"""Statuses of replies that end with their header, whatever its framing fields say (RFC 9112, 6.3)."""

WITHOUT_BODY = UNFRAMED | {205}
"""Statuses of replies that never have a body (RFC 9110, 15.3.5, 15.3.6 and 15.4.5).

That of a 205 is framed as empty.
"""


def has_body(method: str, status: int) -> bool:
    """Return whether a reply with `status` to a request with `method` may have a body."""
    return method != "HEAD" and status not in WITHOUT_BODY


def completed(lines: list[Line], status: int, allow: tuple[str, ...]) -> list[Line]:
    """Return `lines`, of an error of a backend, and those that its status needs and the backend left out.

    `allow` are the route's methods.
    """
    if status == 401 and value_of(lines, "www-authenticate") is None:
        return [*lines, CHALLENGE]
    if status == 405 and value_of(lines, "allow") is None:
        return [*lines, ("Allow", ", ".join(allow))]
    if status in {429, 503} and value_of(lines, "retry-after") is None:
        return [*lines, RETRY_SHORTLY]
    return lines
