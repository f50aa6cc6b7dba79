"""What aiohttp's parser makes of the bytes of a request, and whether a plain request is read alike."""

import asyncio
import os
from typing import Any

from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpRequestParser
from aiohttp.streams import EMPTY_PAYLOAD

from gateway.edge.plain_request import PlainRequest, PlainRequestReader, plain_request

MOST_BYTES = 8190
Read = tuple[str, str, str, tuple[tuple[bytes, bytes], ...], bytes, bool]


_LOOP = asyncio.new_event_loop()
_LOOP.close()  # the parser keeps it for its payloads, and never runs it


def by_parser(data: bytes) -> Read | None:
    """What aiohttp's parser makes of the same bytes, None where it is not exactly one whole request."""
    parser = HttpRequestParser(BaseProtocol(_LOOP), _LOOP, 1 << 16, max_line_size=8190, max_field_size=8190)
    try:
        messages, upgraded, rest = parser.feed_data(data)
    except Exception:
        return None
    if len(messages) != 1 or upgraded or rest:
        return None
    message: Any
    ((message, payload),) = messages
    if not payload.is_eof() or message.version != (1, 1) or message.chunked or message.upgrade:
        return None
    body = b"" if payload is EMPTY_PAYLOAD else bytes(payload.read_nowait())
    path, _, query = message.path.partition("?")
    return message.method, path, query, message.raw_headers, body, not message.should_close


READER = PlainRequestReader(MOST_BYTES, os.urandom, lambda _host: True)
"""One for all comparisons: it recognises field lines of other requests."""


def compare(data: bytes) -> bool:
    """Whether it is taken as a plain request, also when its field lines come again and again."""
    plain = _read(plain_request(data, MOST_BYTES))
    for _ in range(3):
        assert _read(READER.read(data)) == plain
    if plain is None:
        return False
    assert plain == by_parser(data)
    return True


def _read(plain: PlainRequest | None) -> Read | None:
    if plain is None:
        return None
    line = plain.line
    return line.method, line.path, line.query, plain.headers.raw, plain.body, plain.keep
