"""Bodies that arrive slowly: events, uploads, and clients that leave in between."""

import asyncio
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest
import pytest_asyncio

from tests.fakes import End, Request, reply, until
from tests.gateway_process import KEY
from tests.journeys.backends import Front, ask, clients, fields, front, requesting
from tests.raw_client import RawClient

pytestmark = pytest.mark.asyncio(loop_scope="module")

BLOCK_BYTES = 1 << 18
SECTIONS = {
    "server": '{drain_delay: 0s, listeners: [{id: public, address: "127.0.0.1:0", limits: {body: 2GiB}}]}',
    "upstreams": """
- {id: backend, targets: [{url: "http://127.0.0.1:{backend}"}]}
- {id: narrow, targets: [{url: "http://127.0.0.1:{backend}"}], connections: {max: 2}}
""",
    "routes": """
- {id: all, match: {prefix: /v1}, upstream: backend}
- {id: through, match: {prefix: /through}, upstream: backend, envelope: {mode: passthrough}}
- {id: narrow, match: {prefix: /narrow}, upstream: narrow}
""",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here() -> AsyncIterator[Front]:
    async with front(**SECTIONS) as built:
        yield built


@pytest.mark.parametrize("route", ["/through", "/v1"])
async def test_events_arrive_one_by_one_and_at_once(here: Front, route: str) -> None:
    go_on = [asyncio.Event() for _ in range(3)]
    steps = [step for number, event in enumerate(go_on) for step in (b"data: %d\n\n" % number, event)]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    path = here.service.on(f"{route}/events", head, *steps, End.CLOSE)
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{here.gateway.port}{path}", headers={"X-Api-Key": KEY}) as found,
    ):
        assert found.headers["Content-Type"] == "text/event-stream"
        async with asyncio.timeout(5):
            for number, event in enumerate(go_on):
                assert await found.content.readuntil(b"\n\n") == b"data: %d\n\n" % number
                event.set()
            assert await found.content.read() == b""


async def test_slow_uploads_do_not_hold_the_pool(here: Front) -> None:
    path = here.service.on("/narrow/a", reply(b'{"a":1}'))
    async with clients(here.gateway, 20) as slow:
        for client in slow:
            await client.send(requesting("POST", path, "Content-Length: 1000") + b"a" * 500)
        for _ in range(5):
            assert (await ask(here.gateway, "GET", path)).status == 200
        assert {request.size for request in here.service.at(path)} == {0}
        for client in slow:
            await client.send(b"b" * 500)
        assert [(await client.reply()).status for client in slow] == [200] * 20
    assert [request.size for request in here.service.at(path)][5:] == [1000] * 20


async def left(here: Front, path: str) -> dict[str, object]:
    """The line of the request for `path`, whose client has left, once its upstream connection has ended."""
    request: Request = here.service.at(path)[-1]
    await here.service.closed(request.connection)
    return await here.gateway.record("request_id", fields(request, "X-Request-Id")[0])


@pytest.mark.parametrize(
    ("leave", "seen"),
    [
        (RawClient.reset, (499, "client_closed")),
        (
            RawClient.abort,
            (400, "malformed_request"),
        ),  # an end in order, in the middle of the body: the client may still be reading
    ],
)
async def test_a_client_that_leaves_within_its_upload_ends_the_upstream_call(
    here: Front, leave: Callable[[RawClient], None], seen: tuple[int, str]
) -> None:
    path = here.service.on("/v1/upload", asyncio.Event(), early=True)
    async with await RawClient.connect(here.gateway.port) as client:
        await client.send(requesting("POST", path, f"Content-Length: {1 << 30}") + b"a" * (1 << 20))
        await until(lambda: bool(here.service.at(path)))
        leave(client)
    record = await left(here, path)
    assert (record["http.response.status_code"], record["gateway.reason"]) == seen
    here.service.requests.clear()


async def test_a_client_that_leaves_within_its_reply_ends_the_upstream_call(here: Front) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n"
        )
        while True:
            writer.write(b"%x\r\n" % BLOCK_BYTES + b"1," * (BLOCK_BYTES // 2) + b"\r\n")
            await writer.drain()

    path = here.service.on("/v1/endless", endless)
    async with await RawClient.connect(here.gateway.port) as client:
        await client.send(requesting("GET", path))
        assert await client.interim() == 200
    record = await left(here, path)
    assert (record["http.response.status_code"], record["gateway.outcome"]) == (499, "abandoned")
