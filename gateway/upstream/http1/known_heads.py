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

    `length` is that of the body in bytes, and `size_bytes` that of the whole reply.
    """

    status: int
    fields: Fields
    length: int
    size_bytes: int
    idle_hint_s: float | None


_known: Memo[bytes, KnownHead] = Memo(_MOST_HEADS)


def known_head(data: bytes) -> KnownHead | None:
    """Return the head of the whole reply that `data` is; None when it must be parsed."""
    head = _known.get(data[: data.find(_BLANK, 0, _LARGEST_HEAD_BYTES)])
    return head if head is not None and head.size_bytes == len(data) else None


def remember(data: bytes, reply: ResponseParser) -> None:
    """Remember the head of the complete `reply`, which `data` was all of, if it is one to be recognised."""
    end = data.find(_BLANK, 0, _LARGEST_HEAD_BYTES)
    certain = reply.keep and reply.clean and not reply.ambiguous
    if (
        certain
        and end > 0
        and reply.length == len(data) - end - len(_BLANK)
        and b"set-cookie" not in dict(reply.fields)
    ):
        _known.keep(data[:end], KnownHead(reply.status, reply.fields, reply.length, len(data), reply.idle_hint_s))
