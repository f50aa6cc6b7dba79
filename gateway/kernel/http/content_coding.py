"""Decodes bodies that a service has coded without being asked to, in constant memory and bounded time.

Laws:
1. A coded body ends where its coding says so: what is cut off, or followed by anything, is invalid (rule 8).
2. Nothing is ever inflated by more than a piece at a time, so a bomb costs time, not memory; and it is cut off early.
3. Time is linear in what comes in and what goes out. A decoder is given a slice at a time, because it copies what it
   has not used
   at every member, frame and full piece; and each coding has to yield something for what it takes, because empty
   members, skippable frames, metadata and empty blocks cost time without limit and come to no output that could be
   rationed.
"""

import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

import brotli  # type: ignore[import-untyped]  # it has no stubs
import zstandard

from gateway.kernel.faults import UPSTREAM_BODY_TOO_LARGE, UPSTREAM_CODING_INVALID, GatewayError

PIECE_BYTES = 65_536
"""The number of bytes that are inflated at once."""

MOST_CODINGS = 3
"""The most codings that are applied one after another. Services use one."""

RATIO, RATIO_FROM_BYTES = 200, 16 * 1024 * 1024
"""A stream that inflated to more than the second may not be more than the first times its coded size.

JSON does not reach 50.
"""

_SLICE_BYTES = 4096
"""The number of bytes that a decoder is given at once."""

_GROWTH, _GROWTH_FROM_BYTES = 4, 16 * 1024
"""How many times its decoded size a coding may have beyond the second constant, in bytes.

Text that is flushed word by word does not reach it.
"""

_ZSTD_INPUT_BYTES = 128
"""The input of zstd at once, which has no limit of its output: a block has 3 bytes or more, and at most 128 KiB of
output.
"""

_ZSTD_WINDOW_BYTES = 8 * 1024 * 1024
"""The largest window that a content coding may use (RFC 9659 3)."""


class Decoder(Protocol):
    """Undoes one coding, or several, of a body that comes in pieces."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the decoded pieces of `data`. Raises GatewayError UPSTREAM_CODING_INVALID."""
        ...

    def finish(self) -> None:
        """Note that the body has ended. Raises GatewayError UPSTREAM_CODING_INVALID when there should be."""
        ...


class _Zlib:
    """gzip (RFC 1952, any number of members) and deflate (RFC 1950, or RFC 1951 as some send it)."""

    def __init__(self, window_bits: int) -> None:
        self._window_bits = window_bits
        self._inflater = zlib.decompressobj(window_bits)
        self._first = b""
        self._begun = window_bits > zlib.MAX_WBITS

    def feed(self, data: bytes) -> Iterator[bytes]:
        if not self._begun:
            data = self._first = self._first + data
            if len(data) < 2:
                return
            self._begun = True
            # RFC 1950, 2.2: the low half of the first byte is 8, and both bytes together are a multiple of 31.
            if data[0] & 0x0F != 8 or int.from_bytes(data[:2], "big") % 31:
                self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        full = False
        while data or full:
            if self._inflater.eof:
                if self._window_bits <= zlib.MAX_WBITS:
                    raise GatewayError(UPSTREAM_CODING_INVALID, cause="deflate: data after the end")
                self._inflater = zlib.decompressobj(self._window_bits)
            try:
                piece = self._inflater.decompress(data, PIECE_BYTES)
            except zlib.error as error:
                raise GatewayError(UPSTREAM_CODING_INVALID, cause=str(error)) from error
            ended = self._inflater.eof
            data = self._inflater.unused_data if ended else self._inflater.unconsumed_tail
            full = len(piece) == PIECE_BYTES and not ended
            if piece:
                yield piece

    def finish(self) -> None:
        _must_have_ended(ended=self._inflater.eof)


class _Brotli:
    """RFC 7932."""

    def __init__(self) -> None:
        self._inflater = brotli.Decompressor()

    def feed(self, data: bytes) -> Iterator[bytes]:
        while True:
            try:
                piece = self._inflater.process(data, output_buffer_limit=PIECE_BYTES)
            except brotli.error as error:
                raise GatewayError(UPSTREAM_CODING_INVALID, cause=str(error)) from error
            data = b""
            if not piece:
                return
            yield piece

    def finish(self) -> None:
        _must_have_ended(ended=self._inflater.is_finished())


class _Zstd:
    """RFC 8878, any number of frames."""

    def __init__(self) -> None:
        self._maker = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
        self._inflater = self._maker.decompressobj()

    def feed(self, data: bytes) -> Iterator[bytes]:
        for at in range(0, len(data), _ZSTD_INPUT_BYTES):
            rest = data[at : at + _ZSTD_INPUT_BYTES]
            while rest:
                if self._inflater.eof:
                    self._inflater = self._maker.decompressobj()
                try:
                    piece = self._inflater.decompress(rest)
                except zstandard.ZstdError as error:
                    raise GatewayError(UPSTREAM_CODING_INVALID, cause=str(error)) from error
                rest = self._inflater.unused_data
                if piece:
                    yield piece

    def finish(self) -> None:
        _must_have_ended(ended=self._inflater.eof)


