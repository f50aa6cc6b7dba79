"""Backends of the journeys, and who asks through the gateway."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, Protocol

from prometheus_client.parser import text_string_to_metric_families

from tests.envelope_schema import check_envelope
from tests.fakes import RawBackend, Request, Script, Step, reply, script
from tests.gateway_process import KEY, GatewayProcess, configuration, running
from tests.raw_client import RawClient, RawReply


class Service(RawBackend):
    """A backend with a script for each path; where there is none it answers 404, in a form of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: dict[str, Script] = {}
        self._watched: dict[str, Callable[[bytes], None]] = {}
        self._nothing = script(reply(b'{"detail":"Not Found"}', status=b"404 Not Found"))

    def on(self, path: str, *steps: Step, early: bool = False) -> str:
        """Play `steps` to every request for `path`, which is returned."""
        self.scripts[path] = Script(steps, early)
        return path

    def watch(self, path: str, piece: Callable[[bytes], None]) -> None:
        """Show every piece of bodies for `path`, of announced length, to `piece`."""
        self._watched[path] = piece

    def at(self, path: str) -> list[Request]:
        """What was asked for at `path`, without regard to the query."""
        return [request for request in self.requests if target(request).partition("?")[0] == path]

    async def _serve(self, peer: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(self._peers)
        self._peers.append(peer)
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode().partition("?")[0]
            current = self.scripts.get(path, self._nothing)
            if current.early:
                self.requests.append(Request(number, head, b"", 0))
            elif path in self._watched:
                self.requests.append(Request(number, head, b"", await self._show(head, reader, self._watched[path])))
            else:
                self.requests.append(Request(number, head, *await self._body(head, reader)))
            await self._play(current, writer)

    @staticmethod
    async def _show(head: bytes, reader: asyncio.StreamReader, piece: Callable[[bytes], None]) -> int:
        size = left = int(fields(Request(0, head, b"", 0), "Content-Length")[0])
        while left:
            data = await reader.read(min(left, 1 << 18))
            if not data:
                raise EOFError("the body broke off")
            piece(data)
            left -= len(data)
        return size


class Front(NamedTuple):
    """A gateway and the one service behind it."""

    service: Service
    gateway: GatewayProcess


@asynccontextmanager
async def front(**sections: str) -> AsyncIterator[Front]:
    """Run both. In `sections`, as for `configuration`, {backend} is the port of the service, upstream `backend`."""
    with TemporaryDirectory() as folder:
        async with Service() as service:
            filled_in = {name: text.replace("{backend}", str(service.port)) for name, text in sections.items()}
            with running(configuration(service.port, **filled_in), Path(folder)) as gateway:
                yield Front(service, gateway)


class Place(Protocol):
    """Where a gateway serves, in a process of its own or in this one."""

    port: int

    async def record(self, name: str, value: object) -> dict[str, Any]:
        """The access line with that field."""
        ...

    def admin(self, path: str) -> tuple[int, str]:
        """Status and text of a page of the admin listener."""
        ...


def target(request: Request) -> str:
    return request.head.split(b" ", 2)[1].decode()


def fields(request: Request, name: str) -> list[str]:
    """The values of a header field as the backend received them."""
    lines = [line.partition(": ") for line in request.head.decode("latin-1").split("\r\n")[1:]]
    return [value for found, _, value in lines if found.lower() == name.lower()]


def requesting(method: str, path: str, *lines: str, body: bytes | None = None, key: str | None = KEY) -> bytes:
    """A request as bytes; `lines` are header lines."""
    head = [f"{method} {path} HTTP/1.1", "Host: api.example.com", *lines]
    if key is not None:
        head.append(f"X-Api-Key: {key}")
    if body is not None:
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode() + (body or b"")


async def ask(
    gateway: Place, method: str, path: str, *lines: str, body: bytes | None = None, key: str | None = KEY
) -> RawReply:
    """One request on a connection of its own."""
    async with await RawClient.connect(gateway.port) as client:
        await client.send(requesting(method, path, *lines, body=body, key=key))
        return await client.reply(method)


def enveloped(answer: RawReply) -> dict[str, Any]:
    """The envelope of a reply, by every rule; the id in its header is the one in its body."""
    envelope = check_envelope(answer.status, answer.fields, answer.body)
    assert answer.field("X-Request-Id") == envelope["requestId"]
    return envelope


def counted(gateway: Place, name: str, **labels: str) -> float:
    """The sum of the series of that name with these labels."""
    status, text = gateway.admin("/metrics")
    assert status == 200
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


async def counts(gateway: Place, name: str, at_least: float, **labels: str) -> None:
    """Wait until a series has reached a number."""
    async with asyncio.timeout(5):
        while (await asyncio.to_thread(counted, gateway, name, **labels)) < at_least:
            pass


@asynccontextmanager
async def clients(gateway: Place, count: int) -> AsyncIterator[list[RawClient]]:
    """Connections that all end with the block."""
    opened = await asyncio.gather(*(RawClient.connect(gateway.port) for _ in range(count)))
    try:
        yield opened
    finally:
        for client in opened:
            client.abort()


def chunked(pieces: Iterable[bytes]) -> bytes:
    """A body in the chunked coding, without trailers."""
    return b"".join([b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece]) + b"0\r\n\r\n"
