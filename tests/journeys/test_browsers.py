"""A page of another origin in a real browser: it calls the gateway, reads its errors, and opens streams."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from playwright.async_api import Page
from websockets.asyncio.server import ServerConnection, serve

from tests.browser import chromium
from tests.fakes import RawBackend, Script, script
from tests.gateway_process import KEY, GatewayProcess, configuration, digest, running
from tests.journeys.backends import Service

pytestmark = pytest.mark.asyncio(loop_scope="module")

SPENT = "gw_test_key_that_may_call_once"
PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 16\r\n\r\n<title>t</title>"
CALL = """async ([url, options]) => {
    const reply = await fetch(url, options)
    const body = await reply.json()
    return {
        status: reply.status,
        code: body.data.code ?? null,
        result: body.data.result ?? null,
        remaining: reply.headers.get("X-RateLimit-Remaining-Minute"),
        retry: reply.headers.get("Retry-After"),
        id: reply.headers.get("X-Request-Id") === body.requestId,
    }
}"""
TALK = """(url) => new Promise((resolve, reject) => {
    const socket = new WebSocket(url)
    const got = []
    socket.onopen = () => socket.send("from a page")
    socket.onmessage = (event) => { got.push(event.data); socket.close(1000) }
    socket.onclose = (event) => resolve([...got, event.code])
    socket.onerror = () => reject(new Error("the socket failed"))
})"""
LISTEN = """([url, count]) => new Promise((resolve, reject) => {
    const source = new EventSource(url)
    const got = []
    source.onmessage = (event) => {
        got.push(event.data)
        if (got.length === count) { source.close(); resolve(got) }
    }
    source.onerror = () => { source.close(); reject(new Error("the source failed after " + got.length)) }
})"""
EVENTS = 20


class Browser(NamedTuple):
    """A page of another origin, and the gateway that it calls."""

    page: Page
    gateway: GatewayProcess

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.gateway.port}"

    async def call(self, path: str, key: str | None = KEY, **options: Any) -> dict[str, Any]:
        fields = {"Content-Type": "application/json"} | ({} if key is None else {"X-Api-Key": key})
        return dict(await self.page.evaluate(CALL, [self.url + path, {"headers": fields, **options}]))


async def echo(peer: ServerConnection) -> None:
    async for message in peer:
        await peer.send(message)


def _events() -> Script:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    return script(head, *[b"data: %d\n\n" % number for number in range(EVENTS)], asyncio.Event())


def _sections(service: int, rooms: int, closed: int, origin: str) -> dict[str, str]:
    def upstream(name: str, port: int) -> str:
        return f'{{id: {name}, targets: [{{url: "http://127.0.0.1:{port}"}}]}}'

    return {
        "defaults": f'{{cors: {{origins: ["{origin}"]}}}}',
        "plans": "[{id: many, limits: [{id: minute, max: 300, per: 1m}]}, {id: once, limits: [{id: day, max: 1, per: 1d}]}]",
        "keys": f"[{{id: tester, secret_sha256: {digest(KEY)}, organizations: [acme], plan: many}}, "
        f"{{id: spent, secret_sha256: {digest(SPENT)}, organizations: [acme], plan: once}}]",
        "upstreams": f"[{upstream('backend', service)}, {upstream('rooms', rooms)}, {upstream('closed', closed)}]",
        "routes": "[{id: all, match: {prefix: /v1}, upstream: backend}, "
        "{id: rooms, match: {path: /rooms}, upstream: rooms, upgrade: [websocket]}, "
        "{id: closed, match: {path: /closed}, upstream: closed}, "
        "{id: secret, match: {path: /secret}, upstream: backend, cors: {origins: []}}]",
    }


@asynccontextmanager
async def _gateway(origin: str, folder: Any) -> AsyncIterator[GatewayProcess]:
    async with Service() as service, serve(echo, "127.0.0.1", 0) as rooms:
        service.scripts["/v1/events"] = _events()
        own = b'HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 7\r\n\r\n{"a":1}'
        for path in ("/v1/orders", "/secret"):
            service.on(
                path, own.replace(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
            )
        port = next(iter(rooms.sockets)).getsockname()[1]
        sections = _sections(service.port, port, 1, origin)
        with running(configuration(0, **sections), folder) as gateway:
            yield gateway


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    async with (
        RawBackend(default=script(PAGE)) as pages,
        chromium() as browser,
        _gateway(pages.url, tmp_path_factory.mktemp("browsers")) as gateway,
    ):
        page = await browser.new_page()
        await page.goto(f"{pages.url}/")
        yield Browser(page, gateway)


async def test_a_page_reads_a_reply_and_its_limits(here: Browser) -> None:
    reply = await here.call("/v1/orders")
    assert (reply["status"], reply["result"], reply["id"]) == (200, {"a": 1}, True)
    assert int(reply["remaining"]) < 300
    await here.gateway.record("http.request.method", "OPTIONS")
    preflights = [line for line in here.gateway.records if line["http.request.method"] == "OPTIONS"]
    assert [(line["http.response.status_code"], line["gateway.source"]) for line in preflights] == [(204, "gateway")]


@pytest.mark.parametrize(
    ("path", "key", "options", "status", "code"),
    [
        ("/v1/orders", None, {}, 401, 1002),
        ("/v1/orders", "nobody", {}, 401, 1002),
        ("/nowhere", KEY, {}, 404, 1005),
        ("/v1/orders", KEY, {"headers": {}, "method": "POST", "body": "{"}, 401, 1002),
        ("/closed", KEY, {}, 503, 1004),
        ("/rooms", KEY, {"method": "DELETE"}, 405, 1006),
    ],
)
async def test_a_page_reads_the_code_of_an_error(
    here: Browser, path: str, key: str | None, options: dict[str, Any], status: int, code: int
) -> None:
    reply = await here.call(path, key, **options)
    assert (reply["status"], reply["code"], reply["id"]) == (status, code, True)


async def test_a_page_reads_when_to_come_again(here: Browser) -> None:
    assert (await here.call("/v1/orders", SPENT))["status"] == 200
    reply = await here.call("/v1/orders", SPENT)
    assert (reply["status"], reply["code"]) == (429, 8000)
    assert int(reply["retry"]) >= 1


async def test_a_page_opens_a_websocket_with_its_key_in_the_url(here: Browser) -> None:
    url = here.url.replace("http:", "ws:")
    assert await here.page.evaluate(TALK, f"{url}/rooms?X-Api-Key={KEY}") == ["from a page", 1000]


async def test_a_page_receives_events(here: Browser) -> None:
    got = await here.page.evaluate(LISTEN, [f"{here.url}/v1/events?X-Api-Key={KEY}", EVENTS])
    assert got == [str(number) for number in range(EVENTS)]


async def test_a_route_without_cors_is_not_for_pages(here: Browser) -> None:
    with pytest.raises(Exception, match="Failed to fetch"):
        await here.call("/secret")
