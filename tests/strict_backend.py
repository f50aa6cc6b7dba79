"""A backend that reads requests in the one way that nobody can read otherwise, and records what is not written so.

It shares no code and no parser with the gateway: whatever passes here means the same to every HTTP server.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

_REQUEST_LINE = re.compile(rb"([A-Z]+) (/[!-~]*) HTTP/1\.1")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?|)")
_LENGTH = re.compile(rb"0|[1-9][0-9]{0,17}")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,8}\r\n")
_ONCE = (
    "connection",
    "host",
    "content-length",
    "transfer-encoding",
    "x-request-id",
    "traceparent",
    "x-caller-id",
    "x-caller-organization",
    "x-caller-plan",
    "x-tenant-org-id",
    "x-forwarded-prefix",
)
_NEVER = ("keep-alive", "proxy-connection", "te", "trailer", "upgrade", "http2-settings", "expect", "x-api-key")


class AmbiguousError(Exception):
    """A request that two servers may read in two ways."""


@dataclass(frozen=True)
class Seen:
    """A request. Field names are lower case; `head` is what came over the wire."""

    method: str
    target: str
    fields: list[tuple[str, str]]
    body: bytes
    head: bytes

    def values(self, name: str) -> list[str]:
        return [value for found, value in self.fields if found == name.lower()]

    def __str__(self) -> str:
        return f"{self.method} {self.target} {self.body.decode('latin-1')}".rstrip()


class StrictBackend:
    """Answers every request with 200 and `{"target": …}`, or with the JSON that `bodies` has for the target.

    `ambiguous` says what it could not accept.
    """

    def __init__(self, bodies: Mapping[str, bytes] | None = None) -> None:
        self._bodies = bodies or {}
        self.requests: list[Seen] = []
        self.ambiguous: list[str] = []
        self._serving: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024, limit=1 << 24)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for writer in self._serving:
            writer.transport.abort()
        await asyncio.gather(*self._serving.values())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task: asyncio.Task[None] | None = asyncio.current_task()
        assert task is not None
        self._serving[writer] = task
        try:
            while True:
                seen = await self._read(reader)
                self.requests.append(seen)
                body = self._bodies.get(seen.target) or json.dumps({"target": seen.target}).encode()
                head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
                writer.write(head if seen.method == "HEAD" else head + body)
                await writer.drain()
                if seen.values("Connection"):
                    writer.close()
                    await writer.wait_closed()
                    return
        except AmbiguousError as error:
            self.ambiguous.append(str(error))
        except (asyncio.IncompleteReadError, ConnectionError) as broken:
            partial = broken.partial if isinstance(broken, asyncio.IncompleteReadError) else b""
            if partial:
                self.ambiguous.append(f"it ended within a request: {partial[-200:]!r}")
        finally:
            writer.transport.abort()
            del self._serving[writer]

    async def _read(self, reader: asyncio.StreamReader) -> Seen:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head[:-4].split(b"\r\n")
        line = _REQUEST_LINE.fullmatch(first)
        _must(line is not None and b"#" not in line[2] and b"\\" not in line[2], f"request line {first!r}")
        assert line is not None
        fields = []
        for text in lines:
            field = _FIELD.fullmatch(text)
            _must(field is not None, f"field {text!r}")
            assert field is not None
            fields.append((field[1].decode().lower(), field[2].decode("latin-1")))
        names = [name for name, _ in fields]
        plain = [name.replace("_", "-") for name in names]
        for name in _ONCE:
            _must(plain.count(name) <= 1, f"{name} twice in {head!r}")
        for name in _NEVER:
            _must(name not in plain, f"{name} in {head!r}")
        _must(dict(fields).get("connection", "close") == "close", f"Connection in {head!r}")
        _must(dict(fields).get("host") == f"127.0.0.1:{self.port}", f"Host in {head!r}")
        _must(not {"content-length", "transfer-encoding"} <= set(plain), f"two framings in {head!r}")
        _must(not {"content_length", "transfer_encoding"} & set(names), f"a look-alike of framing in {head!r}")
        body = await self._body(dict(fields), reader)
        return Seen(line[1].decode(), line[2].decode(), fields, body, head)

    async def _body(self, fields: dict[str, str], reader: asyncio.StreamReader) -> bytes:
        if "transfer-encoding" in fields:
            _must(fields["transfer-encoding"] == "chunked", f"coding {fields['transfer-encoding']!r}")
            return await self._chunks(reader)
        announced = fields.get("content-length", "0").encode("latin-1")
        _must(_LENGTH.fullmatch(announced) is not None, f"Content-Length {announced!r}")
        return await reader.readexactly(int(announced))

    async def _chunks(self, reader: asyncio.StreamReader) -> bytes:
        pieces: list[bytes] = []
        while True:
            line = await reader.readuntil(b"\n")
            _must(_CHUNK_SIZE.fullmatch(line) is not None, f"chunk {line!r}")
            size = int(line, 16)
            piece = await reader.readexactly(size + 2)
            _must(piece.endswith(b"\r\n"), f"end of a chunk {piece[-4:]!r}")
            if not size:
                return b"".join(pieces)
            pieces.append(piece[:-2])


def _must(holds: object, wrong: str) -> None:
    if not holds:
        raise AmbiguousError(wrong)
