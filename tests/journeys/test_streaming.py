"""Bodies larger than memory should be, and replies that break off."""

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from tests.fakes import End, Step, reply
from tests.gateway_process import KEY, GatewayProcess
from tests.journeys.backends import Front, chunked, front
from tests.raw_client import RawClient

pytestmark = pytest.mark.asyncio(loop_scope="module")

LARGE_BYTES = 256 << 20
"""Of each body. To try it with 1 GiB, write 1 << 30."""
MOST_GROWTH_BYTES = 64 << 20
BLOCK_BYTES = 1 << 18

SECTIONS = {
    "server": '{drain_delay: 0s, listeners: [{id: public, address: "127.0.0.1:0", limits: {body: 2GiB}}]}',
    "defaults": "{timeouts: {first_byte: 2m, total: 4m}}",
    "upstreams": """
- {id: backend, targets: [{url: "http://127.0.0.1:{backend}"}]}
""",
    "routes": """
- {id: all, match: {prefix: /v1}, upstream: backend}
""",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here() -> AsyncIterator[Front]:
    async with front(**SECTIONS) as built:
        yield built


@pytest_asyncio.fixture(loop_scope="module")
async def session(here: Front) -> AsyncIterator[aiohttp.ClientSession]:
    base = f"http://127.0.0.1:{here.gateway.port}"
    async with aiohttp.ClientSession(
        base, headers={"X-Api-Key": KEY}, timeout=aiohttp.ClientTimeout(total=300)
    ) as opened:
        yield opened


def strings(size_bytes: int) -> Iterator[bytes]:
    """A JSON list of long strings, each of them different, of exactly that many bytes."""
    left = size_bytes - 2
    yield b"["
    for number in range(left // BLOCK_BYTES - 1):
        yield b'"%015d' % number + b"a" * (BLOCK_BYTES - 18) + b'",'
        left -= BLOCK_BYTES
    yield b'"' + b"z" * (left - 2) + b'"'
    yield b"]"


class Growth:
    """How much more memory a process held at its worst, from the start of the block on."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self._folder = Path(f"/proc/{gateway.pid}")
        (self._folder / "clear_refs").write_text("5")  # proc(5): the peak begins anew
        self._before = self._bytes("VmRSS")

    def bytes_(self) -> int:
        return self._bytes("VmHWM") - self._before

    def _bytes(self, name: str) -> int:
        found = re.search(rf"{name}:\s+(\d+) kB", (self._folder / "status").read_text())
        assert found is not None
        return int(found[1]) << 10


class Digest:
    """Hash and size of what passes."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.size = 0

    def add(self, piece: bytes) -> None:
        self._hash.update(piece)
        self.size += len(piece)

    @property
    def value(self) -> tuple[int, str]:
        return self.size, self._hash.hexdigest()


async def test_a_large_request_and_a_large_reply_pass_in_constant_memory(
    here: Front, session: aiohttp.ClientSession
) -> None:
    uploaded, received, answered, arrived = Digest(), Digest(), Digest(), Digest()

    async def upload() -> AsyncIterator[bytes]:
        for piece in strings(LARGE_BYTES):
            uploaded.add(piece)
            yield piece

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % LARGE_BYTES)
        for piece in strings(LARGE_BYTES):
            answered.add(piece)
            writer.write(piece)
            await writer.drain()

    path = here.service.on("/v1/large", answer)
    here.service.watch(path, received.add)
    growth = Growth(here.gateway)
    async with session.post(path, data=upload(), headers={"Content-Length": str(LARGE_BYTES)}) as found:
        assert found.status == 200
        head = b'{"requestId":"%b","status":"SUCCESS","data":{"result":' % found.headers["X-Request-Id"].encode()
        assert await found.content.readexactly(len(head)) == head
        assert int(found.headers["Content-Length"]) == len(head) + LARGE_BYTES + len(b"}}")
        left = LARGE_BYTES
        while left:
            piece = await found.content.read(min(left, BLOCK_BYTES))
            assert piece
            arrived.add(piece)
            left -= len(piece)
        assert await found.content.read() == b"}}"
    assert received.value == uploaded.value
    assert arrived.value == answered.value
    assert growth.bytes_() < MOST_GROWTH_BYTES


MIDDLE = 20 << 20
"""More than is held in memory."""


@pytest.mark.parametrize("framing", ["length", "chunks", "end"])
async def test_a_reply_larger_than_the_buffer_is_valid_json(
    here: Front, session: aiohttp.ClientSession, framing: str
) -> None:
    body = b"".join(strings(MIDDLE))
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    steps: dict[str, tuple[Step, ...]] = {
        "length": (head + b"Content-Length: %d\r\n\r\n" % MIDDLE, body),
        "chunks": (head + b"Transfer-Encoding: chunked\r\n\r\n", chunked([body[:100], body[100:]])),
        "end": (head + b"Connection: close\r\n\r\n", body, End.CLOSE),
    }
    async with session.get(here.service.on("/v1/middle", *steps[framing])) as found:
        envelope = json.loads(await found.read())
        assert envelope["requestId"] == found.headers["X-Request-Id"]
    assert (
        hashlib.sha256(json.dumps(envelope["data"]["result"], separators=(",", ":")).encode()).digest()
        == hashlib.sha256(body).digest()
    )


FORMS = {
    "one string": ("application/json", b'"', b"a" * BLOCK_BYTES, b'"'),
    "objects": ("application/json", b"[", b'{"id":17,"name":"item","tags":["a",null,1.5e3]},' * 5000, b"0]"),
    "text": ("text/plain", b"", 'a line, \\ and "é"\n'.encode() * 10_000, b""),
}


@pytest.mark.parametrize("form", FORMS)
async def test_large_replies_of_every_form_pass_in_constant_memory(
    here: Front, session: aiohttp.ClientSession, form: str
) -> None:
    kind, first, block, last = FORMS[form]
    count = (64 << 20) // len(block)

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n".encode() + first)
        for _ in range(count):
            writer.write(block)
            await writer.drain()
        writer.write(last)
        writer.close()

    growth, size, tail = Growth(here.gateway), 0, b""
    async with session.get(here.service.on("/v1/form", answer)) as found:
        async for piece in found.content.iter_any():
            size += len(piece)
            tail = (tail + piece)[-10:]
    assert size > count * len(block)
    assert tail.endswith(last + b"}}")
    assert growth.bytes_() < MOST_GROWTH_BYTES


async def test_an_envelope_larger_than_the_buffer_is_not_wrapped_again(
    here: Front, session: aiohttp.ClientSession
) -> None:
    theirs = "11111111-2222-4333-8444-555555555555"
    body = b'{"requestId":"%b","status":"SUCCESS","data":{"result":%b}}' % (theirs.encode(), b"".join(strings(MIDDLE)))
    async with session.get(here.service.on("/v1/enveloped", reply(body))) as found:
        ours = found.headers["X-Request-Id"]
        assert (
            hashlib.sha256(await found.read()).digest()
            == hashlib.sha256(body.replace(theirs.encode(), ours.encode())).digest()
        )
    assert (await here.gateway.record("request_id", ours))["upstream_request_id"] == theirs


def ending(how: str) -> tuple[Step, ...]:
    """A large reply that goes wrong when most of it has been sent."""
    half = b"".join(strings(MIDDLE))[: MIDDLE - (1 << 20)]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    with_length = head + b"Content-Length: %d\r\n\r\n" % MIDDLE
    in_chunks = head + b"Transfer-Encoding: chunked\r\n\r\n"
    ways: dict[str, tuple[Step, ...]] = {
        "length, closed": (with_length, half, End.CLOSE),
        "length, reset": (with_length, half, End.RESET),
        "chunks, closed": (in_chunks, chunked([half])[:-5], End.CLOSE),
        "chunks, reset": (in_chunks, chunked([half])[:-5], End.RESET),
        "bad chunk": (in_chunks, chunked([half])[:-5], b"nonsense\r\n"),
        "closed within the document": (head + b"Connection: close\r\n\r\n", half, End.CLOSE),
        "garbage": (in_chunks, chunked([half, b'",NaN]'])),
        "unfinished": (in_chunks, chunked([half])),
        "trailing text": (in_chunks, chunked([half, b'"] and more'])),
        "not UTF-8": (in_chunks, chunked([half, b'\xff"]'])),
    }
    return ways[how]


@pytest.mark.parametrize(
    "how",
    [
        "length, closed",
        "length, reset",
        "chunks, closed",
        "chunks, reset",
        "bad chunk",
        "closed within the document",
        "garbage",
        "unfinished",
        "trailing text",
        "not UTF-8",
    ],
)
async def test_a_large_reply_that_breaks_is_never_ended_as_if_it_were_whole(
    here: Front, session: aiohttp.ClientSession, how: str
) -> None:
    path = here.service.on("/v1/breaks", *ending(how))
    got = bytearray()
    with pytest.raises((aiohttp.ClientPayloadError, ConnectionError)):  # noqa: PT012  the context managers belong to the call
        async with session.get(path) as found:
            assert found.status == 200
            async for piece in found.content.iter_any():
                got += piece
    assert len(got) > 8 << 20
    with pytest.raises(ValueError, match=r"Unterminated|Expecting|Extra|Invalid|decode"):
        json.loads(got)
    record = await here.gateway.record("request_id", found.headers["X-Request-Id"])
    assert (record["gateway.outcome"], record["http.response.status_code"]) == ("cut", 200)
    assert record["gateway.reason"].startswith("upstream_")


async def test_a_client_of_http_1_0_sees_a_reset_instead_of_an_end(here: Front) -> None:
    path = here.service.on("/v1/breaks", *ending("chunks, closed"))
    async with await RawClient.connect(here.gateway.port) as client:
        await client.send(f"GET {path} HTTP/1.0\r\nHost: h\r\nX-Api-Key: {KEY}\r\n\r\n".encode())
        with pytest.raises((ConnectionResetError, EOFError)):
            await client.reply()
