"""admin/connection.py: replies, and errors that the tests of the listener do not cause."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from gateway.admin.connection import AdminServer, json_reply, lines_reply
from tests.fakes import until

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_replies_are_json_and_are_not_stored() -> None:
    reply = json_reply(403, {"error": "no"}, WWW_Authenticate="Bearer")
    assert (reply.status, reply.body, reply.content_type) == (403, b'{"error":"no"}\n', "application/json")
    assert (reply.headers["WWW-Authenticate"], reply.headers["Cache-Control"], reply.headers["Server"]) == (
        "Bearer",
        "no-store",
        "gateway",
    )
    lines = lines_reply(b"1\n2\n")
    assert (lines.status, lines.body, lines.content_type, lines.headers["Server"]) == (
        200,
        b"1\n2\n",
        "application/x-ndjson",
        "gateway",
    )


class Served:
    """A server with one handler, and the connections of the test to it."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.body = b"{}"
        self.server = AdminServer(self._handle, access_log=None)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/fail":
            raise RuntimeError("a bug")
        if request.path == "/half":
            reply = web.StreamResponse()
            await reply.prepare(request)
            await reply.write(b"half")
            raise RuntimeError("a bug")
        await self.go.wait()
        return lines_reply(self.body)


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    made = Served()
    yield made
    made.go.set()
    await made.server.shutdown(1.0)


async def connected(served: Served) -> socket.socket:
    ours, theirs = socket.socketpair()
    ours.settimeout(0)
    theirs.settimeout(0)
    before = len(served.server)
    await asyncio.get_running_loop().connect_accepted_socket(served.server, theirs)
    assert len(served.server) == before + 1
    return ours


async def read(sock: socket.socket) -> bytes:
    found = b""
    while piece := await asyncio.get_running_loop().sock_recv(sock, 1 << 16):
        found += piece
    return found


async def test_a_failure_is_an_error_in_json_that_reveals_nothing(served: Served) -> None:
    with await connected(served) as client:
        await asyncio.get_running_loop().sock_sendall(client, REQUEST.replace(b"/ ", b"/fail "))
        head, _, body = (await read(client)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 500 ")
        assert json.loads(body) == {"error": "internal error"}


async def test_a_malformed_request_is_an_error_in_json(served: Served) -> None:
    with await connected(served) as client:
        await asyncio.get_running_loop().sock_sendall(client, b"GET <script> HTTP/9\r\n\r\n")
        assert json.loads((await read(client)).partition(b"\r\n\r\n")[2]) == {"error": "malformed request"}


async def test_a_failure_after_the_head_ends_the_connection(served: Served) -> None:
    with await connected(served) as client:
        await asyncio.get_running_loop().sock_sendall(client, REQUEST.replace(b"/ ", b"/half "))
        assert b"internal error" not in await read(client)


async def test_the_connection_that_has_been_idle_longest_is_closed(served: Served) -> None:
    with await connected(served) as first, await connected(served) as second:
        await asyncio.get_running_loop().sock_sendall(second, REQUEST)
        await until(lambda: [connection.idle for connection in served.server.open()].count(False) == 1)
        assert served.server.close_idle()
        assert await read(first) == b""
        await until(lambda: len(served.server) == 1)
        assert not served.server.close_idle()


async def test_a_client_that_does_not_read_its_reply_is_cut_off(served: Served) -> None:
    served.body = b"x" * (4 << 20)
    served.go.set()
    with await connected(served) as client:
        await asyncio.get_running_loop().sock_sendall(client, REQUEST)
        (connection,) = served.server.open()
        await until(lambda: connection._stalled_since is not None)
        now = asyncio.get_running_loop().time()
        connection.sweep(now, 10.0)
        assert len(served.server) == 1
        connection.sweep(now + 11.0, 10.0)
        await until(lambda: len(served.server) == 0)
        connection.cut()


async def test_a_client_that_reads_on_is_not_cut_off(served: Served) -> None:
    served.body = b"x" * (4 << 20)
    served.go.set()
    with await connected(served) as client:
        await asyncio.get_running_loop().sock_sendall(client, REQUEST)
        (connection,) = served.server.open()
        await until(lambda: connection._stalled_since is not None)
        found = b""
        while b"\r\n\r\n" not in found or len(found.partition(b"\r\n\r\n")[2]) < len(served.body):
            found += await asyncio.get_running_loop().sock_recv(client, 1 << 16)
        connection.sweep(asyncio.get_running_loop().time() + 11.0, 10.0)
        assert connection.transport is not None
        assert connection.idle


async def test_a_client_that_never_ends_its_second_request_is_cut_off(served: Served) -> None:
    served.go.set()
    with await connected(served) as client:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(client, REQUEST)
        (connection,) = served.server.open()
        found = b""
        while not found.endswith(b"\r\n\r\n{}"):
            found += await loop.sock_recv(client, 1 << 16)
        await until(lambda: connection.idle)
        connection.sweep(loop.time() + 11.0, 10.0)
        assert len(served.server) == 1
        await loop.sock_sendall(client, b"GET")
        await until(lambda: connection._incomplete_since is not None)
        connection.sweep(loop.time() + 11.0, 10.0)
        await until(lambda: len(served.server) == 0)
