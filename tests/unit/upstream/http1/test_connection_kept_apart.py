"""upstream/http1/connection.py: no caller receives, or waits for, what belongs to another one."""

import asyncio

import pytest

from gateway.upstream.call import Answer
from gateway.upstream.http1.response_stream import PAUSE_BYTES
from tests.fakes import RawBackend, Script, reply, script, until
from tests.samples import Pieces
from tests.unit.upstream.calls import Make, call, rest, streamed

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"DELETE", b"OPTIONS", b"SEARCH"])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_the_method_does_not_define_is_the_last_on_its_connection(
    make: Make, method: bytes, *, chunked: bool
) -> None:
    own = Script((reply(b"" if method == b"HEAD" else b'"own"'),), early=True)
    async with RawBackend(own, script(reply(b'"hidden"')), default=script(reply(b'"victim"'))) as backend:
        upstream = make(backend.url, max_connections=1)
        first = Pieces(HIDDEN, HIDDEN * 2) if chunked else HIDDEN
        assert (await upstream.send(call(method, first))).status == 200
        head = backend.requests[0].head
        assert b"\r\nConnection: close\r\n" in head  # whoever minds that never reads the hidden one
        victim = await upstream.send(call())
        assert victim.body in (b'"victim"', b'"hidden"')
        assert [each.connection for each in backend.requests if each.head.startswith(b"GET /x ") and not each.body][
            -1
        ] == 1
        await backend.closed(0)


@pytest.mark.parametrize(
    ("status", "kept"),
    [(b"200 OK", True), (b"201 Created", True), (b"302 Found", False), (b"400 Bad", False), (b"503 No", False)],
)
async def test_a_body_that_may_not_have_been_read_is_the_last_on_its_connection(
    make: Make, status: bytes, *, kept: bool
) -> None:
    async with RawBackend(script(reply(b'"own"', status=status)), default=script(reply(b'"victim"'))) as backend:
        upstream = make(backend.url, max_connections=1)
        await upstream.send(call(b"POST", b"abc"))
        assert (await upstream.send(call())).body == b'"victim"'
        assert backend.connections == (1 if kept else 2)


@pytest.mark.parametrize("method", [b"GET", b"DELETE", b"POST"])
async def test_without_a_body_a_connection_is_kept_whatever_the_status(make: Make, method: bytes) -> None:
    async with RawBackend(default=script(reply(status=b"404 Not Found"))) as backend:
        upstream = make(backend.url, max_connections=1)
        for _ in range(3):
            assert (await upstream.send(call(method))).status == 404
        assert backend.connections == 1


def large(size: int, *, chunked: bool = False) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n"
    if chunked:
        return head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (size, b"x" * size)
    return head + b"Content-Length: %d\r\n\r\n" % size + b"x" * size


async def answer_and_freedom(make: Make, size: int, read_ahead: int, *, chunked: bool = False) -> tuple[Answer, bool]:
    """A reply that nobody reads, and whether its connection serves the next call all the same."""
    async with RawBackend(script(large(size, chunked=chunked)), default=script(reply(b'"next"'))) as backend:
        upstream = make(backend.url, max_connections=2)
        sent = call()
        sent.read_ahead_bytes = read_ahead
        answer = await upstream.send(sent)
        stream = streamed(answer)
        await until(lambda: upstream.idle == 1 or bool(getattr(stream, "paused", False)))
        free = upstream.idle == 1
        assert (await upstream.send(call())).body == b'"next"'
        assert backend.connections == (1 if free else 2)
        body = answer.body + await rest(stream)
        assert body == b"x" * size
        return answer, free


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("size", "read_ahead", "free"), [(4, 8, True), (8, 8, True), (9, 8, False)])
async def test_the_rest_of_a_reply_that_fits_is_received_at_once(
    make: Make, size: int, read_ahead: int, *, free: bool, chunked: bool
) -> None:
    unit = 4 * PAUSE_BYTES
    _, was_free = await answer_and_freedom(make, size * unit, read_ahead * unit, chunked=chunked)
    assert was_free is free


async def test_the_last_part_of_a_long_reply_is_received_as_soon_as_it_fits(make: Make) -> None:
    size = 40 * PAUSE_BYTES
    async with RawBackend(script(large(size)), default=script(reply(b'"next"'))) as backend:
        upstream = make(backend.url, max_connections=1)
        sent = call()
        sent.read_ahead_bytes = 8 * PAUSE_BYTES
        answer = await upstream.send(sent)
        stream, read = streamed(answer), len(answer.body)
        while not upstream.idle:
            read += len(await stream.read())
            await asyncio.sleep(0)
        assert size - read <= 8 * PAUSE_BYTES
        assert read + len(await rest(stream)) == size


async def test_a_reply_to_head_that_may_have_a_body_later_is_the_last_on_its_connection(make: Make) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    for framing in (b"Content-Length: 9\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n", b"\r\n"):
        late = Script((head + framing,))
        async with RawBackend(late, default=script(reply(b'"victim"'))) as backend:
            upstream = make(backend.url, max_connections=1)
            answers = await asyncio.gather(upstream.send(call(b"HEAD")), upstream.send(call()))
            assert answers[1].body == b'"victim"'
            assert backend.connections == 2


async def test_many_large_replies_at_once_are_read_whole_and_in_turns(make: Make) -> None:
    size = 3 << 20
    async with RawBackend(default=script(reply(b"[" + b" " * size + b"]"))) as backend:
        upstream = make(backend.url, max_connections=8)
        whole = [call(buffer_bytes=2 * size) for _ in range(8)]
        assert {len(answer.body) for answer in await asyncio.gather(*map(upstream.send, whole))} == {size + 2}
        assert (await upstream.send(call(buffer_bytes=2 * size))).status == 200
        assert backend.connections == 8


async def test_a_large_reply_that_is_given_up_while_it_waits_for_its_turn_is_not_read_on(make: Make) -> None:
    size = 6 << 20
    async with RawBackend(default=script(reply(b"[" + b" " * size + b"]"))) as backend:
        upstream = make(backend.url, max_connections=8)
        for _ in range(20):
            tasks = [asyncio.ensure_future(upstream.send(call(buffer_bytes=2 * size))) for _ in range(4)]
            done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            assert all(len(task.result().body) == size + 2 for task in done)
