"""Connections of the admin listener, and the form of their replies."""

import asyncio

import msgspec
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

SERVER = "gateway"
"""The value of the header field Server; by default aiohttp would send its own version and Python's."""
_HEAD_END = b"\r\n\r\n"


def json_reply(status: int, body: dict[str, object], **fields: str) -> web.Response:
    headers = {
        "Server": SERVER,
        "Cache-Control": "no-store",
        **{name.replace("_", "-"): value for name, value in fields.items()},
    }
    return web.Response(
        status=status, body=msgspec.json.encode(body) + b"\n", content_type="application/json", headers=headers
    )


def lines_reply(body: bytes) -> web.Response:
    """Return a reply of JSON lines."""
    headers = {"Server": SERVER, "Cache-Control": "no-store"}
    return web.Response(body=body, content_type="application/x-ndjson", headers=headers)


class AdminConnection(RequestHandler):
    """aiohttp's handler with time limits for silent clients, and error replies in JSON that do not reveal the cause."""

    __slots__ = ("_incomplete_since", "_stalled_since", "_tail", "last_at")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.last_at = self._loop.time()
        """The time at which data last arrived."""
        self._incomplete_since: float | None = self.last_at  # the rest of a head or of a body is missing
        self._stalled_since: float | None = None
        self._tail = b""
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self.last_at = self._loop.time()
        self._tail = (self._tail + data)[-len(_HEAD_END) :]
        if self._tail == _HEAD_END:
            self._incomplete_since = None
        elif self._incomplete_since is None:
            self._incomplete_since = self.last_at
        super().data_received(data)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled_since = self._loop.time()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stalled_since = None

    @property
    def idle(self) -> bool:
        """Whether it is open and handles no request."""
        is_open = self.transport is not None and not self.transport.is_closing()
        return is_open and self._current_request is None and not self._messages

    def sweep(self, now: float, silent_s: float) -> None:
        """Close it if the client has been silent for longer than `silent_s`. `now` is the time of the event loop."""
        request = self._current_request
        is_incomplete = self.idle or (request is not None and not request.content.is_eof())
        since = (
            self._stalled_since
            if self._stalled_since is not None
            else self._incomplete_since
            if is_incomplete
            else None
        )
        if since is not None and now - since > silent_s:
            self.cut()

    def cut(self) -> None:
        """Close it at once; unsent data is lost."""
        if self.transport is not None:
            self.transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002  it quotes the malformed request
    ) -> web.StreamResponse:
        if request.writer.output_size > 0:
            raise ConnectionError("A reply has begun: it cannot become an error")
        if exc is not None and status >= 500:
            self.log_exception("The admin listener failed", exc_info=exc)
        reply = json_reply(status, {"error": "malformed request" if status < 500 else "internal error"})
        reply.force_close()
        return reply


class AdminServer(web.Server):
    """Creates the connections, and knows those that are open."""

    def __call__(self) -> RequestHandler:
        return AdminConnection(self, loop=self._loop, **self._kwargs)

    def __len__(self) -> int:
        return len(self._connections)

    def open(self) -> list[AdminConnection]:
        return [connection for connection in self._connections if isinstance(connection, AdminConnection)]

    def close_idle(self) -> bool:
        """Close the connection that has been idle longest; return False if none is idle."""
        idle = [connection for connection in self.open() if connection.idle]
        if idle:
            min(idle, key=lambda connection: connection.last_at).cut()
        return bool(idle)
