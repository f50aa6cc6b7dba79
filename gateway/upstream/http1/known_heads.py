"""Remembers heads of replies that were parsed, because the heads of one service differ in little.

Law: a head is remembered with what `ResponseParser` made of exactly these bytes at the beginning of a reply, and only
if that announced its length, kept the connection and left no doubt. The same bytes mean the same again. A reply that is
recognised ends where its head says: anything shorter or longer is parsed. A head that sets a cookie is not remembered:
it is for one client, and the cookie is often all that is needed to speak for that client.
"""

import msgspec

from gateway.kernel.memo import Memo
from gateway.upstream.call import Fields
from gateway.upstream.http1.response_parser import ResponseParser

_MOST_HEADS = 2048
_LARGEST_HEAD_BYTES = 1024
_BLANK = b"\r\n\r\n"


class KnownHead(msgspec.Struct, frozen=True, gc=False):
    """What a head says. All replies with this head share `fields`.

    `text` is all of it, with the empty line at its end. `length` is that of the body in bytes, `size_bytes` that of the
    whole reply, and its body begins at the `end` of the head.
    """

    text: bytes
    status: int
    fields: Fields
    length: int
    size_bytes: int
    end: int
    idle_hint_s: float | None


NO_HEAD = KnownHead(b"", 0, [], 0, -1, 0, None)
"""Stands where no head is known yet: no reply has its size."""
KNOWN_HEADS: Memo[bytes, KnownHead] = Memo(_MOST_HEADS)
"""By the bytes of the head, the empty line at its end included, so that they are known to be all of it."""


def known_head(data: bytes, likely_bytes: int) -> KnownHead | None:
    """Return the head of the whole reply that `data` is; None when it must be parsed.

    A head of `likely_bytes` is found without a search for its end.
    """
    head = KNOWN_HEADS.get(data[:likely_bytes])
    if head is None or head.size_bytes != len(data):
        head = KNOWN_HEADS.get(data[: data.find(_BLANK, 0, _LARGEST_HEAD_BYTES) + len(_BLANK)])
    return head if head is not None and head.size_bytes == len(data) else None


def remember(data: bytes, reply: ResponseParser) -> None:
    """Remember the head of the complete `reply`, which `data` was all of, if it is one to be recognised."""
    size, end = len(data), data.find(_BLANK, 0, _LARGEST_HEAD_BYTES) + len(_BLANK)
    certain = reply.keep and reply.clean and not reply.ambiguous
    if certain and end > len(_BLANK) and reply.length == size - end and b"set-cookie" not in dict(reply.fields):
        head = data[:end]
        known = KnownHead(head, reply.status, reply.fields, reply.length, size, end, reply.idle_hint_s)
        KNOWN_HEADS.keep(head, known)
