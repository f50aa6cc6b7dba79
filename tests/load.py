"""Clients that never stop asking, and remember what went wrong.

    async with Load(port, connections=16) as load:
        ...
    assert load.failures == []

Half of them keep their connection, half ask for it to be closed after every reply. None asks twice: whatever a careful
client would have had to repeat is a failure here.
"""

import asyncio
import contextlib
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple

from tests.gateway_process import KEY

REPLY_WITHIN_S = 15.0


class Failure(NamedTuple):
    """`port` is the client's end of the connection, 0 when there was none; `kept` whether it had been told to stay."""

    port: int
    kept: bool
    why: str


def content(head: bytes, body: bytes) -> str:
    """Nothing is wrong with any reply."""
    return ""


class Load:
    """Requests under load, `answered` by status. `judge` says what is wrong with a reply (head in lower case, body)."""

    def __init__(
        self,
        port: int,
        connections: int = 16,
        path: str = "/v1/x",
        key: str = KEY,
        judge: Callable[[bytes, bytes], str] = content,
    ) -> None:
        self.port = port
        self.answered: dict[int, int] = {}
        self.failures: list[Failure] = []
        self.first: dict[int, bytes] = {}
        """The first body that came with each status."""
        self._head = f"GET {path} HTTP/1.1\r\nHost: gateway\r\nX-Api-Key: {key}\r\n".encode()
        self._judge = judge
        self._connections = connections
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self._changed = asyncio.Condition()

    @property
    def total(self) -> int:
        return sum(self.answered.values())

    async def more(self, replies: int) -> None:
        """Returns when that many more have come."""
        wanted = self.total + replies
        async with self._changed, asyncio.timeout(30):
            await self._changed.wait_for(lambda: self.total >= wanted)

    async def __aenter__(self) -> "Load":
        for number in range(self._connections):
            self._tasks.append(asyncio.create_task(self._client(keep=number % 2 == 0)))
        await self.more(self._connections)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping = True
        await asyncio.wait_for(asyncio.gather(*self._tasks), REPLY_WITHIN_S)

    async def _client(self, *, keep: bool) -> None:
        while not self._stopping:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError as error:
                self.failures.append(Failure(0, keep, repr(error)))
                continue
            try:
                while await self._ask(reader, writer, keep=keep):
                    pass
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, keep: bool) -> bool:
        """Whether the connection goes on."""
        port = writer.get_extra_info("sockname")[1]
        try:
            async with asyncio.timeout(REPLY_WITHIN_S):
                writer.write(self._head + (b"\r\n" if keep else b"Connection: close\r\n\r\n"))
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                goes_on = keep and b"\r\nconnection: close" not in head
                rest = b"" if goes_on else await reader.read()
        except (OSError, EOFError, TimeoutError) as error:
            self.failures.append(Failure(port, keep, repr(error)))
            return False
        if wrong := "more than a reply" if rest else self._judge(head, body):
            self.failures.append(Failure(port, keep, f"{wrong}: {(head + body + rest).decode(errors='replace')}"))
        status = int(head.split(b" ")[1])
        self.first.setdefault(status, body)
        async with self._changed:
            self.answered[status] = self.answered.get(status, 0) + 1
            self._changed.notify_all()
        return goes_on and not self._stopping
