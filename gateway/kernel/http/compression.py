"""Decides whether a reply is compressed, and in which content coding (RFC 9110 8.4 and 12.5.3).

Laws: a reply that has a coding, is a part of a body, or must not be transformed (RFC 9110 7.7, `no-transform`) stays as
it is. Events are never compressed, because a coding holds back what it has not finished. A coded body has another
strong validator and other digests than the plain one.
"""

import zlib
from typing import Literal, Protocol, TypeAlias

import brotli  # type: ignore[import-untyped]  # it has no stubs
import msgspec
import zstandard

from gateway.kernel.http.accept import weights
from gateway.kernel.http.caching import VARY, varying
from gateway.kernel.http.response_headers import Line
from gateway.kernel.memo import Memo

Coding: TypeAlias = Literal["zstd", "br", "gzip"]

_ACCEPT_ENCODING = "Accept-Encoding"
_ZSTD_LEVEL, _BROTLI_QUALITY, _ZLIB_LEVEL = 3, 4, 5
_BROTLI_WINDOW_BITS = 20
"""1 MiB: the default takes four times as much memory for each reply."""
_GZIP_WINDOW_BITS = 16 + zlib.MAX_WBITS

_MOST_NAMES = 32
"""The most names in Accept-Encoding that are read. Browsers send four."""
_REMEMBERED, _LONGEST_REMEMBERED = 256, 128
"""Values of Accept-Encoding whose coding is remembered, and the characters of the longest."""

_TYPES = frozenset(
    {
        *("application/json", "application/javascript", "application/ecmascript", "application/xml"),
        *("application/xhtml+xml", "application/graphql", "application/x-ndjson", "application/jsonlines"),
        *("application/yaml", "application/wasm", "application/manifest+json", "application/x-www-form-urlencoded"),
        *("image/svg+xml", "image/bmp", "font/ttf", "font/otf", "application/vnd.ms-fontobject"),
    }
)
_OF_A_PLAIN_BODY = frozenset({"content-md5", "digest", "content-digest", "repr-digest", "accept-ranges"})
"""Fields that do not hold for the coded body."""


class CompressionRules(msgspec.Struct, frozen=True):
    """The compression of a route: bodies of `min_bytes` and more, in `codings` in order of preference."""

    codings: tuple[Coding, ...]
    min_bytes: int


class Encoder(Protocol):
    """Codes a body that comes in pieces."""

    def compress(self, data: bytes, /) -> bytes:
        """Return what is finished by now, perhaps nothing."""
        ...

    def flush(self) -> bytes:
        """Return the rest, at the end of the body."""
        ...


class _Brotli:
    def __init__(self) -> None:
        self._compressor = brotli.Compressor(quality=_BROTLI_QUALITY, lgwin=_BROTLI_WINDOW_BITS)

    def compress(self, data: bytes, /) -> bytes:
        coded: bytes = self._compressor.process(data)
        return coded

    def flush(self) -> bytes:
        coded: bytes = self._compressor.finish()
        return coded


def encoder(coding: Coding) -> Encoder:
    """Return a new encoder, which one thread at a time may use."""
    if coding == "zstd":
        return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compressobj()
    return _Brotli() if coding == "br" else zlib.compressobj(_ZLIB_LEVEL, wbits=_GZIP_WINDOW_BITS)


def compressed(parts: tuple[bytes, ...], coding: Coding) -> bytes:
    """Return `parts` as one coded body."""
    one = encoder(coding)
    return b"".join([*[one.compress(part) for part in parts], one.flush()])


_choices: Memo[tuple[str, tuple[Coding, ...]], Coding | None] = Memo(_REMEMBERED)


def preferred(accepted: str, codings: tuple[Coding, ...]) -> Coding | None:
    """Return the best of `codings` for a client with the Accept-Encoding `accepted`; None: the body as it is.

    The highest weight wins, of equal ones the first in `codings`. `*` stands for what is not named (RFC 9110 12.5.3).
    A client that wants `identity` more than any coding gets it.
    """
    if len(accepted) > _LONGEST_REMEMBERED:
        return _preferred(accepted, codings)
    choice = (accepted, codings)
    return _choices[choice] if choice in _choices else _choices.keep(choice, _preferred(accepted, codings))


def _preferred(accepted: str, codings: tuple[Coding, ...]) -> Coding | None:
    wanted = weights(accepted, _MOST_NAMES)
    if "x-gzip" in wanted:  # RFC 9110 8.4.1.3
        wanted.setdefault("gzip", wanted["x-gzip"])
    others = wanted.get("*", 0.0)
    best = max(codings, key=lambda coding: wanted.get(coding, others))
    weight = wanted.get(best, others)
    return best if weight > 0 and weight >= wanted.get("identity", 0.0) else None


def gains(content_type: str) -> bool:
    """Return whether bodies of this media type become smaller, and need not be passed on at once."""
    name = content_type.partition(";")[0].strip().lower()
    if name.startswith("text/"):
        return name != "text/event-stream"
    return name in _TYPES or name.endswith(("+json", "+xml", "+yaml"))


def forbids_transformation(cache_control: str) -> bool:
    return "no-transform" in cache_control.lower()


def is_compressible(fields: list[Line], status: int) -> bool:
    """Return whether the body of a reply with these header fields may be coded. A 304 has no type of its own."""
    named = False
    for name, value in fields:
        lower = name.lower()
        if lower == "content-type":
            named = gains(value)
            if not named:
                return False
        elif lower in ("content-encoding", "content-range") or (
            lower == "cache-control" and forbids_transformation(value)
        ):
            return False
    return named or status == 304


def varied(fields: list[Line]) -> list[Line]:
    """Return `fields` with Accept-Encoding in Vary."""
    before = [value for name, value in fields if name.lower() == "vary"]
    others = [line for line in fields if line[0].lower() != "vary"] if before else fields
    return [*others, (VARY, varying(", ".join(before), _ACCEPT_ENCODING))]


def coded_fields(fields: list[Line], coding: Coding | None) -> list[Line]:
    """Return `fields` for a body in `coding`: strong entity tags are weak, and digests of the plain body are removed.

    None is for replies that stand for a coded body and have none themselves.
    """
    kept = [
        (name, f"W/{value}" if name.lower() == "etag" and not value.startswith("W/") else value)
        for name, value in fields
        if name.lower() not in _OF_A_PLAIN_BODY
    ]
    return kept if coding is None else [*kept, ("Content-Encoding", coding)]
