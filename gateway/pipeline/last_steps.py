"""The last steps before a reply is sent, for replies that some stage looks at once more."""

from collections.abc import Awaitable

from gateway.exchange import Exchange, Reply
from gateway.pipeline.parts import Parts
from gateway.stages.compress import compress
from gateway.stages.cors import add_cors
from gateway.upstream.call import BODY_PIECE_BYTES


def last_steps(parts: Parts, x: Exchange, reply: Reply) -> Awaitable[None] | None:
    """Add the fields of CORS, drop what is not needed any more of the answer, and compress the body.

    Return what has to be awaited for that, None for nothing.
    """
    if (cross_origin := parts.table.cross_origin) is not None:
        add_cors(reply, x, cross_origin)
    if x.answer is not None and len(x.answer.body) > BODY_PIECE_BYTES:
        x.answer.body = x.answer.body[: parts.read_ahead.kept_bytes]  # a slow client must not keep all of it
    compression = parts.table.compression if x.route is None else x.route.compression
    return None if compression is None else parts.at_last(x, compress(reply, x, compression, parts.compressor))
