"""The framing rules of HTTP/1.1 messages that llhttp does not enforce. Pure.

llhttp rejects Content-Length beside Transfer-Encoding, repeated or malformed Content-Length, bad chunk sizes, bare CR
and LF, folded lines and bad names. It accepts what is checked here: any list of transfer codings that contains
`chunked`, RTSP and ICE start lines, status 000 and 600 and above, empty lines before the status line.
"""

from functools import lru_cache

import msgspec

from gateway.kernel.envelope.charsets import BOM
from gateway.kernel.envelope.media_type import MediaKind, media
from gateway.kernel.http.status_rules import UNFRAMED
from gateway.upstream.call import Call, Fields

MAX_HEAD_BYTES = 64 * 1024
MAX_FIELDS = 256

_LONGEST_KEEP_ALIVE = 256

_VERSIONS = (b"HTTP/1.1 ", b"HTTP/1.0 ")

_BLANK = b"\r\n\r\n"
TELLING_BYTES = 64
"""So many first bytes of a body tell its kind."""
_MAY_BE_JSON = frozenset({b"", b"{", b"[", BOM[:1]})
_END = b"\r\n"
_EMPTY_BODY = b"Content-Length: 0\r\n\r\n"
_CHUNKED_BODY = b"Transfer-Encoding: chunked\r\n\r\n"
_LAST_BODY = b"Connection: close\r\n"
WITH_BODY = frozenset((b"POST", b"PUT", b"PATCH"))
"""The methods that define a body (RFC 9110 9.3) and should announce an empty one (8.6).

A body of another method is the last one on its connection.
"""


NEVER_AMBIGUOUS = 1000
"""A status higher than all existing ones."""


class Origin(msgspec.Struct, frozen=True):
    """What a target adds to a request: `base` before every path ("" or "/…"), `host` as a complete header line."""

    base: bytes
    host: bytes


def request_head(call: Call, to: Origin, length: int | None) -> bytes:
    """Return the complete head of `call`. `length` is that of its body in bytes, None for chunks."""
    path = call.path
    if to.base or path[:1] != b"/":
        path = (to.base or b"/") + path
    if length == 0:
        framing = _EMPTY_BODY if call.method in WITH_BODY else _END
    else:
        framing = _CHUNKED_BODY if length is None else b"Content-Length: %d\r\n\r\n" % length
        if call.method not in WITH_BODY:
            framing = _LAST_BODY + framing
    return b"".join([call.method, b" ", path, b" HTTP/1.1\r\n", call.host or to.host, *call.head, framing])


def starts_wrong(received: int, data: bytes) -> bool:
    """Return whether `data`, after `received` earlier bytes, cannot belong to an HTTP/1.1 or 1.0 status line."""
    piece = data[: max(0, len(_VERSIONS[0]) - received)]
    end = received + len(piece)
    return all(piece != version[received:end] for version in _VERSIONS)


def head_size(fields: Fields) -> int:
    """Return the bytes that `fields` took on the wire, without optional white space."""
    return sum(len(name) + len(value) + 4 for name, value in fields)


def codings_supported(fields: Fields, version: str) -> bool:
    """Return whether the transfer coding is exactly `chunked`. HTTP/1.0 has none (RFC 9112 6.1)."""
    return version == "1.1" and [value.lower() for name, value in fields if name == b"transfer-encoding"] == [
        b"chunked"
    ]


def bodiless(status: int) -> bool:
    """Return whether a response ends with its head, whatever its fields announce (RFC 9112 6.3)."""
    return status in UNFRAMED


def keeps_alive(version: str, fields: Fields) -> bool:
    """Return whether the connection outlives a reply without a body (RFC 9112 9.3)."""
    options = set(
        map(bytes.strip, b",".join([value for name, value in fields if name == b"connection"]).lower().split(b","))
    )
    return b"close" not in options and (version == "1.1" or b"keep-alive" in options)


def announced_idle_s(keep_alive: bytes) -> float | None:
    """Return the idle seconds that a Keep-Alive field allows, less a fifth so that the server never closes first."""
    return _idle_s(keep_alive[:_LONGEST_KEEP_ALIVE])


@lru_cache(maxsize=64)
def _idle_s(keep_alive: bytes) -> float | None:
    for parameter in keep_alive.lower().split(b","):
        name, _, value = parameter.strip().partition(b"=")
        if name == b"timeout" and value.isdigit() and len(value) < 8:
            return int(value) * 0.8
    return None


def ambiguous_from(method: bytes) -> int:
    """Return the lowest status from which on it is unknown whether the service has read a request with a body.

    A service that ignores a body would read it as the next request, and its answer to that would go to the next caller.
    It may ignore any body where the method defines none, and a body that it has rejected.
    """
    return 300 if method in WITH_BODY else 0


def repaired(reply: bytes) -> bytes:
    """Return the beginning of a reply with heads that llhttp accepts; the same bytes where there is nothing to repair.

    White space before the colon of a field is removed (RFC 9112 5.1), and equal Content-Lengths become one (RFC 9110
    8.6).
    """
    heads: list[bytes] = []
    at = 0
    while at < len(reply):
        end = reply.find(_BLANK, at)
        blank = b"" if end < 0 else _BLANK
        end = len(reply) if end < 0 else end
        heads.append(_repaired_head(reply[at:end]) + blank)
        final = reply[at + 9 : at + 10] != b"1"
        at = end + len(blank)
        if final:  # the body follows
            heads.append(reply[at:])
            break
    return b"".join(heads)


def _repaired_head(head: bytes) -> bytes:
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


STREAMED: frozenset[MediaKind] = frozenset({"events", "binary"})
"""Kinds of bodies that are passed on while they arrive, because no later stage needs them whole."""


def kind_of(fields: Fields, begun: bytes) -> MediaKind:
    """Return the kind of body that `fields` announce.

    Octets whose first bytes, `begun`, do not look like JSON are binary.
    """
    kind = media(dict(fields).get(b"content-type", b"")).kind
    return "binary" if kind == "octets" and begun[:TELLING_BYTES].lstrip()[:1] not in _MAY_BE_JSON else kind
