"""A client that sends bytes as they are and reads replies strictly."""

import asyncio
import socket
import struct
from typing import Any, NamedTuple, Self

DEADLINE_S = 10.0


class RawReply(NamedTuple):
    """A reply as read from the wire. Field names are lower case."""

    status: int
    fields: list[tuple[str, str]]
    body: bytes

    def field(self, name: str) -> str | None:
        """The one value of a field, None without it; two of them are an error, but for the options of a connection."""
        values = [value for found, value in self.fields if found == name.lower()]
        if name == "Connection" and values:
            return ", ".join(values)
        assert len(values) <= 1, f"{name} stands {len(values)} times"
        return values[0] if values else None


class RawClient:
    """One connection. Every wait ends after DEADLINE_S."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, port: int, host: str = "127.0.0.1", **tls: Any) -> "RawClient":
        """`tls` is what asyncio takes: `ssl`, `server_hostname`."""
        return cls(*await asyncio.open_connection(host, port, limit=1 << 26, **tls))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.abort()

    def abort(self) -> None:
        self._writer.transport.abort()

    def close(self) -> None:
        """As an orderly client does: over TLS it says so."""
        self._writer.close()

    def reset(self) -> None:
        """Leave with RST, as a program does that is killed with bytes unread."""
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    def finish_sending(self) -> None:
        self._writer.write_eof()

    def stop_reading(self) -> None:
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]

    def go_on_reading(self) -> None:
        self._writer.transport.resume_reading()  # type: ignore[attr-defined]

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        async with asyncio.timeout(DEADLINE_S):
            await self._writer.drain()

    async def reply(self, method: str = "GET") -> RawReply:
        """The next final reply. Raises EOFError when the connection ends before or within it."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                while True:
                    reply = await self._read(method)
                    if reply.status >= 200:
                        return reply
        except asyncio.IncompleteReadError as broken:
            raise EOFError(f"the connection ended within a reply: {broken.partial[-200:]!r}") from None

    async def interim(self) -> int:
        """The status of the next head."""
        async with asyncio.timeout(DEADLINE_S):
            return int((await self._reader.readuntil(b"\r\n\r\n"))[9:12])

    async def at_eof(self) -> bool:
        """Whether the connection ends now, without another byte."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                return await self._reader.read(1) == b""
        except ConnectionError:
            return True

    async def take(self, count: int) -> bytes:
        """That many bytes, as they come."""
        async with asyncio.timeout(DEADLINE_S):
            return await self._reader.readexactly(count)

    async def rest(self) -> bytes:
        """Everything until the connection ends, however it ends."""
        pieces: list[bytes] = []
        try:
            async with asyncio.timeout(DEADLINE_S):
                while piece := await self._reader.read(1 << 16):
                    pieces.append(piece)
        except ConnectionError:
            pass
        return b"".join(pieces)

    async def _read(self, method: str) -> RawReply:
        head = (await self._reader.readuntil(b"\r\n\r\n"))[:-4].decode("latin-1")
        status_line, *lines = head.split("\r\n")
        version, status, _ = status_line.split(" ", 2)
        assert version == "HTTP/1.1", status_line
        fields = []
        for line in lines:
            name, colon, value = line.partition(":")
            assert colon, line
            assert name == name.strip(), line
            fields.append((name.lower(), value.strip()))
        known = dict(fields)
        code = int(status)
        if method == "HEAD" or code < 200 or code in {204, 304}:
            return RawReply(code, fields, b"")
        if "transfer-encoding" in known:
            assert known["transfer-encoding"] == "chunked"
            assert "content-length" not in known
            return RawReply(code, fields, await self._chunks())
        if "content-length" in known:
            return RawReply(code, fields, await self._reader.readexactly(int(known["content-length"])))
        return RawReply(code, fields, await self._reader.read())

    async def _chunks(self) -> bytes:
        pieces: list[bytes] = []
        while True:
            size = int(await self._reader.readuntil(b"\r\n"), 16)
            piece = await self._reader.readexactly(size + 2)
            assert piece.endswith(b"\r\n")
            if not size:
                return b"".join(pieces)
            pieces.append(piece[:-2])