class _Layer:
    """One coding, which is fed slices and must yield something for each. Small pieces are joined."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._coded = self._decoded = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        for at in range(0, len(data), _SLICE_BYTES):
            part = data[at : at + _SLICE_BYTES]
            self._coded += len(part)
            pieces: list[bytes] = []
            size = 0
            for piece in self._decoder.feed(part):
                pieces.append(piece)
                size += len(piece)
                if size >= PIECE_BYTES:
                    self._decoded += size
                    yield b"".join(pieces)
                    pieces, size = [], 0
            self._decoded += size
            if size:
                yield b"".join(pieces)
            if self._coded > _GROWTH_FROM_BYTES + _GROWTH * self._decoded:
                raise GatewayError(UPSTREAM_CODING_INVALID, cause="the coding is many times as large as what it codes")

    def finish(self) -> None:
        self._decoder.finish()


class _Stacked:
    """`outer` was applied last, so it is undone first."""

    def __init__(self, outer: Decoder, inner: Decoder) -> None:
        self._outer = outer
        self._inner = inner

    def feed(self, data: bytes) -> Iterator[bytes]:
        for piece in self._outer.feed(data):
            yield from self._inner.feed(piece)

    def finish(self) -> None:
        self._outer.finish()
        self._inner.finish()


class Rationed:
    """A decoder that refuses bodies that grow too much when they are decoded.

    `most_bytes` is how much it decodes at most; None sets the bound of `RATIO`.
    """

    def __init__(self, decoder: Decoder, most_bytes: int | None) -> None:
        self._decoder = decoder
        self._most_bytes = most_bytes
        self._coded = self._decoded = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """See `Decoder.feed`. Raises GatewayError UPSTREAM_BODY_TOO_LARGE too."""
        self._coded += len(data)
        most = max(RATIO_FROM_BYTES, RATIO * self._coded) if self._most_bytes is None else self._most_bytes
        for piece in self._decoder.feed(data):
            self._decoded += len(piece)
            if self._decoded > most:
                raise GatewayError(UPSTREAM_BODY_TOO_LARGE, cause=f"more than {most} bytes when decoded")
            yield piece

    def finish(self) -> None:
        """See `Decoder.finish`."""
        self._decoder.finish()


_DECODERS: dict[str, Callable[[], Decoder]] = {
    "gzip": lambda: _Zlib(16 + zlib.MAX_WBITS),
    "x-gzip": lambda: _Zlib(16 + zlib.MAX_WBITS),
    "deflate": lambda: _Zlib(zlib.MAX_WBITS),
    "br": _Brotli,
    "zstd": _Zstd,
}


_UNDONE_BY_NOBODY = frozenset({
    "compress", "x-compress", "exi", "pack200", "pack200-gzip", "aes128gcm", "dcb", "dcz", "bzip2", "x-bzip2", "bz2",
    "lzma", "xz", "x-xz", "lz4", "snappy", "x-snappy", "x-snappy-framed", "sdch", "br64",
})  # fmt: skip
"""Codings that exist and are not known here.

Any other word is no coding: a charset, `none`, `aws-chunked` … and means nothing.
"""


def is_coded(codings: bytes) -> bool:
    """Return whether `codings`, a Content-Encoding, names any coding but identity."""
    return bool(_names(codings))


def decoder(codings: bytes, most_bytes: int | None = None) -> Decoder:
    """Undo `codings`, a Content-Encoding that is more than identity. `most_bytes` as in `Rationed`.

    Raises GatewayError UPSTREAM_CODING_INVALID for a coding that is not known.
    """
    names = _names(codings)
    if not 0 < len(names) <= MOST_CODINGS or any(name not in _DECODERS for name in names):
        raise GatewayError(UPSTREAM_CODING_INVALID, cause=f"coding not known: {codings.decode('latin-1')[:100]}")
    chain: Decoder = _Layer(_DECODERS[names[0]]())
    for name in names[1:]:
        chain = _Stacked(_Layer(_DECODERS[name]()), chain)
    return Rationed(chain, most_bytes)


def decode(body: bytes, codings: bytes, most_bytes: int) -> bytes:
    """Return a whole body decoded. An empty body is empty in every coding.

    Raises GatewayError: UPSTREAM_CODING_INVALID, UPSTREAM_BODY_TOO_LARGE.
    """
    if not body:
        return body
    chain = decoder(codings, most_bytes)
    decoded = b"".join(chain.feed(body))
    chain.finish()
    return decoded


def _names(codings: bytes) -> list[str]:
    names = map(str.strip, codings.decode("latin-1").lower().split(","))
    return [name for name in names if name in _DECODERS or name in _UNDONE_BY_NOBODY]


def _must_have_ended(*, ended: bool) -> None:
    if not ended:
        raise GatewayError(UPSTREAM_CODING_INVALID, cause="cut off")
