"""Writes the head of a reply as bytes."""

from http import HTTPStatus

from gateway.exchange import Reply
from gateway.kernel.http.response_headers import as_text
from gateway.kernel.http.status_rules import UNFRAMED

_REASONS = {status.value: status.phrase for status in HTTPStatus}
_STATUS_LINES = {status: f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}\r\n" for status in range(200, 600)}

SMALL_BYTES = 32 * 1024
"""A body up to this size may be sent together with other replies, at the end of the loop's iteration."""


def head_bytes(reply: Reply, date: str, *, keep: bool, http10: bool, chunked: bool, bodiless: bool) -> bytes:
    """Return the head from the status line to the empty line. The framing fields are decided only here.

    `date` is the complete Date line. `keep` says that the connection stays open. A `bodiless` reply to HEAD has a
    length only where the length of the reply to GET is known; 204 and 304 never have one.
    """
    lines = _lines(reply)
    if chunked:
        framing = "Transfer-Encoding: chunked\r\n"
    elif (bodiless and reply.length is None and not reply.body) or reply.status in UNFRAMED:
        framing = ""
    elif reply.stream is None:
        framing = f"Content-Length: {len(reply.body) if reply.length is None else reply.length}\r\n"
    else:
        framing = "" if reply.length is None else f"Content-Length: {reply.length}\r\n"
    ending = ("Connection: keep-alive\r\n\r\n" if http10 else "\r\n") if keep else "Connection: close\r\n\r\n"
    return f"{_STATUS_LINES[reply.status]}{lines}{date}{framing}{ending}".encode("latin-1", "replace")


def whole_reply(reply: Reply, method: str, date: str, *, keep: bool) -> bytes | None:
    """Return the head, as `head_bytes` writes it in HTTP/1.1, and the body of a reply that can be sent at once.

    None for others: such as have no body, are large, or whose body is elsewhere. `method` is that of the request.
    """
    body = reply.body
    if (
        len(body) > SMALL_BYTES
        or reply.stream is not None
        or reply.length is not None
        or reply.status in UNFRAMED
        or method == "HEAD"
    ):
        return None
    lines = _lines(reply) if reply.fields else reply.text
    ending = "\r\n" if keep else "Connection: close\r\n\r\n"
    text = f"{_STATUS_LINES[reply.status]}{lines}{date}Content-Length: {len(body)}\r\n{ending}"
    return text.encode("latin-1", "replace") + body


def switching_head(reply: Reply, date: str) -> bytes:
    """Return the head that agrees to a handshake. `date` is the complete Date line."""
    return f"HTTP/1.1 101 Switching Protocols\r\n{as_text(reply.fields)}{date}\r\n".encode("latin-1", "replace")


def _lines(reply: Reply) -> str:
    return reply.text + as_text(reply.fields)
