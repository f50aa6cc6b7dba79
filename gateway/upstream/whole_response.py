"""Reads the usual reply in one go: all of it in one piece, its length announced, its connection kept. Pure.

Law: what is read here, `ResponseParser` reads alike; whatever is out of the ordinary is left to it. Only a body of
exactly the announced length passes, so nothing follows the reply.
"""

from typing import Final

import msgspec

from gateway.kernel.http.status_rules import UNFRAMED
from gateway.kernel.memo import Memo
from gateway.upstream.call import Fields
from gateway.upstream.framing import announced_idle_s

_LARGEST_HEAD_BYTES = 8 * 1024
_MOST_FIELDS = 64
_LONGEST_KEPT_BYTES = 128
"""A longer line is not remembered: it is rarely sent twice."""
_MOST_LINES, _MOST_STATUSES = 2048, 128

_END = b"\r\n\r\n"
_VERSION = b"HTTP/1.1 "
_TOKEN = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_FORBIDDEN = bytes({*range(32), 127} - {9})
_KEPT = frozenset({None, b"keep-alive", b"Keep-Alive"})
_UNREADABLE: Final = (b"", b"")
_OTHER_FRAMING = frozenset({_UNREADABLE[0], b"transfer-encoding", b"upgrade"})


class WholeResponse(msgspec.Struct, gc=False):
    """A complete reply that keeps its connection. `idle_hint_s` is how long for, None if it does not say."""

    status: int
    fields: Fields
    body: bytes
    idle_hint_s: float | None


class _FieldLines(Memo[bytes, tuple[bytes, bytes]]):
    """Names in lower case and values, by field line. What is no plain field line is `_UNREADABLE`."""

    __slots__ = ()

    def __missing__(self, line: bytes) -> tuple[bytes, bytes]:
        name, colon, value = line.partition(b":")
        if not colon or not name or name.translate(None, _TOKEN) or len(value.translate(None, _FORBIDDEN)) < len(value):
            return _UNREADABLE
        field = name.lower(), value.strip(b" \t")
        return self.keep(line, field) if len(line) <= _LONGEST_KEPT_BYTES else field


class _StatusLines(Memo[bytes, int]):
    """Statuses by status line; 0 for a reply that is not final, has no body, or is none of HTTP/1.1."""

    __slots__ = ()

    def __missing__(self, line: bytes) -> int:
        number, _, reason = line[len(_VERSION) :].partition(b" ")
        plain = line.startswith(_VERSION) and len(number) == 3 and number.isdigit()
        if not plain or len(reason.translate(None, _FORBIDDEN)) < len(reason) or not 200 <= int(number) <= 599:
            return 0
        status = 0 if int(number) in UNFRAMED else int(number)
        return self.keep(line, status) if len(line) <= _LONGEST_KEPT_BYTES else status


_field_of = _FieldLines(_MOST_LINES).__getitem__
_status_of = _StatusLines(_MOST_STATUSES).__getitem__


def whole_response(data: bytes) -> WholeResponse | None:
    """Return the reply to a method other than HEAD that `data` is; None when it is anything else."""
    end = data.find(_END, 0, _LARGEST_HEAD_BYTES)
    if end < 0:
        return None
    start, *lines = data[:end].split(b"\r\n")
    status = _status_of(start)
    if not status or len(lines) > _MOST_FIELDS:
        return None
    fields = list(map(_field_of, lines))
    known = dict(fields)
    body = data[end + len(_END) :]
    if (
        known.get(b"content-length") != b"%d" % len(body)
        or len(known) != len(fields)
        or known.get(b"connection") not in _KEPT
        or not _OTHER_FRAMING.isdisjoint(known)
    ):
        return None
    return WholeResponse(
        status, fields, body, announced_idle_s(known[b"keep-alive"]) if b"keep-alive" in known else None
    )
