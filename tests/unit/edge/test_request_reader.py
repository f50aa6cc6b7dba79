"""edge/request_reader.py: requests as they arrive, whole, broken, slow or too large, over real sockets."""

import asyncio
import json
from collections.abc import Callable

import pytest

from gateway.edge.connection import ConnectionState
from gateway.edge.request_reader import RequestReader
from gateway.exchange import Exchange, Reply, Send
from tests.fakes import until
from tests.raw_client import RawClient
from tests.unit.edge.listening import GET, HURRIED, LIMITS, ask, listening


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with listening() as (_, port), await RawClient.connect(port) as client:
        await client.send(
            b"".join(
                b"POST /%d HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n\r\n\r\n" % number for number in range(60)
            )
        )
        for number in range(60):
            seen = json.loads((await client.reply()).body)
            assert (seen["path"], seen["body"]) == (f"/{number}", "\r\n\r\n")


async def test_requests_before_garbage_are_answered() -> None:
    async with listening() as (_, port), await RawClient.connect(port) as client:
        await client.send(GET + b"\x00\x01garbage\r\n\r\n")
        assert (await client.reply()).status == 200
        assert (await client.reply()).status == 400
        assert await client.at_eof()


@pytest.mark.parametrize(
    ("pieces", "good"),
    [
        ([GET * 80 + b"bad\r\n\r\n"], 80),
        ([GET[:-1], GET[-1:] + b"bad\r\n\r\n"], 1),
        ([GET[:-3], GET[-3:] + GET + b"bad\r\n\r\n"], 2),
        ([GET[:-4], GET[-4:] + b"bad\r\n\r\n"], 1),
        ([b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n", b"hibad\r\n"], 1),
        ([GET + b"GET /half HTT"], 1),
    ],
)
async def test_every_good_request_before_a_bad_one_is_answered(pieces: list[bytes], good: int) -> None:
    async with listening() as (_, port), await RawClient.connect(port) as client:
        for piece in pieces:
            await client.send(piece)
        client.finish_sending()
        statuses = [(await client.reply()).status for _ in range(good + 1)]
        assert statuses == [200] * good + [400]
        assert await client.at_eof()


@pytest.mark.parametrize(
    ("line", "fault"), [(b"BREW /pot HTTP/1.1\r\n", "method_not_allowed"), (b"SSH-2.0-x\r\n", "malformed_request")]
)
async def test_the_whole_line_distinguishes_an_unknown_method_from_no_request(line: bytes, fault: str) -> None:
    async with listening() as (_, port), await RawClient.connect(port) as client:
        for at in range(len(line)):
            await client.send(line[at : at + 1])
        assert (await client.reply()).field("X-Fault") == fault


@pytest.mark.parametrize(
    ("request_bytes", "status", "fault"),
    [
        (b"GET / a HTTP/1.1\r\nHost: h\r\n\r\n", 400, "malformed_request"),
        (b"GET /a HTTP/1.1\r\n\r\n", 400, "malformed_request"),
        (b"GET /a HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", 400, "malformed_request"),
        (b"GET /a HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "malformed_request"),
        (b"GET /a HTTP/1.1\r\nHost: u@evil\r\n\r\n", 400, "malformed_request"),
        (b"GET /a HTTP/1.1\r\nHost: h:99999\r\n\r\n", 400, "malformed_request"),
        (b"GET /a HTTP/1.1\r\nHost: [::1\r\n\r\n", 400, "malformed_request"),
        (b"GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", 400, "malformed_request"),
        (b"GET http:///a HTTP/1.1\r\nHost: h\r\n\r\n", 400, "malformed_request"),
        (b"GET ftp://h/a HTTP/1.1\r\nHost: h\r\n\r\n", 400, "malformed_request"),
        (b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", 400, "malformed_request"),
        (b"GET /a HTTP/2.0\r\nHost: h\r\n\r\n", 505, "http_version_unsupported"),
        (b"BREW /a HTTP/1.1\r\nHost: h\r\n\r\n", 405, "method_not_allowed"),
        (b"\x16\x03\x01\x00\x00", 400, "malformed_request"),
        (b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, "transfer_coding_unsupported"),
        (b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "malformed_request"),
        (b"POST /a HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "malformed_request"),
        (b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n", 400, "malformed_request"),
        (b"POST /a HTTP/1.1\r\nHost: h\r\nExpect: tea\r\nContent-Length: 0\r\n\r\n", 417, "expectation_failed"),
        (b"GET /%s HTTP/1.1\r\nHost: h\r\n\r\n" % (b"a" * 2000), 414, "url_too_long"),
        (b"GET /a HTTP/1.1\r\nHost: h\r\nX: %s\r\n\r\n" % (b"a" * 5000), 431, "headers_too_large"),
        (b"GET /a HTTP/1.1\r\nHost: h\r\n%s\r\n" % (b"X: %s\r\n" % (b"a" * 1000) * 5), 431, "headers_too_large"),
        (b"GET /a HTTP/1.1\r\nHost: h\r\n%s" % (b"X: %s\r\n" % (b"a" * 1000) * 9), 431, "headers_too_large"),
        (b"GET /a HTTP/1.1\r\nHost: h\r\n%s\r\n" % (b"X: a\r\n" * 200), 431, "headers_too_large"),
        (b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n%s\r\nabc" % (b"X: %s\r\n" % (b"a" * 1000) * 5), 431, "headers_too_large"),
        (b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "malformed_request"),
        (b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2000000\r\n\r\nabc", 413, "body_too_large"),
        (b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 00000000000000000000000009999999\r\n\r\nabc", 413, "body_too_large"),
    ],
)  # fmt: skip
async def test_what_is_refused_is_answered_and_the_connection_closed(
    request_bytes: bytes, status: int, fault: str
) -> None:
    assert await ask(request_bytes) == (status, fault, True)


async def test_a_client_that_has_finished_sending_is_still_answered() -> None:
    async with listening() as (_, port), await RawClient.connect(port) as client:
        await client.send(GET)
        client.finish_sending()
        assert (await client.reply()).status == 200
        assert await client.at_eof()


@pytest.mark.parametrize("part", [b"GET /a HT", b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc"])
async def test_a_request_that_breaks_off_is_answered(part: bytes) -> None:
    async with listening() as (_, port), await RawClient.connect(port) as client:
        await client.send(part)
        client.finish_sending()
        assert (await client.reply()).field("X-Fault") == "malformed_request"


@pytest.mark.parametrize("leave", [RawClient.abort, RawClient.finish_sending])
async def test_work_for_a_client_that_closed_is_cancelled(leave: Callable[[RawClient], None]) -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def hang(_: Exchange, send: Send) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with listening(hang) as (_, port), await RawClient.connect(port) as client:
        await client.send(GET)
        async with asyncio.timeout(5):
            await begun.wait()
            leave(client)
            await cancelled.wait()


@pytest.mark.parametrize(
    ("part", "status"),
    [
        (b"GET /a HTTP/1.1\r\nHo", 408),
        (b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc", 408),
        (b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n", 408),
    ],
)
async def test_what_does_not_arrive_in_time_is_answered_and_closed(part: bytes, status: int) -> None:
    assert await ask(part, limits=HURRIED) == (status, "request_timeout", True)


async def test_an_idle_connection_is_closed_without_a_word() -> None:
    async with listening(limits=HURRIED) as (_, port), await RawClient.connect(port) as client:
        assert await client.at_eof()
    async with listening(limits=HURRIED) as (_, port), await RawClient.connect(port) as client:
        await client.send(GET)
        await client.reply()
        assert await client.at_eof()


async def test_a_client_that_does_not_read_is_cut_off() -> None:
    ended = asyncio.Event()

    async def flood(_: Exchange, send: Send) -> None:
        try:
            await send(Reply(200, [], b"x" * 50_000_000))
        finally:
            ended.set()

    async with listening(flood, limits=HURRIED) as (_, port), await RawClient.connect(port) as client:
        client.stop_reading()
        await client.send(GET)
        async with asyncio.timeout(5):
            await ended.wait()


async def test_what_follows_a_refusal_is_not_kept() -> None:
    async with listening() as (listener, port), await RawClient.connect(port) as client:
        await client.send(b"FOO")
        await client.send(b"BAR /a HTTP/1.1\r\n")
        assert (await client.reply()).field("X-Fault") == "method_not_allowed"
        (connection,) = listener.connections
        assert isinstance(connection, RequestReader)
        for _ in range(8):
            await client.send(b"x" * 65536)
        assert await client.at_eof()
        assert connection._splitter.rejected_line is None
        assert not connection._messages


async def test_an_ipv4_peer_of_a_socket_for_both_versions_is_an_ipv4_peer() -> None:
    async with listening(trusted=("127.0.0.0/8",), host="::") as (_, port), await RawClient.connect(port) as client:
        await client.send(b"GET /a HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 203.0.113.1\r\n\r\n")
        assert json.loads((await client.reply()).body)["client"] == "203.0.113.1"


async def test_a_request_after_a_long_pause_is_answered_even_if_the_sweep_runs_first() -> None:
    async with listening() as (listener, port), await RawClient.connect(port) as client:
        await client.send(GET)
        assert (await client.reply()).status == 200
        (connection,) = listener._open()
        await until(lambda: connection.state is ConnectionState.IDLE)
        connection.data_received(GET)
        connection.sweep(listener.head_checker.monotonic() + 2 * LIMITS.idle_timeout_s)
        assert (await client.reply()).status == 200


async def test_a_connection_that_is_being_closed_is_left_alone_by_the_next_sweep() -> None:
    async with listening() as (listener, port), await RawClient.connect(port) as client:
        await client.send(GET)
        assert (await client.reply()).status == 200
        (connection,) = listener._open()
        await until(lambda: connection.state is ConnectionState.IDLE)
        for _ in range(2):  # over TLS it takes until the client closes it, too
            connection.sweep(listener.head_checker.monotonic() + 2 * LIMITS.idle_timeout_s)
        assert await client.at_eof()


async def test_a_body_that_resembles_heads_is_fed_as_it_arrives() -> None:
    body = b"\r\n\r\n" * 20_000
    async with listening() as (listener, port), await RawClient.connect(port) as client:
        await client.send(b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(body))
        await until(lambda: any(connection._core.exchange is not None for connection in listener._open()))
        (connection,) = listener._open()
        connection.data_received(body[:100])
        assert connection._splitter.body_missing == len(body) - 100
        connection.data_received(body[100:] + GET)
        assert connection._splitter.body_missing == 0
        assert (await client.reply()).status == 200
        assert (await client.reply()).status == 200


async def test_bodies_and_requests_in_one_piece_are_separated() -> None:
    both = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\n\r\n\r\nxy" + b"\r\n\r\n" + GET
    async with listening() as (_, port), await RawClient.connect(port) as client:
        await client.send(both * 3 + b"bad\r\n\r\n")
        assert [(await client.reply()).status for _ in range(7)] == [200] * 6 + [400]


async def test_what_is_behind_chunks_is_never_a_request() -> None:
    async with listening() as (_, port), await RawClient.connect(port) as client:
        await client.send(
            b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n\r\n\r\n\r\n0\r\n\r\n" + GET * 3
        )
        assert (await client.reply()).status == 200
        assert await client.at_eof()


async def test_proxies_beyond_a_bound_are_not_asked_for_whom_they_speak() -> None:
    async with listening(trusted=("127.0.0.0/8",)) as (_, port), await RawClient.connect(port) as client:
        for hops, client_address in ((30, "203.0.113.1"), (250, "127.0.0.1")):
            chain = b"203.0.113.1" + b",127.0.0.9" * hops
            await client.send(b"GET /a HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: %b\r\n\r\n" % chain)
            assert json.loads((await client.reply()).body)["client"] == client_address
