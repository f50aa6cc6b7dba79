"""A backend that says on the wire exactly what a test tells it to."""

import asyncio
import contextlib
import enum
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeAlias

PROMPT_TURNS, PAUSE_S = 100, 0.002


class End(enum.Enum):
    """How a backend ends a connection in the middle of a script."""

    CLOSE = "close"
    """In order: FIN, with TLS a close_notify before it."""
    CUT = "cut"
    """FIN without close_notify: what a man in the middle could do to TLS."""
    RESET = "reset"
    """RST."""
    NEVER = "never"
    """Not at all: silence until the other side leaves."""


Step: TypeAlias = bytes | asyncio.Event | End | Callable[[asyncio.StreamWriter], Awaitable[None]]
"""Bytes are sent; an event is waited for; a callable writes what it likes."""


@dataclass(frozen=True)
class Script:
    """What follows one request. An `early` one begins after its head, and the request's body is never read."""

    steps: tuple[Step, ...]
    early: bool = False


@dataclass(frozen=True)
class Request:
    """As received. `connection` counts from 0. `body` is decoded and holds its first MiB only; `size` is its length."""

    connection: int
    head: bytes
    body: bytes
    size: int


def script(*steps: Step, early: bool = False) -> Script:
    return Script(steps, early)


def reply(body: bytes = b"{}", *fields: bytes, status: bytes = b"200 OK") -> bytes:
    """A well-formed reply; `fields` are whole lines without their ends."""
    lines = [b"HTTP/1.1 " + status, b"Content-Type: application/json", b"Content-Length: %d" % len(body), *fields]
    return b"\r\n".join([*lines, b"", body])


async def turn(after_s: float = 0.0) -> None:
    """Let the event loop go round once, or for so long."""
    done = asyncio.get_running_loop().create_future()
    timer = asyncio.get_running_loop().call_later(after_s, done.set_result, None)
    try:
        await done
    finally:
        timer.cancel()


async def until(condition: Callable[[], bool], within_s: float = 5.0) -> None:
    """Let the event loop go round until something is so: for what has no event of its own.

    What takes more than PROMPT_TURNS waits for other processes, and leaves the processor to them.
    """
    async with asyncio.timeout(within_s):
        for _ in range(PROMPT_TURNS):
            if condition():
                return
            await turn()
        while not condition():
            await turn(PAUSE_S)


class RawBackend:
    """Listens on a port of its own while it is entered.

    The scripts are played one a request, in the order of arrival; after the last one `default` is. `greeting` is
    played to every connection before it says anything. Steps after a complete reply go on while the connection idles.
    """

    KEPT_BYTES = 1 << 20

    def __init__(
        self,
        *scripts: Script,
        default: Script | None = None,
        greeting: Script | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.requests: list[Request] = []
        self._scripts = iter(scripts)
        self._default = default or script(reply())
        self._greeting = greeting
        self._tls = tls
        self._peers: list[_Peer] = []

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Peer(self._serve), "127.0.0.1", 0, ssl=self._tls)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for peer in self._peers:
            peer.leave()
        for peer in self._peers:
            await peer.left()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """How many there have been."""
        return len(self._peers)

    async def closed(self, connection: int) -> None:
        """Wait until a connection has ended, from whichever side."""
        await self._peers[connection].gone.wait()

    async def _serve(self, peer: "_Peer", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(self._peers)
        self._peers.append(peer)
        if self._greeting is not None:
            await self._play(self._greeting, writer)
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            current = next(self._scripts, self._default)
            body, size = (b"", 0) if current.early else await self._body(head, reader)
            self.requests.append(Request(number, head, body, size))
            await self._play(current, writer)

    async def _body(self, head: bytes, reader: asyncio.StreamReader) -> tuple[bytes, int]:
        fields = {
            name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])
        }
        body, size = bytearray(), 0

        async def take(left: int) -> int:
            taken = left
            while left:
                piece = await reader.read(min(left, 1 << 16))
                if not piece:
                    raise EOFError("the body broke off")
                left -= len(piece)
                body.extend(piece[: self.KEPT_BYTES - len(body)])
            return taken

        if fields.get(b"transfer-encoding") == b"chunked":
            while length := int(await reader.readline(), 16):
                size += await take(length)
                assert await reader.readline() == b"\r\n"
            assert await reader.readline() == b"\r\n"
        else:
            size = await take(int(fields.get(b"content-length", b"0")))
        return bytes(body), size

    @staticmethod
    async def _play(current: Script, writer: asyncio.StreamWriter) -> None:
        for step in current.steps:
            if isinstance(step, bytes):
                writer.write(step)
                await writer.drain()
            elif isinstance(step, asyncio.Event):
                await step.wait()
            elif step is End.NEVER:
                await asyncio.Event().wait()
            elif isinstance(step, End):
                if step is End.CLOSE:
                    writer.close()
                    await writer.wait_closed()
                else:
                    if step is End.RESET:
                        writer.get_extra_info("socket").setsockopt(
                            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                        )
                    writer.transport.abort()
                raise ConnectionAbortedError("the script ends here")
            else:
                await step(writer)


Serve: TypeAlias = Callable[["_Peer", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class _Peer(asyncio.StreamReaderProtocol):
    """One connection. Its script ends when the other side leaves, whatever it waits for."""

    def __init__(self, serve: Serve) -> None:
        self.gone = asyncio.Event()
        self._serve = serve
        super().__init__(asyncio.StreamReader(limit=1 << 20), self._start)

    def leave(self) -> None:
        if not self.gone.is_set():
            self._writer.transport.abort()

    async def left(self) -> None:
        """Raises what went wrong in the script itself."""
        await self.gone.wait()
        with contextlib.suppress(asyncio.CancelledError):
            await self._playing

    def _start(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._playing = asyncio.ensure_future(self._run(reader, writer))

    async def _run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._serve(self, reader, writer)
        except (OSError, EOFError, asyncio.CancelledError):
            self.leave()

    def eof_received(self) -> bool:
        super().eof_received()
        self._playing.cancel()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._playing.cancel()
        self.gone.set()
