"""kernel/envelope/splice.py: what is too large to hold is checked while it passes, and never ends well if it is not."""

import json
import zlib

import pytest

from gateway.kernel.envelope.splice import CheckedJson, QuotedText, Spliced, TranscodedJson, quoted_text
from gateway.kernel.faults import UPSTREAM_BODY_INVALID, UPSTREAM_CODING_INVALID, UPSTREAM_INCOMPLETE, GatewayError
from gateway.kernel.http.content_coding import decoder
from tests.samples import Pieces


async def test_json_passes_unchanged() -> None:
    source = Pieces(b'{"a":', b"1e400}", b" ")
    assert await _all(Spliced(source, None, iter([]), CheckedJson())) == b'{"a":1e400} '


async def test_text_becomes_the_inside_of_a_string() -> None:
    source = Pieces("é".encode()[:1], "é".encode()[1:], b'"\n', b"\\")
    way = QuotedText("utf-8-sig")
    begun = way.feed(b"\xef\xbb\xbfstart ")
    assert json.loads(b'"' + begun + await _all(Spliced(source, None, iter([]), way))) == 'start é"\n\\'


async def test_coded_pieces_are_decoded_first() -> None:
    text = json.dumps(list(range(100_000))).encode()
    coded = zlib.compress(text)
    inflater = decoder(b"deflate")
    begun = inflater.feed(coded[:100_000])
    way = CheckedJson()
    first = next(begun)
    way.feed(first)
    assert first + await _all(Spliced(Pieces(coded[100_000:150_000], coded[150_000:]), inflater, begun, way)) == text


@pytest.mark.parametrize(
    ("source", "way", "fault"),
    [
        (Pieces(b"[1", GatewayError(UPSTREAM_INCOMPLETE)), CheckedJson(), UPSTREAM_INCOMPLETE),
        (Pieces(b"[1"), CheckedJson(), UPSTREAM_BODY_INVALID),
        (Pieces(b"[1]x"), CheckedJson(), UPSTREAM_BODY_INVALID),
        (Pieces(b"\xff"), QuotedText("utf-8-sig"), UPSTREAM_BODY_INVALID),
        (Pieces(b"\xc3"), QuotedText("utf-8-sig"), UPSTREAM_BODY_INVALID),
    ],
)
async def test_what_breaks_raises_and_gives_up_the_rest(
    source: Pieces, way: CheckedJson | QuotedText, fault: object
) -> None:
    stream = Spliced(source, None, iter([]), way)
    with pytest.raises(GatewayError) as broken:
        await _all(stream)
    assert broken.value.fault is fault
    assert source.closed
    assert await stream.read() == b""


async def test_a_coding_that_is_cut_off_raises() -> None:
    source = Pieces(zlib.compress(b"[1]")[:-1])
    with pytest.raises(GatewayError) as broken:
        await _all(Spliced(source, decoder(b"deflate"), iter([]), CheckedJson()))
    assert broken.value.fault is UPSTREAM_CODING_INVALID
    assert source.closed


def test_what_the_source_has_unread_is_unread() -> None:
    source = Pieces(b"1")
    source.unread = 7
    assert Spliced(source, None, iter([]), CheckedJson()).unread == 7


def test_closing_closes_the_source() -> None:
    source = Pieces(b"1")
    Spliced(source, None, iter([]), CheckedJson()).close()
    assert source.closed


async def _all(stream: Spliced) -> bytes:
    pieces = []
    while piece := await stream.read():
        pieces.append(piece)
    return b"".join(pieces)


def test_a_whole_text_is_quoted() -> None:
    assert quoted_text("é\n".encode("latin-1"), "latin-1") == '"é\\n"'.encode()
    assert quoted_text(b"", "utf-8") == b""


async def test_json_in_another_charset_becomes_utf_8() -> None:
    text = '{"a":"é€"}'
    coded = text.encode("utf-16-le")
    source = Pieces(coded[:9], coded[9:])
    assert await _all(Spliced(source, None, iter([]), TranscodedJson("utf-16-le"))) == text.encode()


@pytest.mark.parametrize("coded", ["[1".encode("utf-16-le"), b"\x00\xd8", b"[\x00]\x00x\x00"])
async def test_what_is_no_json_in_its_charset_raises(coded: bytes) -> None:
    source = Pieces(coded)
    with pytest.raises(GatewayError) as broken:
        await _all(Spliced(source, None, iter([]), TranscodedJson("utf-16-le")))
    assert broken.value.fault is UPSTREAM_BODY_INVALID
