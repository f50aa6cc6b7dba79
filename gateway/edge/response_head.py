"""The head of a reply as bytes."""

from http import HTTPStatus

from gateway.exchange import Reply

_REASONS = {status.value: status.phrase for status in HTTPStatus}
_BODILESS = frozenset({204, 304})
_STATUS_LINES = {status: f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}\r\n" for status in range(200, 600)}


def may_have_body(status: int) -> bool:
    """RFC 9110 6.4.1: 204 and 304 never have one."""
    return status not in _BODILESS


def head_bytes(reply: Reply, keep: bool, http10: bool, chunked: bool, date: str, bodiless: bool) -> bytes:
    """Status line to empty line. The framing fields are decided here and nowhere else.

    A `bodiless` reply to HEAD announces a length only where it is known what GET would give; 204 and 304 never do.
    """
    lines = [f"{name}: {value}\r\n" for name, value in reply.fields]
    if chunked:
        framing = "Transfer-Encoding: chunked\r\n"
    elif (bodiless and reply.length is None and not reply.body) or reply.status in _BODILESS:
        framing = ""
    elif reply.stream is None:
        framing = f"Content-Length: {len(reply.body) if reply.length is None else reply.length}\r\n"
    else:
        framing = "" if reply.length is None else f"Content-Length: {reply.length}\r\n"
    ending = ("Connection: keep-alive\r\n\r\n" if http10 else "\r\n") if keep else "Connection: close\r\n\r\n"
    return f"{_STATUS_LINES[reply.status]}{''.join(lines)}{date}{framing}{ending}".encode("latin-1", "replace")
