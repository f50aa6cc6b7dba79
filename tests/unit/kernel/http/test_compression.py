"""kernel/http/compression.py: which replies are compressed, and in which content coding."""

import gzip

import brotli  # type: ignore[import-untyped]  # it has no stubs
import pytest
import zstandard

from gateway.kernel.http.compression import (
    Coding,
    coded_fields,
    compressed,
    encoder,
    forbids_transformation,
    gains,
    is_compressible,
    preferred,
    varied,
)
from gateway.kernel.http.content_coding import decode
from gateway.kernel.http.response_headers import Line

ALL: tuple[Coding, ...] = ("zstd", "br", "gzip")


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("", None),
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("gzip;q=0, x-gzip", None),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, br", "br"),
        ("gzip;q=1.0, br;q=0.8", "gzip"),
        ("*", "zstd"),
        ("zstd;q=0, *", "br"),
        ("*;q=0", None),
        ("identity", None),
        ("identity;q=0.5, gzip;q=0.4", None),
        ("identity;q=0.5, gzip;q=0.5", "gzip"),
        ("identity;q=0", None),
        ("deflate", None),
        ("GZIP ; Q=0.001", "gzip"),
        ("gzip;q=nothing", "gzip"),
        (", ".join(f"x{number}" for number in range(40)) + ", gzip", None),
        ("gzip," + "x" * 200, "gzip"),
    ],
)
def test_the_coding_that_a_client_prefers(accepted: str, coding: Coding | None) -> None:
    assert preferred(accepted, ALL) == coding
    assert preferred(accepted, ALL) == coding  # what is remembered is the same


def test_codings_that_are_not_offered_are_not_chosen() -> None:
    assert preferred("zstd, br, gzip;q=0.1", ("gzip",)) == "gzip"


@pytest.mark.parametrize("coding", ALL)
def test_every_coding_can_be_undone_by_others(coding: Coding) -> None:
    parts = (b'{"requestId":"', b"0123456789" * 10_000, b'"}')
    coded = compressed(parts, coding)
    undone = {
        "gzip": gzip.decompress,
        "br": brotli.decompress,
        "zstd": zstandard.ZstdDecompressor().decompressobj().decompress,
    }
    assert undone[coding](coded) == b"".join(parts) == decode(coded, coding.encode(), 1 << 20)
    assert len(coded) < 1000


@pytest.mark.parametrize("coding", ALL)
def test_a_body_may_come_in_pieces(coding: Coding) -> None:
    one = encoder(coding)
    pieces = [b"a" * 70_000, b"", b"b"]
    coded = b"".join([*[one.compress(piece) for piece in pieces], one.flush()])
    assert decode(coded, coding.encode(), 1 << 20) == b"".join(pieces)


@pytest.mark.parametrize(
    ("content_type", "wanted"),
    [
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("application/problem+json", True),
        ("text/html;charset=utf-8", True),
        ("text/event-stream", False),
        ("text/event-stream; charset=utf-8", False),
        ("image/png", False),
        ("image/svg+xml", True),
        ("application/octet-stream", False),
        ("application/zip", False),
        ("", False),
    ],
)
def test_types_that_gain(content_type: str, *, wanted: bool) -> None:
    assert gains(content_type) is wanted


JSON: Line = ("Content-Type", "application/json")


@pytest.mark.parametrize(
    ("fields", "status", "wanted"),
    [
        ([JSON], 200, True),
        ([JSON, ("Content-Encoding", "gzip")], 200, False),
        ([JSON, ("content-range", "bytes 0-1/2")], 200, False),
        ([JSON, ("Cache-Control", "max-age=1, No-Transform")], 200, False),
        ([JSON, ("Cache-Control", "private"), ("ETag", '"a"')], 200, True),
        ([("Content-Type", "image/png")], 200, False),
        ([], 200, False),
        ([], 304, True),
        ([("Cache-Control", "no-transform")], 304, False),
    ],
)
def test_replies_that_may_be_coded(fields: list[Line], status: int, *, wanted: bool) -> None:
    assert is_compressible(fields, status) is wanted


def test_vary_names_the_field_once() -> None:
    vary = ("Vary", "Accept-Encoding")
    assert varied([JSON]) == [JSON, vary]
    assert varied([("vary", "X-Api-Key"), JSON, ("Vary", "accept-encoding, Origin")]) == [
        JSON,
        ("Vary", "X-Api-Key, accept-encoding, Origin"),
    ]
    assert varied([("Vary", "*")]) == [("Vary", "*")]


def test_what_holds_for_the_plain_body_only_changes() -> None:
    fields: list[Line] = [("ETag", '"a"'), JSON, ("Content-Digest", "x"), ("Accept-Ranges", "bytes"), ("X", "1")]
    assert coded_fields(fields, "br") == [("ETag", 'W/"a"'), JSON, ("X", "1"), ("Content-Encoding", "br")]
    assert coded_fields([("etag", 'W/"a"')], None) == [("etag", 'W/"a"')]


def test_no_transform_is_a_directive_without_regard_to_case() -> None:
    assert forbids_transformation("public, NO-TRANSFORM")
    assert not forbids_transformation("public")
