"""Compresses replies for clients that accept it, on routes that say so.

What is decided about the fields also holds for HEAD and for 304, as far as it is known without a body (RFC 9110 9.3.2).
"""

from gateway.exchange import Coded, Exchange, Reply
from gateway.kernel.http.compression import (
    Coding,
    CompressionRules,
    coded_fields,
    encoder,
    forbids_transformation,
    is_compressible,
    preferred,
    varied,
)
from gateway.kernel.http.response_headers import SHARED
from gateway.kernel.http.status_rules import WITHOUT_BODY
from gateway.net.compressor import Compressor
from gateway.upstream.call import Stream

_PARTIAL, _NOT_MODIFIED = 206, 304


async def compress(reply: Reply, x: Exchange, rules: CompressionRules, compressor: Compressor) -> None:
    """Replace fields and body of `reply` by those for the client of `x`, and note in `x` what that has saved."""
    status = reply.status
    if status == _PARTIAL or (status in WITHOUT_BODY and status != _NOT_MODIFIED):
        return
    if not is_compressible(reply.fields, status) or _service_forbids(x):
        return
    reply.fields = varied(reply.fields)
    coding = preferred(", ".join(x.headers.getall("Accept-Encoding", [])), rules.codings)
    if coding is None:
        return
    if x.method == "HEAD" or status == _NOT_MODIFIED:
        _announce(reply, rules, coding)
    elif reply.stream is not None:
        if reply.length is not None and reply.length >= rules.min_bytes:
            _stream(reply, reply.stream, x, coding, compressor)
    else:
        await _whole(reply, x, rules, coding, compressor)


def _service_forbids(x: Exchange) -> bool:
    """Return whether the service's own Cache-Control, which a route may replace, has no-transform."""
    if x.cache is not None and x.cache.no_transform:
        return True
    return (
        x.answer is not None
        and bool(x.answer.marks & SHARED)
        and any(
            name == b"cache-control" and forbids_transformation(value.decode("latin-1"))
            for name, value in x.answer.fields
        )
    )


def _size(reply: Reply) -> int:
    return len(reply.body) + len(reply.content) + len(reply.tail)


def _announce(reply: Reply, rules: CompressionRules, coding: Coding) -> None:
    """Give a reply without a body the fields of the one that GET gets. The length of a coded body is not known."""
    length = reply.length if reply.length is not None else _size(reply)
    if reply.status == _NOT_MODIFIED:
        reply.fields = coded_fields(reply.fields, None)
    elif length >= rules.min_bytes:
        reply.fields = coded_fields(reply.fields, coding)
        reply.body = reply.content = reply.tail = b""
        reply.length = None


async def _whole(reply: Reply, x: Exchange, rules: CompressionRules, coding: Coding, compressor: Compressor) -> None:
    size = _size(reply)
    if size < rules.min_bytes:
        return
    coded = await compressor.compress((reply.body, reply.content, reply.tail), size, coding)
    if coded is not None and len(coded) < size:
        reply.fields = coded_fields(reply.fields, coding)
        reply.body, reply.content, reply.tail, reply.length = coded, b"", b"", None
        x.coded = Coded(coding, size, len(coded))


def _stream(reply: Reply, stream: Stream, x: Exchange, coding: Coding, compressor: Compressor) -> None:
    """Compress a body of known length while it is passed on. One without may have parts that must flow."""
    coded = x.coded = Coded(coding, 0, 0)
    reply.stream = CompressedStream(stream, reply.body, reply.tail, coded, compressor)
    reply.fields = coded_fields(reply.fields, coding)
    reply.body, reply.tail, reply.length = b"", b"", None


class CompressedStream:
    """A Stream of `first`, the pieces of `stream` and `tail`, in the coding of `coded`, which counts their bytes."""

    __slots__ = ("_coded", "_compressor", "_encoder", "_first", "_stream", "_tail")

    def __init__(self, stream: Stream, first: bytes, tail: bytes, coded: Coded, compressor: Compressor) -> None:
        self._stream = stream
        self._first = first
        self._tail: bytes | None = tail
        self._coded = coded
        self._encoder = encoder(coded.coding)
        self._compressor = compressor

    @property
    def unread(self) -> int:
        return self._stream.unread

    async def read(self) -> bytes:
        while self._tail is not None:
            piece, self._first = self._first or await self._stream.read(), b""
            self._coded.plain_bytes += len(piece)
            if piece:
                data = await self._compressor.feed(self._encoder, piece)
            else:
                self._coded.plain_bytes += len(self._tail)
                data = self._encoder.compress(self._tail) + self._encoder.flush()
                self._tail = None
            self._coded.coded_bytes += len(data)
            if data:
                return data
        return b""

    def close(self) -> None:
        self._stream.close()
