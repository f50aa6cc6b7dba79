"""Where messages begin and end on the wire, as far as llhttp does not already decide it. Pure.

llhttp refuses Content-Length beside Transfer-Encoding, repeated or malformed Content-Length, bad chunk sizes, bare CR
and LF, folded lines and bad names. It lets pass what is decided here: any list of transfer codings that holds
`chunked`, RTSP and ICE start lines, status 000 and 600 and above, empty lines before the status line.
"""

from functools import lru_cache

import msgspec

from gateway.kernel.envelope.charsets import BOM
from gateway.kernel.envelope.media_type import media
from gateway.kernel.http.status_rules import UNFRAMED
from gateway.upstream.call import Call, Fields

MAX_HEAD_BYTES = 64 * 1024
MAX_FIELDS = 256

_LONGEST_KEEP_ALIVE = 256

_VERSIONS = (b"HTTP/1.1 ", b"HTTP/1.0 ")

_BLANK = b"\r\n\r\n"
_BEGUN = 64
_MAY_BE_JSON = frozenset({b"", b"{", b"[", BOM[:1]})
_END = b"\r\n"
_EMPTY_BODY = b"Content-Length: 0\r\n\r\n"
_CHUNKED_BODY = b"Transfer-Encoding: chunked\r\n\r\n"
_LAST_BODY = b"Connection: close\r\n"
WITH_BODY = frozenset((b"POST", b"PUT", b"PATCH"))
"""RFC 9110 9.3: the methods that define a body, and 8.6: they should say when there is none. The others' is the last on its connection."""


class Origin(msgspec.Struct, frozen=True):
    """What a target has of its own in the head of a request: `base` before every path ("" or "/…"), `host` as a complete line."""

    base: bytes
    host: bytes


def request_head(call: Call, to: Origin, length: int | None) -> bytes:
    """The whole head of `call`; `length` of its body in bytes, None for chunks."""
    path = call.path
    if to.base or path[:1] != b"/":
        path = (to.base or b"/") + path
    if length == 0:
        framing = _EMPTY_BODY if call.method in WITH_BODY else _END
    else:
        framing = _CHUNKED_BODY if length is None else b"Content-Length: %d\r\n\r\n" % length
        if call.method not in WITH_BODY:
            framing = _LAST_BODY + framing
    return b"".join((call.method, b" ", path, b" HTTP/1.1\r\n", call.host or to.host, call.head, framing))


def starts_wrong(received: int, data: bytes) -> bool:
    """Whether `data`, the bytes after the first `received` ones, cannot be part of an HTTP/1.1 or 1.0 status line."""
    piece = data[: max(0, len(_VERSIONS[0]) - received)]
    end = received + len(piece)
    return all(piece != version[received:end] for version in _VERSIONS)


def head_size(fields: Fields) -> int:
    """Bytes that `fields` took on the wire, optional white space aside."""
    return sum(len(name) + len(value) + 4 for name, value in fields)


def codings_supported(fields: Fields, version: str) -> bool:
    """Whether the transfer codings are exactly `chunked`. HTTP/1.0 has none (RFC 9112 6.1: such framing is faulty)."""
    return version == "1.1" and [value.lower() for name, value in fields if name == b"transfer-encoding"] == [b"chunked"]


def bodiless(status: int) -> bool:
    """RFC 9112 6.3: these end with their head, whatever their fields say."""
    return status in UNFRAMED


def keeps_alive(version: str, fields: Fields) -> bool:
    """Whether the connection outlives a reply without a body (RFC 9112 9.3)."""
    options = set(map(bytes.strip, b",".join([value for name, value in fields if name == b"connection"]).lower().split(b",")))
    return b"close" not in options and (version == "1.1" or b"keep-alive" in options)


def announced_idle_s(keep_alive: bytes) -> float | None:
    """Seconds of idleness that a Keep-Alive field allows, with a fifth off so that the server never closes first."""
    return _idle_s(keep_alive[:_LONGEST_KEEP_ALIVE])


@lru_cache(maxsize=64)
def _idle_s(keep_alive: bytes) -> float | None:
    for parameter in keep_alive.lower().split(b","):
        name, _, value = parameter.strip().partition(b"=")
        if name == b"timeout" and value.isdigit() and len(value) < 8:
            return int(value) * 0.8
    return None


def doubtful_from(method: bytes, with_body: bool) -> int:
    """The least status of a reply after which nobody knows whether the service has read all of the request, or more than that.

    A service that ignores a body would take it for the next request, and answer that to whoever calls next. It may ignore any
    where the method defines none, and one that it has refused.
    """
    return 1000 if not with_body else 300 if method in WITH_BODY else 0


def mended(reply: bytes) -> bytes:
    """The beginning of a reply with its heads as llhttp takes them; the same bytes where there is nothing to mend.

    White space before a field's colon is removed (RFC 9112 5.1), and Content-Lengths that agree become one (RFC 9110 8.6).
    """
    heads: list[bytes] = []
    at = 0
    while at < len(reply):
        end = reply.find(_BLANK, at)
        blank = b"" if end < 0 else _BLANK
        end = len(reply) if end < 0 else end
        heads.append(_mended_head(reply[at:end]) + blank)
        final = reply[at + 9 : at + 10] != b"1"
        at = end + len(blank)
        if final:  # what follows is the body
            heads.append(reply[at:])
            break
    return b"".join(heads)


def _mended_head(head: bytes) -> bytes:
    line, *fields = head.split(b"\r\n")
    lines, length = [line], b""
    for field in fields:
        name, colon, value = field.partition(b":")
        if not name[:1].isspace():
            name = name.rstrip(b" \t")
        if name.lower() == b"content-length":
            values = {number.strip(b" \t") for number in value.split(b",")} | ({length} if length else set())
            if len(values) == 1:
                value = min(values)
                if length:
                    continue
                length = value
        lines.append(name + colon + value)
    return b"\r\n".join(lines)


STREAMED = frozenset({"events", "binary"})
"""Kinds of contents that go on as they come: nobody needs to see them whole."""


def kind_of(fields: Fields, begun: bytes | bytearray) -> str:
    """What sort of contents the body is said to have. Octets that do not begin like JSON, as `begun` tells, are binary."""
    kind = media(dict(fields).get(b"content-type", b"")).kind
    return "binary" if kind == "octets" and bytes(begun[:_BEGUN]).lstrip()[:1] not in _MAY_BE_JSON else kind
