"""edge/request_body.py: a body is read piece by piece, up to its limit."""

import asyncio

import pytest
from aiohttp import StreamReader
from aiohttp.base_protocol import BaseProtocol
from aiohttp.web_protocol import RequestPayloadError

from gateway.edge.request_body import ClientBody, TunnelBytes, WholeBody
from gateway.kernel.faults import BODY_TOO_LARGE, MALFORMED_REQUEST, Fault, GatewayError
from gateway.upstream.call import BODY_PIECE_BYTES


def payload() -> StreamReader:
    loop = asyncio.get_running_loop()
    return StreamReader(BaseProtocol(loop), 1 << 16, loop=loop)


async def test_a_body_is_read_to_its_end_and_confirmed_one_time() -> None:
    confirmed: list[None] = []
    times = iter((1.0, 3.0, 3.0, 3.5))
    stream = payload()
    body = ClientBody(stream, 3, 10, lambda: confirmed.append(None), lambda: next(times))
    stream.feed_data(b"abc")
    stream.feed_eof()
    assert (await body.read(), await body.read()) == (b"abc", b"")
    assert (body.length, body.received, body.waited_s, len(confirmed)) == (3, 3, 2.5, 1)


@pytest.mark.parametrize(("length", "data"), [(11, b""), (None, b"x" * 11)])
async def test_more_than_the_limit_is_refused(length: int | None, data: bytes) -> None:
    stream = payload()
    stream.feed_data(data)
    with pytest.raises(GatewayError) as raised:
        await ClientBody(stream, length, 10, None, lambda: 0.0).read()
    assert raised.value.fault is BODY_TOO_LARGE


@pytest.mark.parametrize(
    ("error", "fault"), [(RequestPayloadError("x"), MALFORMED_REQUEST), (GatewayError(BODY_TOO_LARGE), BODY_TOO_LARGE)]
)
async def test_a_body_that_breaks_raises(error: Exception, fault: Fault) -> None:
    stream = payload()
    stream.set_exception(error)
    with pytest.raises(GatewayError) as raised:
        await ClientBody(stream, None, 10, None, lambda: 0.0).read()
    assert raised.value.fault is fault


async def test_a_body_that_has_arrived_is_read_in_pieces() -> None:
    body = WholeBody(b"a" * (BODY_PIECE_BYTES + 1), BODY_PIECE_BYTES + 1)
    assert body.length == BODY_PIECE_BYTES + 1
    assert [len(await body.read()) for _ in range(3)] == [BODY_PIECE_BYTES, 1, 0]
    assert (body.received, body.waited_s) == (BODY_PIECE_BYTES + 1, 0.0)
    with pytest.raises(GatewayError, match="body_too_large"):
        await WholeBody(b"ab", 1).read()


def test_a_small_body_that_has_arrived_is_taken_whole_and_once() -> None:
    body = WholeBody(b"abc", 10)
    assert (body.take_whole(), body.received, body.take_whole()) == (b"abc", 3, None)


def test_a_large_body_is_read_in_pieces() -> None:
    assert WholeBody(b"x" * (BODY_PIECE_BYTES + 1), 1 << 20).take_whole() is None


def test_a_body_beyond_the_limit_is_not_taken_whole() -> None:
    with pytest.raises(GatewayError) as raised:
        WholeBody(b"x" * 11, 10).take_whole()
    assert raised.value.fault is BODY_TOO_LARGE


async def test_what_arrives_is_not_taken_whole() -> None:
    assert ClientBody(payload(), 3, 10, None, lambda: 0.0).take_whole() is None


async def test_the_bytes_of_a_client_are_counted_like_a_body() -> None:
    count = TunnelBytes(7)
    assert (count.received, count.length, count.waited_s, await count.read()) == (7, None, 0.0, b"")
