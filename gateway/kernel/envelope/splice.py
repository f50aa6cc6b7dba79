"""Bodies too large to hold: passed into an envelope while they arrive, and checked on the way.

The envelope's first bytes are on their way to the client before its end is known. When the service fails, or its body
is not what it was declared to be, `read` raises: the edge cuts the connection, and the closing brackets are never sent.
"""

from codecs import IncrementalDecoder, getincrementaldecoder
from collections.abc import Iterator
from typing import Protocol

from gateway.kernel.envelope.charsets import codec_for
from gateway.kernel.envelope.json_scanner import Scanner
from gateway.kernel.envelope.raw_json import quote
from gateway.kernel.faults import UPSTREAM_BODY_INVALID, GatewayError
from gateway.kernel.http.content_coding import Decoder


class ByteSource(Protocol):
    """The source of the rest of a body (a Stream of gateway.upstream.call)."""

    @property
    def unread(self) -> int: ...
    async def read(self) -> bytes: ...
    def close(self) -> None: ...


class Pass(Protocol):
    """A transformation of a body. Both methods raise GatewayError."""

    def feed(self, data: bytes) -> bytes: ...
    def finish(self) -> bytes: ...


class CheckedJson:
    """Passes JSON on unchanged, and checks it."""

    def __init__(self) -> None:
        self._scanner = Scanner()

    def feed(self, data: bytes) -> bytes:
        self._scanner.feed(data)
        return data

    def finish(self) -> bytes:
        self._scanner.finish()
        return b""


class TranscodedJson:
    """Transcodes JSON from `charset`, a codec of Python, to UTF-8, and checks it."""

    def __init__(self, charset: str) -> None:
        self._charset = charset
        self._decoder: IncrementalDecoder | None = None
        self._scanner = Scanner()

    def feed(self, data: bytes) -> bytes:
        return self._passed(data, final=False)

    def finish(self) -> bytes:
        rest = self._passed(b"", final=True)
        self._scanner.finish()
        return rest

    def _passed(self, data: bytes, *, final: bool) -> bytes:
        if self._decoder is None:
            self._decoder = getincrementaldecoder(codec_for(self._charset, data[:4]))()
        text = _decoded(self._decoder, data, final=final).encode()
        self._scanner.feed(text)
        return text


class QuotedText:
    """Text as the inside of a JSON string, and its closing quote. `charset` is a codec of Python."""

    def __init__(self, charset: str) -> None:
        self._decoder = getincrementaldecoder(charset)()

    def feed(self, data: bytes) -> bytes:
        return self._quoted(data, final=False)

    def finish(self) -> bytes:
        return self._quoted(b"", final=True) + b'"'

    def _quoted(self, data: bytes, *, final: bool) -> bytes:
        return quote(_decoded(self._decoder, data, final=final))[1:-1]


def quoted_text(body: bytes, charset: str) -> bytes:
    """Return a whole text in `charset` as a JSON string, b"" for an empty text."""
    quoted = QuotedText(charset)
    text = quoted.feed(body) + quoted.finish()
    return b'"' + text if len(text) > 1 else b""


class Spliced:
    """The rest of a body on its way into an envelope: decoded, then passed through `way`.

    `pieces` is what has arrived and is decoded, but has not passed through `way`; `decoder` is None when the body is
    not coded.
    """

    def __init__(self, source: ByteSource, decoder: Decoder | None, pieces: Iterator[bytes], way: Pass) -> None:
        self._source = source
        self._decoder = decoder
        self._pieces = pieces
        self._way = way
        self._ended = False

    @property
    def unread(self) -> int:
        """The number of bytes of the source that have arrived."""
        return self._source.unread

    async def read(self) -> bytes:
        """Return the next piece, b"" at the end.

        Raises GatewayError when the body breaks off or is not what it should be.
        """
        try:
            while not self._ended:
                out = await self._step()
                if out:
                    return out
        except GatewayError:
            self.close()
            raise
        return b""

    def close(self) -> None:
        """Give up the rest of the body."""
        self._ended = True
        self._source.close()

    async def _step(self) -> bytes:
        piece = next(self._pieces, None)
        if piece is not None:
            return self._way.feed(piece)
        data = await self._source.read()
        if not data:
            self._ended = True
            if self._decoder is not None:
                self._decoder.finish()
            return self._way.finish()
        if self._decoder is None:
            return self._way.feed(data)
        self._pieces = self._decoder.feed(data)
        return b""


def _decoded(decoder: IncrementalDecoder, data: bytes, *, final: bool) -> str:
    try:
        return decoder.decode(data, final)
    except UnicodeError as error:  # UTF-16 without its mark is no UnicodeDecodeError
        raise GatewayError(UPSTREAM_BODY_INVALID, cause="text is not in its charset") from error
