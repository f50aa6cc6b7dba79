"""kernel/http/content_coding.py: codings are undone, to the last byte and no further, at a bounded price."""

import gzip
import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]  # it has no stubs
import pytest
import zstandard

from gateway.kernel.faults import UPSTREAM_BODY_TOO_LARGE, UPSTREAM_CODING_INVALID, Fault, GatewayError
from gateway.kernel.http.content_coding import PIECE_BYTES, Decoder, decode, decoder, is_coded

PLAIN = bytes(range(256)) * 1500 + b'{"end":true}'
MIB = 1 << 20


def _raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


CODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "X-GZIP": gzip.compress,
    "deflate": zlib.compress,
    " Deflate ": _raw_deflate,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}
EACH = pytest.mark.parametrize("coding", CODERS)


@EACH
def test_a_whole_body(coding: str) -> None:
    assert decode(CODERS[coding](PLAIN), coding.encode(), len(PLAIN)) == PLAIN


@EACH
@pytest.mark.parametrize("step", [1, 7, 1000])
def test_piece_by_piece(coding: str, step: int) -> None:
    coded = CODERS[coding](PLAIN)
    chain = decoder(coding.encode())
    assert b"".join(piece for at in range(0, len(coded), step) for piece in chain.feed(coded[at : at + step])) == PLAIN
    chain.finish()


@EACH
def test_a_body_of_a_few_bytes(coding: str) -> None:
    assert decode(CODERS[coding](b"{}"), coding.encode(), 10) == b"{}"


@EACH
@pytest.mark.parametrize("cut", [1, 2, 3, 9])
def test_cut_off(coding: str, cut: int) -> None:
    assert _fault(CODERS[coding](PLAIN)[:-cut], coding) is UPSTREAM_CODING_INVALID
    assert _fault(CODERS[coding](PLAIN)[:1], coding) is UPSTREAM_CODING_INVALID


@EACH
def test_followed_by_something(coding: str) -> None:
    assert _fault(CODERS[coding](PLAIN) + b"garbage", coding) is UPSTREAM_CODING_INVALID


@EACH
def test_followed_by_something_later(coding: str) -> None:
    chain = decoder(coding.encode())
    assert b"".join(chain.feed(CODERS[coding](PLAIN))) == PLAIN
    with pytest.raises(GatewayError) as refused:
        _read_on(chain, b"garbage")
    assert refused.value.fault is UPSTREAM_CODING_INVALID


@EACH
def test_something_else(coding: str) -> None:
    assert _fault(b'{"not":"coded"}', coding) is UPSTREAM_CODING_INVALID


@EACH
def test_a_bomb_costs_no_memory(coding: str) -> None:
    bomb = CODERS[coding](bytes(24 * MIB))
    assert _fault(bomb, coding, 8 * MIB) is UPSTREAM_BODY_TOO_LARGE
    sizes: list[int] = []
    with pytest.raises(GatewayError) as refused:
        sizes.extend(len(piece) for piece in decoder(coding.encode()).feed(bomb))
    assert refused.value.fault is UPSTREAM_BODY_TOO_LARGE
    assert max(sizes) <= 12 * MIB


@pytest.mark.parametrize("size", [PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES])
@EACH
def test_around_a_full_piece(coding: str, size: int) -> None:
    assert decode(CODERS[coding](b"x" * size), coding.encode(), size) == b"x" * size


def test_members_and_frames_follow_one_another() -> None:
    assert decode(gzip.compress(b"a", mtime=0) + gzip.compress(b"b", mtime=0), b"gzip", 10) == b"ab"
    assert decode(CODERS["zstd"](b"a") + CODERS["zstd"](b"b"), b"zstd", 10) == b"ab"


def test_stacked() -> None:
    coded = brotli.compress(gzip.compress(PLAIN, mtime=0))
    assert decode(coded, b"gzip, identity, br", len(PLAIN)) == PLAIN
    assert _fault(coded[:-1], "gzip, br") is UPSTREAM_CODING_INVALID
    assert _fault(brotli.compress(gzip.compress(PLAIN, mtime=0)[:-1]), "gzip, br") is UPSTREAM_CODING_INVALID
    assert _fault(coded, "gzip, gzip, gzip, gzip") is UPSTREAM_CODING_INVALID


@pytest.mark.parametrize("coding", ["compress", "gzip, pack200", "gzip;q=1", "\xff"])
def test_unknown(coding: str) -> None:
    assert _fault(b"x", coding) is UPSTREAM_CODING_INVALID


def test_empty_is_empty_in_every_coding() -> None:
    assert decode(b"", b"gzip", 0) == b""


@pytest.mark.parametrize(
    ("codings", "coded"),
    [
        (b"", False),
        (b"identity", False),
        (b" Identity , ", False),
        (b"gzip", True),
        (b"compress", True),
        (b"utf-8", False),
        (b"aws-chunked, none", False),
        (b"binary,gzip", True),
    ],
)
def test_is_coded(codings: bytes, *, coded: bool) -> None:
    assert is_coded(codings) is coded


def _read_on(chain: Decoder, data: bytes) -> None:
    for _ in chain.feed(data):
        pass
    chain.finish()


def _fault(coded: bytes, coding: str, most_bytes: int = 10 * MIB) -> Fault:
    with pytest.raises(GatewayError) as refused:
        decode(coded, coding.encode("latin-1"), most_bytes)
    return refused.value.fault


@pytest.mark.parametrize(
    ("coding", "unit"),
    [
        ("gzip", gzip.compress(b"", mtime=0)),
        ("zstd", CODERS["zstd"](b"")),
        ("zstd", b"\x50\x2a\x4d\x18\0\0\0\0"),
        ("deflate", b"\0\0\0\xff\xff"),
    ],
)
def test_what_yields_nothing_is_given_up(coding: str, unit: bytes) -> None:
    assert _fault(unit * (64 * 1024 // len(unit)), coding) is UPSTREAM_CODING_INVALID
    assert _fault(gzip.compress(unit * (64 * 1024 // len(unit)), mtime=0), f"{coding}, gzip") is UPSTREAM_CODING_INVALID


def test_many_small_members_are_read() -> None:
    assert decode(gzip.compress(b"0123456789", mtime=0) * 5000, b"gzip", MIB) == b"0123456789" * 5000
    assert decode(gzip.compress(b"", mtime=0) * 100, b"gzip", MIB) == b""
