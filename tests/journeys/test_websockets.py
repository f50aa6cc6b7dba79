"""WebSockets through a running gateway: handshakes like any other request, then bytes in both directions."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import picows
import pytest
import pytest_asyncio
import websockets
from websockets.asyncio.server import Server, ServerConnection, serve

from gateway.kernel.websocket import close_frame
from tests.fakes import until
from tests.gateway_process import KEY, GatewayProcess, configuration, digest, running
from tests.journeys.backends import counted, enveloped, requesting
from tests.raw_client import RawClient

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALONE = "gw_test_key_that_calls_once_at_a_time"
ASKS = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
SAMPLE = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="


class Echo:
    """A service that returns what it gets. `heads` are the handshakes that reached it."""

    def __init__(self) -> None:
        self.heads: list[tuple[str, dict[str, str]]] = []

    async def __call__(self, peer: ServerConnection) -> None:
        assert peer.request is not None
        self.heads.append((peer.request.path, dict(peer.request.headers)))
        if "deny" in peer.request.path:
            return
        try:
            async for message in peer:
                await peer.send(message)
        except websockets.ConnectionClosed:
            return

    def turn_away(self, peer: ServerConnection, request: Any) -> Any:
        return peer.respond(404, "no such room") if "nowhere" in request.path else None


class Rooms(NamedTuple):
    """A gateway in front of the echo."""

    gateway: GatewayProcess
    echo: Echo

    def url(self, path: str, key: str = KEY) -> str:
        return f"ws://127.0.0.1:{self.gateway.port}{path}?a=1&X-Api-Key={key}"


def sections(port: int, drain: str = "5s") -> dict[str, str]:
    return {
        "server": f'{{drain_delay: 0s, drain_timeout: {drain}, listeners: [{{id: public, address: "127.0.0.1:0"}}]}}',
        "plans": "[{id: unlimited, limits: []}, {id: alone, limits: [], concurrency: {key: 1}}]",
        "keys": f"[{{id: tester, secret_sha256: {digest(KEY)}, organizations: [acme], plan: unlimited}}, "
        f"{{id: alone, secret_sha256: {digest(ALONE)}, organizations: [acme], plan: alone}}]",
        "routes": "[{id: rooms, match: {prefix: /v1}, upstream: backend, upgrade: [websocket]}, "
        "{id: quiet, match: {path: /quiet}, upstream: backend, upgrade: [websocket], timeouts: {idle: 300ms}}, "
        "{id: plain, match: {path: /plain}, upstream: backend}]",
    }


@asynccontextmanager
async def rooms(folder: Path, drain: str = "5s") -> AsyncIterator[Rooms]:
    echo = Echo()
    async with serve(echo, "127.0.0.1", 0, process_request=echo.turn_away, max_size=None) as server:
        assert isinstance(server, Server)
        port = next(iter(server.sockets)).getsockname()[1]
        with running(configuration(port, **sections(port, drain)), folder) as gateway:
            yield Rooms(gateway, echo)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rooms]:
    async with rooms(tmp_path_factory.mktemp("rooms")) as made:
        yield made


def open_tunnels(here: Rooms) -> float:
    return counted(here.gateway, "gateway_tunnels_open")


async def test_messages_of_every_size_go_to_and_fro(here: Rooms) -> None:
    async with websockets.connect(here.url("/v1/sizes"), max_size=None) as client:
        for message in ("", "hello", b"\0" * 126, b"\xff" * 70_000, bytes(range(256)) * 8192):
            await client.send(message)
            assert await client.recv() == message
        assert await (await client.ping()) >= 0
        assert open_tunnels(here) == 1
    path, fields = next(each for each in here.echo.heads if "sizes" in each[0])
    assert path == "/v1/sizes?a=1"
    assert KEY not in str(fields)
    assert (fields["connection"], fields["upgrade"], fields["x-caller-id"]) == ("Upgrade", "websocket", "tester")


async def test_there_is_a_line_when_a_tunnel_opens_and_one_when_it_is_closed(here: Rooms) -> None:
    async with websockets.connect(here.url("/v1/lines"), compression=None) as client:
        opened = await here.gateway.record("url.path", "/v1/lines")
        assert (opened["gateway.outcome"], opened["http.response.status_code"]) == ("opened", 101)
        await client.send("hello")
        assert await client.recv() == "hello"
    await until(lambda: len([1 for line in here.gateway.records if line["url.path"] == "/v1/lines"]) == 2)
    closed = [line for line in here.gateway.records if line["url.path"] == "/v1/lines"][1]
    assert (closed["gateway.outcome"], closed["request_id"]) == ("answered", opened["request_id"])
    assert (closed["http.request.body.size"], closed["http.response.body.size"]) == (11 + 8, 7 + 4)
    assert closed["gateway.duration.total_ms"] > opened["gateway.duration.total_ms"]
    await until(lambda: open_tunnels(here) == 0)


async def test_picows_is_served(here: Rooms) -> None:
    got: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    class Listener(picows.WSListener):
        def on_ws_connected(self, transport: picows.WSTransport) -> None:
            transport.send(picows.WSMsgType.BINARY, b"from picows")

        def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
            if frame.msg_type == picows.WSMsgType.BINARY:
                got.set_result(frame.get_payload_as_bytes())
                transport.send_close(picows.WSCloseCode.OK)
                transport.disconnect()

    transport, _ = await picows.ws_connect(Listener, here.url("/v1/picows"))
    assert await asyncio.wait_for(got, 10) == b"from picows"
    await transport.wait_disconnected()


@pytest.mark.parametrize(
    ("path", "key", "status", "code"),
    [
        ("/v1/a", "nobody", 401, 1002),
        ("/plain", KEY, 426, 1001),
        ("/v2", KEY, 404, 1005),
        ("/v1/nowhere", KEY, 404, 1001),
    ],
)
async def test_a_handshake_that_is_refused_gets_an_envelope(
    here: Rooms, path: str, key: str, status: int, code: int
) -> None:
    async with await RawClient.connect(here.gateway.port) as client:
        await client.send(requesting("GET", path, *ASKS, SAMPLE, key=key))
        reply = await client.reply()
        assert (reply.status, enveloped(reply)["data"]["code"]) == (status, code)
        assert await client.at_eof()


async def test_a_tunnel_is_a_call_in_flight(here: Rooms) -> None:
    async with websockets.connect(here.url("/v1/alone", ALONE)):
        with pytest.raises(websockets.InvalidStatus) as caught:
            await websockets.connect(here.url("/v1/alone", ALONE))
        assert caught.value.response.status_code == 429
    await until(lambda: open_tunnels(here) == 0)
    async with websockets.connect(here.url("/v1/alone", ALONE)):
        pass


def masked(payload: bytes) -> bytes:
    return bytes((0x81, 0x80 | len(payload))) + b"\0\0\0\0" + payload


async def test_frames_that_come_with_the_handshake_are_not_lost(here: Rooms) -> None:
    async with await RawClient.connect(here.gateway.port) as client:
        await client.send(requesting("GET", "/v1/early", *ASKS, SAMPLE) + masked(b"one") + masked(b"two"))
        head = await client.take(13)
        assert head == b"HTTP/1.1 101 "
        answer = b""
        while not answer.endswith(b"\x81\x03two"):
            answer += await client.take(1)
        assert answer.endswith(b"\r\n\r\n\x81\x03one\x81\x03two")


@pytest.mark.parametrize("path", ["/plain", "/v1/nowhere"])
async def test_what_follows_a_refused_handshake_is_no_request(here: Rooms, path: str) -> None:
    smuggled = requesting("GET", "/v1/smuggled")
    async with await RawClient.connect(here.gateway.port) as client:
        await client.send(requesting("GET", path, *ASKS, SAMPLE) + smuggled)
        assert (await client.reply()).status in {426, 404}
        assert await client.at_eof()
    assert "/v1/smuggled" not in str(here.echo.heads)
    assert not [line for line in here.gateway.records if line.get("url.path") == "/v1/smuggled"]


@pytest.mark.parametrize(
    "lines",
    [
        ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"),
        ("Upgrade: websocket",),
        ("Connection: Upgrade", "Upgrade: websocket, h2c"),
    ],
)
async def test_other_upgrades_are_ignored(here: Rooms, lines: tuple[str, ...]) -> None:
    async with await RawClient.connect(here.gateway.port) as client:
        await client.send(requesting("GET", "/plain", *lines))
        reply = await client.reply()
        assert (reply.status, enveloped(reply)["data"]["code"]) == (426, 1001)
        assert "WebSocket can be opened here" not in reply.body.decode()


async def test_a_silent_tunnel_is_closed(here: Rooms) -> None:
    async with websockets.connect(here.url("/quiet")) as client:
        with pytest.raises(websockets.ConnectionClosed) as caught:
            await client.recv()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1001
    line = await here.gateway.record("gateway.reason", "tunnel_idle")
    assert (line["http.response.status_code"], line["gateway.outcome"]) == (101, "cut")


async def test_a_reload_keeps_tunnels_until_its_time_is_over_and_closes_them_between_frames(tmp_path: Path) -> None:
    async with rooms(tmp_path, drain="1s") as here:
        async with (
            websockets.connect(here.url("/v1/kept")) as client,
            await RawClient.connect(here.gateway.port) as raw,
        ):
            await raw.send(requesting("GET", "/v1/within", *ASKS, SAMPLE) + masked(b"first")[:-2])
            assert await raw.take(13) == b"HTTP/1.1 101 "
            await client.send("before")
            assert await client.recv() == "before"
            here.gateway.signal(signal.SIGHUP)
            await here.gateway.line(lambda line: '"reloaded"' in line)
            await client.send("after")
            assert await client.recv() == "after"
            with pytest.raises(websockets.ConnectionClosed) as caught:
                await client.recv()
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 1001
            assert (await raw.rest()).endswith(close_frame(1001))
        line = await here.gateway.record("gateway.reason", "shutting_down")
        assert (line["gateway.outcome"], line["http.response.status_code"]) == ("cut", 101)
