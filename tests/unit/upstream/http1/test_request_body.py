"""upstream/http1/request_body.py: how a body is framed and checked, without a connection."""

import asyncio

import pytest

from gateway.kernel.faults import BODY_TOO_LARGE, CLIENT_CLOSED, MALFORMED_REQUEST, GatewayError
from gateway.upstream.http1.request_body import PIECE_BYTES, BodyPieces, send_body, upload
from tests.samples import Pieces

HEAD = b"POST / HTTP/1.1\r\n\r\n"


class RecordingSink:
    """A BodySink that records what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    async def write(self, data: bytes) -> None:
        self.written.append(data)


async def sent(*pieces: bytes, length: int | None) -> list[bytes]:
    sink, body = RecordingSink(), Pieces(*pieces[1:], length=length)
    await send_body(HEAD, pieces[0] if pieces else b"", body, sink)
    return sink.written


async def test_the_head_is_sent_with_the_first_piece() -> None:
    assert await sent(b"abc", b"de", length=5) == [HEAD + b"abc", b"de"]


async def test_a_body_of_unknown_length_is_sent_in_chunks() -> None:
    assert await sent(b"abc", b"x" * 17, length=None) == [
        HEAD + b"3\r\nabc\r\n",
        b"11\r\n" + b"x" * 17 + b"\r\n",
        b"0\r\n\r\n",
    ]


async def test_a_body_of_unknown_length_without_content() -> None:
    assert await sent(length=None) == [HEAD + b"0\r\n\r\n"]


async def test_an_empty_body() -> None:
    assert await sent(length=0) == [HEAD]


async def test_after_the_announced_length_no_end_is_waited_for() -> None:
    body = Pieces(AssertionError("read again"), length=3)
    sink = RecordingSink()
    await send_body(HEAD, b"abc", body, sink)
    assert sink.written == [HEAD + b"abc"]


@pytest.mark.parametrize(
    ("pieces", "cause"), [((b"abc", b"def"), "is longer than its announced 5"), ((b"abc",), "ended after 3 of its")]
)
async def test_a_body_that_is_not_as_long_as_announced(pieces: tuple[bytes, ...], cause: str) -> None:
    with pytest.raises(GatewayError) as caught:
        await sent(*pieces, length=5)
    assert caught.value.fault is MALFORMED_REQUEST
    assert cause in (caught.value.cause or "")


async def test_a_body_in_memory_is_sent_in_pieces() -> None:
    data, sink = bytes(range(256)) * 1024, RecordingSink()
    body = BodyPieces(data)
    assert body.length == len(data)
    await send_body(b"", data[:PIECE_BYTES], body, sink)
    assert [len(piece) for piece in sink.written] == [PIECE_BYTES] * 4
    assert b"".join(sink.written) == data


class CancelledBody(Pieces):
    """A body whose reading is cancelled."""

    async def read(self) -> bytes:
        raise asyncio.CancelledError


@pytest.mark.parametrize(
    ("piece", "ended"),
    [
        (b"de", None),
        (ValueError("broken"), ValueError),
        (GatewayError(BODY_TOO_LARGE), BODY_TOO_LARGE),
        (None, CLIENT_CLOSED),
    ],
)
async def test_how_an_upload_has_ended_is_reported(piece: bytes | Exception | None, ended: object) -> None:
    seen: list[Exception | None] = []
    body = CancelledBody(length=5) if piece is None else Pieces(piece, length=5)
    await upload(HEAD, b"abc", body, RecordingSink(), seen.append)
    [error] = seen
    kind = error.fault if isinstance(error, GatewayError) else None if error is None else type(error)
    assert kind is ended
